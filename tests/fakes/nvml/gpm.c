/* GPU performance monitoring: percentages and rates between two samples of the same GPU, or of the same slice. */
#include <stdlib.h>

#include "core.h"

typedef struct { unsigned version, supported; } GpmSupport;
typedef struct { int gpu, instance; double taken; } *Sample;
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

API int nvmlGpmSampleGet(Device device, Sample sample) {
    ENTER_DEVICE(device);
    if (sample == NULL) return INVALID;
    sample->gpu = device->index;
    sample->instance = WHOLE;
    sample->taken = wall();
    return SUCCESS;
}

API int nvmlGpmMetricsGet(GpmMetrics *request) {
    ENTER(EVERY);
    if (request->version != 1) return VERSION_MISMATCH;
    Sample first = request->first, second = request->second;
    if (first->gpu != second->gpu || first->instance != second->instance) return INVALID;
    if (second->taken - first->taken < 0.1) return INVALID;
    for (unsigned i = 0; i < request->count; i++) {
        request->metric[i].result = request->metric[i].id > 13 ? NOT_SUPPORTED : SUCCESS;
        request->metric[i].value = value_of("gpm", first->gpu);
    }
    return SUCCESS;
}
