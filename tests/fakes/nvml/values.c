#include "values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "state.h"

#define START 1767225600.0 /* counters count from 2026-01-01 */

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
    {"temperature_margin", 31, 12, 300, 0},
    {"temperature_memory_max", 95, 0, 1, 0},
    {"temperature_gpu_max", 87, 0, 1, 0},
    {"pcie_throughput_tx", 195000, 0, 1, 0}, /* KB/s */
    {"pcie_throughput_rx", 293000, 0, 1, 0},
    {"compute_mode", 0, 0, 1, 0},
    {"vgpu_license", 0, 0, 1, 0}, /* 0 none is needed, 1 it is missing, 2 it is there */
    {"ecc_mode", 1, 0, 1, 0},
    {"ecc_mode_pending", 1, 0, 1, 0},
    {"mig_mode_pending", 0, 0, 1, 0},
    {"retired_pages_offered", 0, 0, 1, 0}, /* before Ampere */
    {"retired_single_bit", 0, 0, 1, 0},
    {"retired_double_bit", 0, 0, 1, 0},
    {"retired_pending", 0, 0, 1, 0},
    {"remapper_max", 640, 0, 1, 0},
    {"remapper_high", 0, 0, 1, 0},
    {"remapper_partial", 0, 0, 1, 0},
    {"remapper_low", 0, 0, 1, 0},
    {"remapper_none", 0, 0, 1, 0},
    {"sram_aggregate_parity", 0, 0, 1, 0},
    {"sram_aggregate_secded", 0, 0, 1, 0},
    {"sram_aggregate_corrected", 3, 0, 1, 0},
    {"sram_volatile_parity", 0, 0, 1, 0},
    {"sram_volatile_secded", 0, 0, 1, 0},
    {"sram_volatile_corrected", 1, 0, 1, 0},
    {"sram_l2", 0, 0, 1, 0},
    {"sram_sm", 0, 0, 1, 0},
    {"sram_pcie", 0, 0, 1, 0},
    {"sram_mcu", 0, 0, 1, 0},
    {"sram_other", 0, 0, 1, 0},
    {"sram_threshold_exceeded", 0, 0, 1, 0},
    {"nvlink_count", 18, 0, 1, 0},
    {"nvlink_state", 1, 0, 1, 0},
    {"fabric_version", 3, 0, 1, 0}, /* the newest that the driver knows */
    {"fabric_state", 3, 0, 1, 0},
    {"fabric_status", 0, 0, 1, 0},
    {"fabric_health_mask", 0x1aa, 0, 1, 0}, /* all well: every condition false, configuration right */
    {"fabric_health_summary", 1, 0, 1, 0},
    {"field_75", 1e9, 0, 1, 0},
    {"field_77", 0, 0, 1, 0},
    {"field_78", 3e9, 0, 1, 0},
    {"field_79", 0, 0, 1, 0},
    {"field_80", 0, 0, 1, 0},
    {"field_81", 5e9, 0, 1, 2e7},
    {"field_82", 66, 10, 300, 0},
    {"field_161", 0, 0, 1, 0},
    {"field_162", 0, 0, 1, 0},
    {"field_163", 0, 0, 1, 0},
    {"field_173", 0, 0, 1, 0},
    {"field_179", 0, 0, 1, 0},
    {"field_180", 0, 0, 1, 0},
    {"field_186", 385000, 260000, 60, 0},
    {"field_193", -8, 0, 1, 0},
    {"field_194", -2, 0, 1, 0},
    {"field_195", 0, 0, 1, 0},
    {"field_196", 0, 0, 1, 0},
    {"gpm_pcie_tx", 190, 100, 300, 0}, /* MiB/s */
    {"gpm_pcie_rx", 290, 100, 300, 0},
    {"gpm_nvlink_rx", 9000, 8000, 300, 0},
    {"gpm_nvlink_tx", 9000, 8000, 300, 0},
    {"mig_memory_reserved", 64 * MIB, 0, 1, 0},
    {"mig_memory_used", 5000 * MIB, 2000 * MIB, 900, 0},
    {"mig_unnamed", 0, 0, 1, 0},
    {"mig_gpm", 45, 30, 300, 0},
};

double wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static const struct value *find_value(const char *key) {
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++)
        if (!strcmp(VALUES[i].key, key)) return &VALUES[i];
    return NULL;
}

int has_value(const char *key, int gpu) {
    struct rule rule;
    return find_rule(SET, key, gpu, &rule) || find_value(key);
}

double value_of(const char *key, int gpu) {
    struct rule rule;
    if (find_rule(SET, key, gpu, &rule)) return rule.number;
    const struct value *value = find_value(key);
    if (value == NULL) {
        fprintf(stderr, "fake NVML: no value '%s'\n", key);
        abort();
    }
    double age = wall() - START;
    double now = value->base + value->per_second * age;
    if (value->swing == 0) return now;
    unsigned phase = 17u * gpu + 29u * general().seed + 7u * (value - VALUES);
    return now + value->swing * sin(2 * M_PI * age / value->period + phase);
}

double value_at(const char *key, int part, int gpu) {
    struct rule rule;
    char name[64];
    snprintf(name, sizeof name, "%s.%d", key, part);
    return find_rule(SET, name, gpu, &rule) ? rule.number : value_of(key, gpu);
}

void text_of(const char *key, int gpu, char *out, size_t size) {
    struct rule rule;
    if (find_rule(TEXT, key, gpu, &rule)) snprintf(out, size, "%s", rule.text);
    else if (!strcmp(key, "uuid")) snprintf(out, size, "GPU-fa4e0000-0000-4000-8000-00000000000%x", gpu);
    else if (!strcmp(key, "name")) snprintf(out, size, "NVIDIA H100 80GB HBM3");
    else if (!strcmp(key, "serial")) snprintf(out, size, "165432100000%d", gpu);
    else snprintf(out, size, "96.00.74.00.0%d", gpu);
}
