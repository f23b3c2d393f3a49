/* MIG: the slices that "mig" instructions make, and what whole GPUs and slices answer alike. */
#include "mig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;
typedef struct {
    unsigned multiprocessors, copies, decoders, encoders, jpegs, ofas, instance_slices, compute_slices;
    unsigned long long memory_mib;
} Attributes;

_Static_assert(sizeof(Memory2) == 40 && sizeof(Memory) == 24 && sizeof(Attributes) == 40, "memory");

int slice_of(Device device, struct slice *out) {
    struct rule rule;
    if (device->slice == WHOLE || !value_of("mig_mode", device->index)) return NOT_FOUND;
    if (!find_nth_rule(MIG, NULL, device->index, device->slice, &rule)) return NOT_FOUND;
    *out = (struct slice){.instance = (int)rule.number, .compute = (int)rule.serial};
    snprintf(out->profile, sizeof out->profile, "%s", rule.name);
    const char *whole = strchr(rule.name, 'c') ? strchr(rule.name, '.') + 1 : rule.name;
    sscanf(whole, "%dg.%dgb", &out->slices, &out->gib);
    out->compute_slices = whole == rule.name ? out->slices : atoi(rule.name);
    return SUCCESS;
}

API int nvmlDeviceGetMigMode(Device device, unsigned *now, unsigned *pending) {
    struct rule rule;
    ENTER_DEVICE(device);
    *now = (unsigned)value_of("mig_mode", device->index);
    *pending = find_rule(SET, "mig_mode_pending", device->index, &rule) ? (unsigned)rule.number : *now;
    return SUCCESS;
}

API int nvmlDeviceGetMaxMigDeviceCount(Device device, unsigned *out) {
    ENTER_DEVICE(device);
    *out = 7;
    return SUCCESS;
}

API int nvmlDeviceGetMigDeviceHandleByIndex(Device device, unsigned index, Device *out) {
    struct slice slice;
    ENTER_DEVICE(device);
    if (index >= 7) return INVALID;
    Device found = handle_of(device->index, (int)index);
    int code = slice_of(found, &slice);
    if (code == SUCCESS) *out = found;
    return code;
}

API int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Device device, Device *out) {
    ENTER_ANY(device);
    *out = handle_of(device->index, WHOLE);
    return SUCCESS;
}

#define ENTER_SLICE(device, out_slice) \
    do { \
        ENTER_ANY(device); \
        if ((device)->slice == WHOLE) return INVALID; \
        int code_ = slice_of(device, out_slice); \
        if (code_) return code_; \
    } while (0)

API int nvmlDeviceGetGpuInstanceId(Device device, unsigned *out) {
    struct slice slice;
    ENTER_SLICE(device, &slice);
    *out = (unsigned)slice.instance;
    return SUCCESS;
}

API int nvmlDeviceGetComputeInstanceId(Device device, unsigned *out) {
    struct slice slice;
    ENTER_SLICE(device, &slice);
    *out = (unsigned)slice.compute;
    return SUCCESS;
}

API int nvmlDeviceGetAttributes_v2(Device device, Attributes *out) {
    struct slice slice;
    ENTER_SLICE(device, &slice);
    memset(out, 0, sizeof *out);
    out->instance_slices = (unsigned)slice.slices;
    out->compute_slices = (unsigned)slice.compute_slices;
    out->memory_mib = 1024ull * slice.gib - 128;
    return SUCCESS;
}

API int nvmlDeviceGetUUID(Device device, char *out, unsigned size) {
    struct slice slice;
    char whole[80];
    ENTER_ANY(device);
    text_of("uuid", device->index, whole, sizeof whole);
    if (device->slice == WHOLE) return snprintf(out, size, "%s", whole), SUCCESS;
    int code = slice_of(device, &slice);
    if (code == SUCCESS) snprintf(out, size, "MIG-%s/%d/%d", whole, slice.instance, slice.compute);
    return code;
}

/* Newer drivers name the profile after the GPU; "mig_unnamed" makes this an older one. */
API int nvmlDeviceGetName(Device device, char *out, unsigned size) {
    struct slice slice;
    char whole[64];
    ENTER_ANY(device);
    text_of("name", device->index, whole, sizeof whole);
    int named = device->slice != WHOLE && !value_of("mig_unnamed", device->index);
    if (!named) return snprintf(out, size, "%s", whole), SUCCESS;
    int code = slice_of(device, &slice);
    if (code == SUCCESS) snprintf(out, size, "%s MIG %s", whole, slice.profile);
    return code;
}

static int memory_of(Device device, Memory2 *out) {
    struct slice slice;
    if (device->slice == WHOLE) {
        out->total = (unsigned long long)value_of("memory_total", device->index);
        out->reserved = (unsigned long long)value_of("memory_reserved", device->index);
        out->used = (unsigned long long)value_of("memory_used", device->index);
    } else {
        int code = slice_of(device, &slice);
        if (code) return code;
        out->total = 1024 * (unsigned long long)MIB * slice.gib;
        out->reserved = (unsigned long long)value_at("mig_memory_reserved", slice.instance, device->index);
        out->used = (unsigned long long)value_at("mig_memory_used", slice.instance, device->index);
    }
    out->free = out->total - out->reserved - out->used;
    return SUCCESS;
}

API int nvmlDeviceGetMemoryInfo_v2(Device device, Memory2 *out) {
    ENTER_ANY(device);
    if (out->version != VERSION(Memory2, 2)) return VERSION_MISMATCH;
    return memory_of(device, out);
}

/* Version 1 counts what is reserved as used. */
API int nvmlDeviceGetMemoryInfo(Device device, Memory *out) {
    Memory2 all;
    ENTER_ANY(device);
    int code = memory_of(device, &all);
    if (code == SUCCESS) *out = (Memory){all.total, all.free, all.used + all.reserved};
    return code;
}
