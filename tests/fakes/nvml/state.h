/* What the fake GPUs are like, read from the text file that FAKE_NVML_STATE names; read again when it changes.
 *
 * One instruction a line, words separated by blanks, GPU an index or *:
 *   gpus N | seed N | driver_version TEXT | init CODE | error CODE
 *   hang CALL GPU | slow CALL GPU MILLISECONDS | fail CALL GPU CODE | broken GPU CODE | field NUMBER GPU CODE
 *   set KEY GPU VALUE | text KEY GPU TEXT | xid GPU CODE SERIAL
 * "error" is what every call answers, "init" what the initialisation alone answers, "broken" what a GPU answers to
 * everything, its handle included (15: it has fallen off the bus). An XID is delivered once; serials grow.
 */
#ifndef FAKE_STATE_H
#define FAKE_STATE_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_GPUS 8
#define MAX_RULES 256
#define EVERY -1

enum kind { HANG, SLOW, FAIL, BROKEN, FIELD, SET, TEXT, XID };

struct rule {
    enum kind kind;
    char name[64];
    int gpu;
    double number;
    long serial;
    char text[96];
};

struct state {
    int gpus, seed, init, error, rules;
    char driver_version[80];
    struct rule rule[MAX_RULES];
};

static struct state current;
static struct timespec state_time;
static ino_t state_inode;
static pthread_mutex_t state_lock = PTHREAD_MUTEX_INITIALIZER;

static int parse_gpu(const char *word) { return strcmp(word, "*") ? atoi(word) : EVERY; }

static void parse_rule(struct state *state, const char *line) {
    static const struct { const char *word; enum kind kind; } kinds[] = {
        {"hang", HANG}, {"slow", SLOW}, {"fail", FAIL}, {"broken", BROKEN},
        {"field", FIELD}, {"set", SET}, {"text", TEXT}, {"xid", XID},
    };
    char word[32], gpu[16] = "*", rest[96] = "";
    struct rule rule = {0};
    int used = 0;
    if (state->rules == MAX_RULES || sscanf(line, "%31s%n", word, &used) != 1) return;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(word, kinds[i].word)) continue;
        rule.kind = kinds[i].kind;
        if (rule.kind == BROKEN || rule.kind == XID)
            sscanf(line + used, "%15s %lf %ld", gpu, &rule.number, &rule.serial);
        else if (rule.kind == TEXT)
            sscanf(line + used, "%63s %15s %95[^\n]", rule.name, gpu, rule.text);
        else if (sscanf(line + used, "%63s %15s %95s", rule.name, gpu, rest) == 3)
            rule.number = atof(rest);
        rule.gpu = parse_gpu(gpu);
        state->rule[state->rules++] = rule;
        return;
    }
    fprintf(stderr, "fake NVML: what is '%s'?\n", word);
    abort();
}

static void parse_line(struct state *state, const char *line) {
    if (sscanf(line, "gpus %d", &state->gpus) == 1) return;
    if (sscanf(line, "seed %d", &state->seed) == 1) return;
    if (sscanf(line, "init %d", &state->init) == 1) return;
    if (sscanf(line, "error %d", &state->error) == 1) return;
    if (sscanf(line, "driver_version %79s", state->driver_version) == 1) return;
    parse_rule(state, line);
}

/* Bring ``current`` up to date; call with the lock held. */
static void refresh(void) {
    const char *path = getenv("FAKE_NVML_STATE");
    struct stat about;
    if (path == NULL || stat(path, &about) != 0) {
        if (current.gpus == 0) current.gpus = 1, strcpy(current.driver_version, "590.48.01");
        return;
    }
    if (about.st_ino == state_inode && !memcmp(&about.st_mtim, &state_time, sizeof state_time)) return;
    FILE *file = fopen(path, "r");
    if (file == NULL) return;
    static struct state next;
    memset(&next, 0, sizeof next);
    next.gpus = 1;
    strcpy(next.driver_version, "590.48.01");
    for (char line[256]; fgets(line, sizeof line, file);)
        if (line[0] != '#' && line[strspn(line, " \n")] != '\0') parse_line(&next, line);
    fclose(file);
    if (next.gpus > MAX_GPUS) next.gpus = MAX_GPUS;
    current = next;
    state_time = about.st_mtim;
    state_inode = about.st_ino;
}

/* The rule of a kind for a name (NULL: any) and a GPU, copied out; 0 where there is none. */
static int find_rule(enum kind kind, const char *name, int gpu, struct rule *found) {
    int hit = 0;
    pthread_mutex_lock(&state_lock);
    refresh();
    for (int i = 0; i < current.rules && !hit; i++) {
        const struct rule *rule = &current.rule[i];
        if (rule->kind != kind || (name && strcmp(rule->name, name))) continue;
        if (rule->gpu != EVERY && rule->gpu != gpu) continue;
        *found = *rule;
        hit = 1;
    }
    pthread_mutex_unlock(&state_lock);
    return hit;
}

static struct state general(void) {
    pthread_mutex_lock(&state_lock);
    refresh();
    struct state head = {.gpus = current.gpus, .seed = current.seed, .init = current.init, .error = current.error};
    memcpy(head.driver_version, current.driver_version, sizeof head.driver_version);
    pthread_mutex_unlock(&state_lock);
    return head;
}
#endif
