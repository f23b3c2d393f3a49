/* What one GPU answers about itself. */
#include <stdio.h>
#include <string.h>

#include "core.h"

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned long long total, free, used; } Bar1;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } Pci;

_Static_assert(sizeof(Memory2) == 40 && sizeof(Memory) == 24 && sizeof(Utilization) == 8, "memory");
_Static_assert(sizeof(Pci) == 68 && sizeof(Bar1) == 24, "structures");

/* The many calls that answer with one number of one GPU. */
#define GETTER(NAME, TYPE, KEY) \
    API int NAME(Device device, TYPE *out) { \
        ENTER_DEVICE(device); \
        if (out == NULL) return INVALID; \
        *out = (TYPE)value_of(KEY, device->index); \
        return SUCCESS; \
    }

GETTER(nvmlDeviceGetPowerUsage, unsigned, "power_mw")
GETTER(nvmlDeviceGetEnforcedPowerLimit, unsigned, "power_limit_mw")
GETTER(nvmlDeviceGetTotalEnergyConsumption, unsigned long long, "energy_mj")
GETTER(nvmlDeviceGetPerformanceState, unsigned, "performance_state")
GETTER(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long, "event_reasons")
GETTER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long, "event_reasons")
GETTER(nvmlDeviceGetFanSpeed, unsigned, "fan_speed")
GETTER(nvmlDeviceGetPcieReplayCounter, unsigned, "pcie_replays")
GETTER(nvmlDeviceGetCurrPcieLinkGeneration, unsigned, "pcie_generation")
GETTER(nvmlDeviceGetMaxPcieLinkGeneration, unsigned, "pcie_generation")
GETTER(nvmlDeviceGetCurrPcieLinkWidth, unsigned, "pcie_width")
GETTER(nvmlDeviceGetMaxPcieLinkWidth, unsigned, "pcie_width")
GETTER(nvmlDeviceGetPersistenceMode, unsigned, "persistence_mode")

#define TEXT_GETTER(NAME, KEY) \
    API int NAME(Device device, char *out, unsigned size) { \
        ENTER_DEVICE(device); \
        text_of(KEY, device->index, out, size); \
        return SUCCESS; \
    }

TEXT_GETTER(nvmlDeviceGetUUID, "uuid")
TEXT_GETTER(nvmlDeviceGetName, "name")
TEXT_GETTER(nvmlDeviceGetSerial, "serial")
TEXT_GETTER(nvmlDeviceGetVbiosVersion, "vbios_version")

API int nvmlDeviceGetPciInfo_v3(Device device, Pci *out) {
    ENTER_DEVICE(device);
    memset(out, 0, sizeof *out);
    out->bus = 0x10 * (device->index + 1);
    out->id = 0x233010de;
    snprintf(out->legacy, sizeof out->legacy, "0000:%02X:00.0", out->bus);
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02X:00.0", out->bus);
    return SUCCESS;
}

API int nvmlDeviceGetMigMode(Device device, unsigned *now, unsigned *pending) {
    ENTER_DEVICE(device);
    *now = *pending = (unsigned)value_of("mig_mode", device->index);
    return SUCCESS;
}

API int nvmlDeviceGetUtilizationRates(Device device, Utilization *out) {
    ENTER_DEVICE(device);
    if (value_of("mig_mode", device->index)) return NOT_SUPPORTED;
    out->gpu = (unsigned)value_of("utilization", device->index);
    out->memory = (unsigned)value_of("memory_utilization", device->index);
    return SUCCESS;
}

API int nvmlDeviceGetMemoryInfo(Device device, Memory *out) {
    ENTER_DEVICE(device);
    out->total = (unsigned long long)value_of("memory_total", device->index);
    out->used = (unsigned long long)(value_of("memory_used", device->index) + value_of("memory_reserved", device->index));
    out->free = out->total - out->used;
    return SUCCESS;
}

API int nvmlDeviceGetMemoryInfo_v2(Device device, Memory2 *out) {
    ENTER_DEVICE(device);
    if (out->version != VERSION(Memory2, 2)) return VERSION_MISMATCH;
    out->total = (unsigned long long)value_of("memory_total", device->index);
    out->reserved = (unsigned long long)value_of("memory_reserved", device->index);
    out->used = (unsigned long long)value_of("memory_used", device->index);
    out->free = out->total - out->reserved - out->used;
    return SUCCESS;
}

API int nvmlDeviceGetBAR1MemoryInfo(Device device, Bar1 *out) {
    ENTER_DEVICE(device);
    out->total = 131072 * (unsigned long long)MIB;
    out->used = (unsigned long long)value_of("bar1_used", device->index);
    out->free = out->total - out->used;
    return SUCCESS;
}

API int nvmlDeviceGetTemperature(Device device, unsigned sensor, unsigned *out) {
    ENTER_DEVICE(device);
    if (sensor != 0) return INVALID;
    *out = (unsigned)value_of("temperature", device->index);
    return SUCCESS;
}

API int nvmlDeviceGetTemperatureThreshold(Device device, unsigned threshold, unsigned *out) {
    ENTER_DEVICE(device);
    if (threshold > 1) return NOT_SUPPORTED;
    *out = (unsigned)value_of(threshold ? "temperature_slowdown" : "temperature_shutdown", device->index);
    return SUCCESS;
}

static int clock_of(Device device, const char *prefix, unsigned domain, unsigned *out) {
    static const char *const names[] = {"graphics", "sm", "memory", "video"};
    char key[32];
    if (domain > 3) return INVALID;
    snprintf(key, sizeof key, "%s_%s", prefix, names[domain]);
    *out = (unsigned)value_of(key, device->index);
    return SUCCESS;
}

API int nvmlDeviceGetClockInfo(Device device, unsigned domain, unsigned *out) {
    ENTER_DEVICE(device);
    return clock_of(device, "clock", domain, out);
}

API int nvmlDeviceGetMaxClockInfo(Device device, unsigned domain, unsigned *out) {
    ENTER_DEVICE(device);
    return clock_of(device, "clock_max", domain, out);
}

API int nvmlDeviceGetEncoderUtilization(Device device, unsigned *out, unsigned *period) {
    ENTER_DEVICE(device);
    *out = (unsigned)value_of("encoder_utilization", device->index);
    *period = 167000;
    return SUCCESS;
}

API int nvmlDeviceGetDecoderUtilization(Device device, unsigned *out, unsigned *period) {
    ENTER_DEVICE(device);
    *out = (unsigned)value_of("decoder_utilization", device->index);
    *period = 167000;
    return SUCCESS;
}

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
