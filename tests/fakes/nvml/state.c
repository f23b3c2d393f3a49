#include "state.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct state {
    struct head head;
    int rules;
    struct rule rule[MAX_RULES];
};

static struct state current, next;
static struct timespec state_time;
static ino_t state_inode;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const struct { const char *word; enum kind kind; } KINDS[] = {
    {"hang", HANG}, {"slow", SLOW}, {"fail", FAIL}, {"broken", BROKEN}, {"field", FIELD},
    {"set", SET}, {"text", TEXT}, {"xid", XID}, {"mig", MIG}, {"list", LIST},
};

static int parse_gpu(const char *word) { return strcmp(word, "*") ? atoi(word) : EVERY; }

/* What follows the word of an instruction. */
static void parse_rest(struct rule *rule, const char *rest) {
    char gpu[16] = "*";
    switch (rule->kind) {
    case BROKEN:
    case XID:
        sscanf(rest, "%15s %lf %ld", gpu, &rule->number, &rule->serial);
        break;
    case MIG:
        sscanf(rest, "%63s %15s %lf %ld", rule->name, gpu, &rule->number, &rule->serial);
        break;
    case TEXT:
    case LIST:
        sscanf(rest, "%63s %15s %95[^\n]", rule->name, gpu, rule->text);
        break;
    default:
        sscanf(rest, "%63s %15s %lf", rule->name, gpu, &rule->number);
    }
    rule->gpu = parse_gpu(gpu);
}

static void parse_rule(struct state *state, const char *line) {
    char word[32];
    int used = 0;
    if (state->rules == MAX_RULES || sscanf(line, "%31s%n", word, &used) != 1) return;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(word, KINDS[i].word)) continue;
        struct rule *rule = &state->rule[state->rules++];
        *rule = (struct rule){.kind = KINDS[i].kind};
        parse_rest(rule, line + used);
        return;
    }
    fprintf(stderr, "fake NVML: what is '%s'?\n", word);
    abort();
}

static void parse_line(struct state *state, const char *line) {
    struct head *head = &state->head;
    if (sscanf(line, "gpus %d", &head->gpus) == 1) return;
    if (sscanf(line, "seed %d", &head->seed) == 1) return;
    if (sscanf(line, "init %d", &head->init) == 1) return;
    if (sscanf(line, "error %d", &head->error) == 1) return;
    if (sscanf(line, "driver_version %79s", head->driver_version) == 1) return;
    parse_rule(state, line);
}

static void read_state(FILE *file) {
    next.head = (struct head){.gpus = 1, .driver_version = "590.48.01"};
    next.rules = 0;
    if (file != NULL)
        for (char line[256]; fgets(line, sizeof line, file);)
            if (line[0] != '#' && line[strspn(line, " \n")] != '\0') parse_line(&next, line);
    if (next.head.gpus > MAX_GPUS) next.head.gpus = MAX_GPUS;
    current.head = next.head;
    current.rules = next.rules;
    memcpy(current.rule, next.rule, next.rules * sizeof *next.rule);
}

static void refresh_locked(void) {
    static int filled;
    const char *path = getenv("FAKE_NVML_STATE");
    struct stat about;
    if (path == NULL || stat(path, &about) != 0) {
        if (!filled) read_state(NULL);
        filled = 1;
        return;
    }
    if (about.st_ino == state_inode && !memcmp(&about.st_mtim, &state_time, sizeof state_time)) return;
    FILE *file = fopen(path, "r");
    if (file == NULL) return;
    read_state(file);
    fclose(file);
    filled = 1;
    state_time = about.st_mtim;
    state_inode = about.st_ino;
}

void refresh(void) {
    pthread_mutex_lock(&lock);
    refresh_locked();
    pthread_mutex_unlock(&lock);
}

int find_nth_rule(enum kind kind, const char *name, int gpu, int skip, struct rule *found) {
    int hit = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < current.rules && !hit; i++) {
        const struct rule *rule = &current.rule[i];
        if (rule->kind != kind || (name && strcmp(rule->name, name))) continue;
        if (rule->gpu != EVERY && gpu != ANY && rule->gpu != gpu) continue;
        if (skip-- > 0) continue;
        *found = *rule;
        hit = 1;
    }
    pthread_mutex_unlock(&lock);
    return hit;
}

int find_rule(enum kind kind, const char *name, int gpu, struct rule *found) {
    return find_nth_rule(kind, name, gpu, 0, found);
}

struct head general(void) {
    pthread_mutex_lock(&lock);
    struct head head = current.head;
    pthread_mutex_unlock(&lock);
    return head;
}
