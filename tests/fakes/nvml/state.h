/* What the fake GPUs are like, read from the text file that FAKE_NVML_STATE names; read again when it changes.
 *
 * One instruction a line, words separated by blanks, GPU an index or *:
 *   gpus N | seed N | driver_version TEXT | init CODE | error CODE
 *   hang CALL GPU | slow CALL GPU MILLISECONDS | fail CALL GPU CODE | broken GPU CODE | field NUMBER[.SCOPE] GPU CODE
 *   set KEY[.PART] GPU VALUE | text KEY GPU TEXT | xid GPU CODE SERIAL | mig PROFILE GPU INSTANCE COMPUTE_INSTANCE
 * "error" is what every call answers, "init" what the initialisation alone answers, "broken" what a GPU answers to
 * everything, its handle included (15: it has fallen off the bus). An XID is delivered once; serials grow. Of a value
 * that a GPU has many times (a link, a slice), PART is the one that is meant. "mig" makes one MIG device.
 */
#ifndef FAKE_STATE_H
#define FAKE_STATE_H

#define MAX_GPUS 16
#define MAX_RULES 1024
#define EVERY -1 /* in the file: all GPUs; in a question: none in particular */
#define ANY -2 /* in a question: rules of whatever GPU */

enum kind { HANG, SLOW, FAIL, BROKEN, FIELD, SET, TEXT, XID, MIG, LIST };

struct rule {
    enum kind kind;
    char name[64];
    int gpu;
    double number;
    long serial;
    char text[96];
};

struct head {
    int gpus, seed, init, error;
    char driver_version[80];
};

/* Read the file again if it has changed: every call does at its door, and while it waits. */
void refresh(void);

/* The rule of a kind for a name (NULL: any) and a GPU, the skip-th of them, copied out; 0 where there is none. */
int find_nth_rule(enum kind kind, const char *name, int gpu, int skip, struct rule *found);
int find_rule(enum kind kind, const char *name, int gpu, struct rule *found);

struct head general(void);

#endif
