/* What the GPUs tell of errors in their memories. */
#include <stdio.h>

#include "core.h"

typedef struct { unsigned max, high, partial, low, none; } Histogram;
typedef struct {
    unsigned version;
    unsigned long long aggregate_parity, aggregate_secded, aggregate_corrected;
    unsigned long long volatile_parity, volatile_secded, volatile_corrected;
    unsigned long long l2, sm, pcie, mcu, other;
    unsigned threshold_exceeded;
} Sram;

_Static_assert(sizeof(Histogram) == 20 && sizeof(Sram) == 104, "errors");

API int nvmlDeviceGetTotalEccErrors(Device device, unsigned type, unsigned counter, unsigned long long *out) {
    char key[48];
    ENTER_DEVICE(device);
    if (type > 1 || counter > 1) return INVALID;
    snprintf(key, sizeof key, "ecc_%s_%s", type ? "uncorrected" : "corrected", counter ? "aggregate" : "volatile");
    *out = (unsigned long long)value_of(key, device->index);
    return SUCCESS;
}

API int nvmlDeviceGetRemappedRows(Device device, unsigned *corrected, unsigned *uncorrected, unsigned *pending, unsigned *failure) {
    ENTER_DEVICE(device);
    *corrected = (unsigned)value_of("remapped_corrected", device->index);
    *uncorrected = (unsigned)value_of("remapped_uncorrected", device->index);
    *pending = (unsigned)value_of("remapped_pending", device->index);
    *failure = (unsigned)value_of("remapped_failure", device->index);
    return SUCCESS;
}

API int nvmlDeviceGetRowRemapperHistogram(Device device, Histogram *out) {
    ENTER_DEVICE(device);
    out->max = (unsigned)value_of("remapper_max", device->index);
    out->high = (unsigned)value_of("remapper_high", device->index);
    out->partial = (unsigned)value_of("remapper_partial", device->index);
    out->low = (unsigned)value_of("remapper_low", device->index);
    out->none = (unsigned)value_of("remapper_none", device->index);
    return SUCCESS;
}

API int nvmlDeviceGetSramEccErrorStatus(Device device, Sram *out) {
    static const char *const keys[] = {
        "aggregate_parity", "aggregate_secded", "aggregate_corrected", "volatile_parity", "volatile_secded",
        "volatile_corrected", "l2", "sm", "pcie", "mcu", "other",
    };
    ENTER_DEVICE(device);
    if (out->version != VERSION(Sram, 1)) return VERSION_MISMATCH;
    unsigned long long *const counters = &out->aggregate_parity;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char key[48];
        snprintf(key, sizeof key, "sram_%s", keys[i]);
        counters[i] = (unsigned long long)value_of(key, device->index);
    }
    out->threshold_exceeded = (unsigned)value_of("sram_threshold_exceeded", device->index);
    return SUCCESS;
}

/* The first call, without room, answers how many there are. */
API int nvmlDeviceGetRetiredPages(Device device, unsigned cause, unsigned *count, unsigned long long *addresses) {
    ENTER_DEVICE(device);
    if (cause > 1 || count == NULL) return INVALID;
    if (!value_of("retired_pages_offered", device->index)) return NOT_SUPPORTED;
    unsigned pages = (unsigned)value_of(cause ? "retired_double_bit" : "retired_single_bit", device->index);
    if (*count < pages) {
        *count = pages;
        return TOO_SMALL;
    }
    for (unsigned i = 0; i < pages; i++) addresses[i] = 0x10000ull * i;
    *count = pages;
    return SUCCESS;
}

API int nvmlDeviceGetRetiredPagesPendingStatus(Device device, unsigned *out) {
    ENTER_DEVICE(device);
    if (!value_of("retired_pages_offered", device->index)) return NOT_SUPPORTED;
    *out = (unsigned)value_of("retired_pending", device->index);
    return SUCCESS;
}
