/* Plausible numbers of an idle-to-busy H100: gauges swing as a sine whose phase comes from seed, GPU and name. */
#ifndef FAKE_VALUES_H
#define FAKE_VALUES_H

#include <math.h>
#include <time.h>

#include "state.h"

#define MIB 1048576.0
#define START 1767225600.0 /* counters count from 2026-01-01 */

static double wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

struct value { const char *key; double base, swing, period, per_second; };

static const struct value VALUES[] = {
    {"utilization", 55, 40, 300, 0},
    {"memory_utilization", 35, 25, 300, 0},
    {"encoder_utilization", 0, 0, 1, 0},
    {"decoder_utilization", 0, 0, 1, 0},
    {"memory_total", 81559 * MIB, 0, 1, 0},
    {"memory_reserved", 479 * MIB, 0, 1, 0},
    {"memory_used", 45000 * MIB, 20000 * MIB, 900, 0},
    {"bar1_used", 128 * MIB, 0, 1, 0},
    {"temperature", 58, 12, 300, 0},
    {"memory_temperature", 66, 10, 300, 0},
    {"temperature_shutdown", 95, 0, 1, 0},
    {"temperature_slowdown", 90, 0, 1, 0},
    {"power_mw", 380000, 250000, 300, 0},
    {"power_limit_mw", 700000, 0, 1, 0},
    {"energy_mj", 1e9, 0, 1, 380000},
    {"clock_graphics", 1755, 180, 120, 0},
    {"clock_sm", 1755, 180, 120, 0},
    {"clock_memory", 2619, 0, 1, 0},
    {"clock_video", 1545, 0, 1, 0},
    {"clock_max_graphics", 1980, 0, 1, 0},
    {"clock_max_sm", 1980, 0, 1, 0},
    {"clock_max_memory", 2619, 0, 1, 0},
    {"clock_max_video", 1545, 0, 1, 0},
    {"performance_state", 0, 0, 1, 0},
    {"event_reasons", 4, 0, 1, 0},
    {"fan_speed", 40, 0, 1, 0},
    {"pcie_replays", 0, 0, 1, 0},
    {"pcie_generation", 5, 0, 1, 0},
    {"pcie_width", 16, 0, 1, 0},
    {"persistence_mode", 1, 0, 1, 0},
    {"ecc_corrected_volatile", 0, 0, 1, 0},
    {"ecc_corrected_aggregate", 2, 0, 1, 0},
    {"ecc_uncorrected_volatile", 0, 0, 1, 0},
    {"ecc_uncorrected_aggregate", 0, 0, 1, 0},
    {"remapped_corrected", 0, 0, 1, 0},
    {"remapped_uncorrected", 0, 0, 1, 0},
    {"remapped_pending", 0, 0, 1, 0},
    {"remapped_failure", 0, 0, 1, 0},
    {"mig_mode", 0, 0, 1, 0},
    {"field_74", 5e9, 0, 1, 2e7},
    {"field_76", 0, 0, 1, 0},
    {"field_269", 1e9, 0, 1, 0},
    {"field_270", 0, 0, 1, 0},
    {"field_271", 0, 0, 1, 0},
    {"field_197", 1e12, 0, 1, 2e8},
    {"field_198", 1e12, 0, 1, 3e8},
    {"field_138", 1e9, 0, 1, 1e7},
    {"field_139", 1e9, 0, 1, 1e7},
    {"field_230", 0, 0, 1, 0},
    {"gpm_supported", 1, 0, 1, 0},
    {"gpm", 45, 30, 300, 0},
};

/* The value that was set, or the one that the clock gives. */
static double value_of(const char *key, int gpu) {
    struct rule rule;
    if (find_rule(SET, key, gpu, &rule)) return rule.number;
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        const struct value *value = &VALUES[i];
        if (strcmp(value->key, key)) continue;
        unsigned phase = 17u * gpu + 29u * general().seed + 7u * i;
        double age = wall() - START;
        return value->base + value->per_second * age + value->swing * sin(2 * M_PI * age / value->period + phase);
    }
    fprintf(stderr, "fake NVML: no value '%s'\n", key);
    abort();
}

static void text_of(const char *key, int gpu, char *out, unsigned size) {
    struct rule rule;
    char made[96];
    if (find_rule(TEXT, key, gpu, &rule)) snprintf(made, sizeof made, "%s", rule.text);
    else if (!strcmp(key, "uuid")) snprintf(made, sizeof made, "GPU-fa4e0000-0000-4000-8000-00000000000%d", gpu);
    else if (!strcmp(key, "name")) snprintf(made, sizeof made, "NVIDIA H100 80GB HBM3");
    else if (!strcmp(key, "serial")) snprintf(made, sizeof made, "165432100000%d", gpu);
    else snprintf(made, sizeof made, "96.00.74.00.0%d", gpu);
    snprintf(out, size, "%s", made);
}
#endif
