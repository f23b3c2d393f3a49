/* Plausible numbers of an idle-to-busy H100: gauges swing as a sine whose phase comes from seed, GPU and name. */
#ifndef FAKE_VALUES_H
#define FAKE_VALUES_H

#include <stddef.h>

#define MIB 1048576.0

struct value { const char *key; double base, swing, period, per_second; };

double wall(void);

/* The value that was set, or the one that the clock gives. */
double value_of(const char *key, int gpu);

/* The same of one part (a link, a slice) of the GPU: what was set for the part counts before what was set for all. */
double value_at(const char *key, int part, int gpu);

/* Whether there is such a value: set, or in the table. */
int has_value(const char *key, int gpu);

/* A GPU's uuid, name, serial, vbios_version. */
void text_of(const char *key, int gpu, char *out, size_t size);

#endif
