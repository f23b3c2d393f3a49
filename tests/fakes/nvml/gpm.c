/* GPU performance monitoring: percentages and rates between two samples of the same GPU, or of the same slice. */
#include <stdlib.h>

#include "core.h"
#include "mig.h"

typedef struct { unsigned version, supported; } GpmSupport;
typedef struct sample { int gpu, instance; double taken; } *Sample;
typedef struct { unsigned id, result; double value; const char *short_name, *long_name, *unit; } GpmMetric;
typedef struct { unsigned version, count; Sample first, second; GpmMetric metric[]; } GpmMetrics;

_Static_assert(sizeof(GpmSupport) == 8 && sizeof(GpmMetric) == 40, "GPM");

API int nvmlGpmQueryDeviceSupport(Device device, GpmSupport *out) {
    ENTER_DEVICE(device);
    if (out->version != 1) return VERSION_MISMATCH;
    out->supported = value_of("gpm_supported", device->index) != 0;
    return SUCCESS;
}

API int nvmlGpmSampleAlloc(Sample *out) {
    ENTER(EVERY);
    *out = calloc(1, sizeof **out);
    return SUCCESS;
}

API int nvmlGpmSampleFree(Sample sample) {
    ENTER(EVERY);
    free(sample);
    return SUCCESS;
}

static void take(Sample sample, int gpu, int instance) {
    *sample = (struct sample){gpu, instance, wall()};
}

API int nvmlGpmSampleGet(Device device, Sample sample) {
    ENTER_DEVICE(device);
    if (sample == NULL) return INVALID;
    if (value_of("mig_mode", device->index)) return NOT_SUPPORTED;
    take(sample, device->index, WHOLE);
    return SUCCESS;
}

API int nvmlGpmMigSampleGet(Device device, unsigned instance, Sample sample) {
    struct slice slice;
    ENTER_DEVICE(device);
    if (sample == NULL) return INVALID;
    for (int i = 0; slice_of(handle_of(device->index, i), &slice) == SUCCESS; i++) {
        if (slice.instance != (int)instance) continue;
        take(sample, device->index, slice.instance);
        return SUCCESS;
    }
    return NOT_FOUND;
}

/* The value of a metric; those of links are the whole GPU's only. */
static int measure(unsigned id, const struct sample *sample, double *out) {
    if (id >= 1 && id <= 13) {
        *out = sample->instance == WHOLE ? value_of("gpm", sample->gpu)
                                         : value_at("mig_gpm", sample->instance, sample->gpu);
        return SUCCESS;
    }
    const char *key = id == 20 ? "gpm_pcie_tx" : id == 21 ? "gpm_pcie_rx"
                    : id == 60 ? "gpm_nvlink_rx" : id == 61 ? "gpm_nvlink_tx" : NULL;
    if (key == NULL || sample->instance != WHOLE) return NOT_SUPPORTED;
    *out = value_of(key, sample->gpu);
    return SUCCESS;
}

API int nvmlGpmMetricsGet(GpmMetrics *request) {
    ENTER(request && request->first ? request->first->gpu : EVERY);
    if (request->version != 1) return VERSION_MISMATCH;
    Sample first = request->first, second = request->second;
    if (first == NULL || second == NULL) return INVALID;
    if (first->gpu != second->gpu || first->instance != second->instance) return INVALID;
    if (second->taken - first->taken < 0.1) return INVALID;
    for (unsigned i = 0; i < request->count; i++)
        request->metric[i].result = (unsigned)measure(request->metric[i].id, first, &request->metric[i].value);
    return SUCCESS;
}
