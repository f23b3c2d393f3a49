/* What one GPU answers about itself. */
#include <stdio.h>
#include <string.h>

#include "core.h"

typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned long long total, free, used; } Bar1;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
typedef struct { unsigned version; int margin; } Margin;

typedef struct {
    unsigned code, state;
    char info[128], product[128];
    unsigned enabled;
    struct { uint32_t year; uint16_t month, day, hour, minute, second; uint8_t status; } expiry;
} Feature;
typedef struct { int supported; unsigned count; Feature features[3]; } Features;

_Static_assert(sizeof(Features) == 860, "structures");
_Static_assert(sizeof(Pci) == 68 && sizeof(Bar1) == 24 && sizeof(Utilization) == 8 && sizeof(Margin) == 8, "structures");

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
GETTER(nvmlDeviceGetComputeMode, unsigned, "compute_mode")

#define TEXT_GETTER(NAME, KEY) \
    API int NAME(Device device, char *out, unsigned size) { \
        ENTER_DEVICE(device); \
        text_of(KEY, device->index, out, size); \
        return SUCCESS; \
    }

TEXT_GETTER(nvmlDeviceGetSerial, "serial")
TEXT_GETTER(nvmlDeviceGetVbiosVersion, "vbios_version")

API int nvmlDeviceGetPciInfo_v3(Device device, Pci *out) {
    ENTER_DEVICE(device);
    memset(out, 0, sizeof *out);
    out->bus = 0x10 * (device->index % 8 + 1) + device->index / 8;
    out->id = 0x233010de;
    snprintf(out->legacy, sizeof out->legacy, "0000:%02X:00.0", out->bus);
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02X:00.0", out->bus);
    return SUCCESS;
}

API int nvmlDeviceGetUtilizationRates(Device device, Utilization *out) {
    ENTER_DEVICE(device);
    if (value_of("mig_mode", device->index)) return NOT_SUPPORTED;
    out->gpu = (unsigned)value_of("utilization", device->index);
    out->memory = (unsigned)value_of("memory_utilization", device->index);
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
    static const char *const keys[] = {
        "temperature_shutdown", "temperature_slowdown", "temperature_memory_max", "temperature_gpu_max",
    };
    ENTER_DEVICE(device);
    if (threshold >= sizeof keys / sizeof *keys) return NOT_SUPPORTED;
    *out = (unsigned)value_of(keys[threshold], device->index);
    return SUCCESS;
}

API int nvmlDeviceGetMarginTemperature(Device device, Margin *out) {
    ENTER_DEVICE(device);
    if (out->version != VERSION(Margin, 1)) return VERSION_MISMATCH;
    out->margin = (int)value_of("temperature_margin", device->index);
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
    if (value_of("mig_mode", device->index)) return NOT_SUPPORTED;
    *out = (unsigned)value_of("encoder_utilization", device->index);
    *period = 167000;
    return SUCCESS;
}

API int nvmlDeviceGetDecoderUtilization(Device device, unsigned *out, unsigned *period) {
    ENTER_DEVICE(device);
    if (value_of("mig_mode", device->index)) return NOT_SUPPORTED;
    *out = (unsigned)value_of("decoder_utilization", device->index);
    *period = 167000;
    return SUCCESS;
}

/* The driver measures for 20 ms. */
API int nvmlDeviceGetPcieThroughput(Device device, unsigned counter, unsigned *out) {
    ENTER_DEVICE(device);
    if (counter > 1) return INVALID;
    nap(0.02);
    *out = (unsigned)value_of(counter ? "pcie_throughput_rx" : "pcie_throughput_tx", device->index);
    return SUCCESS;
}

API int nvmlDeviceGetEccMode(Device device, unsigned *now, unsigned *pending) {
    ENTER_DEVICE(device);
    *now = (unsigned)value_of("ecc_mode", device->index);
    *pending = (unsigned)value_of("ecc_mode_pending", device->index);
    return SUCCESS;
}

API int nvmlDeviceGetGridLicensableFeatures_v4(Device device, Features *out) {
    ENTER_DEVICE(device);
    if (out == NULL) return INVALID;
    int license = (int)value_of("vgpu_license", device->index);
    memset(out, 0, sizeof *out);
    out->supported = license > 0;
    out->count = license > 0;
    out->features[0].code = 1; /* vGPU */
    out->features[0].state = license > 1;
    return SUCCESS;
}
