/* A libnvidia-ml.so.1 for machines without GPUs: the exact ABI of nvml.h (driver 590), up to 8 GPUs of the file that
 * FAKE_NVML_STATE names (see state.h). Version tags are checked as the driver does: a wrong one answers 25. */
#include <stdint.h>
#include <unistd.h>

#include "values.h"

enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, TIMEOUT = 10,
    VERSION_MISMATCH = 25,
};

typedef struct device { int index; unsigned magic; } *Device;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned long long total, free, used; } Bar1;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
typedef union { double d; unsigned ui; unsigned long ul; unsigned long long ull; long long sll; int si; unsigned short us; } Union;
typedef struct { unsigned id, scope; long long timestamp, latency; unsigned type, result; Union value; } FieldValue;
typedef struct { Device device; unsigned long long type, data; unsigned gi, ci; } EventData;
typedef struct { unsigned version, supported; } GpmSupport;
typedef struct { int gpu; double taken; } *Sample;
typedef struct { unsigned id, result; double value; const char *short_name, *long_name, *unit; } GpmMetric;
typedef struct { unsigned version, count; Sample first, second; GpmMetric metric[]; } GpmMetrics;
typedef struct { unsigned registered; long delivered; } *EventSet;

_Static_assert(sizeof(Memory2) == 40 && sizeof(Memory) == 24 && sizeof(Utilization) == 8, "memory");
_Static_assert(sizeof(FieldValue) == 40 && sizeof(Pci) == 68 && sizeof(Bar1) == 24, "structures");
_Static_assert(sizeof(EventData) == 32 && sizeof(GpmSupport) == 8 && sizeof(GpmMetric) == 40, "events and GPM");

#define MAGIC 0x47505521u
static struct device devices[MAX_GPUS];
static int initialised;
static long xids_before;

static void nap(double seconds) {
    struct timespec time = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

/* What happens at the door of every call: it may hang, be slow, or fail. */
static int enter(const char *call, int gpu) {
    struct rule rule;
    while (find_rule(HANG, call, gpu, &rule)) nap(0.02);
    if (find_rule(SLOW, call, gpu, &rule)) nap(rule.number / 1000);
    if (!initialised) return UNINITIALIZED;
    if (general().error) return general().error;
    if (gpu != EVERY && find_rule(BROKEN, NULL, gpu, &rule)) return (int)rule.number;
    if (find_rule(FAIL, call, gpu, &rule)) return (int)rule.number;
    return SUCCESS;
}

static int enter_device(const char *call, Device device) {
    if (device == NULL || device->magic != MAGIC) return initialised ? INVALID : UNINITIALIZED;
    return enter(call, device->index);
}

#define ENTER(gpu) do { int code_ = enter(__func__, gpu); if (code_) return code_; } while (0)
#define ENTER_DEVICE(device) do { int code_ = enter_device(__func__, device); if (code_) return code_; } while (0)

/* The many calls that answer with one number of one GPU. */
#define GETTER(NAME, TYPE, KEY) \
    int NAME(Device device, TYPE *out) { \
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
    int NAME(Device device, char *out, unsigned size) { \
        ENTER_DEVICE(device); \
        text_of(KEY, device->index, out, size); \
        return SUCCESS; \
    }

TEXT_GETTER(nvmlDeviceGetUUID, "uuid")
TEXT_GETTER(nvmlDeviceGetName, "name")
TEXT_GETTER(nvmlDeviceGetSerial, "serial")
TEXT_GETTER(nvmlDeviceGetVbiosVersion, "vbios_version")

static long newest_xid(void) {
    long newest = 0;
    pthread_mutex_lock(&state_lock);
    refresh();
    for (int i = 0; i < current.rules; i++)
        if (current.rule[i].kind == XID && current.rule[i].serial > newest) newest = current.rule[i].serial;
    pthread_mutex_unlock(&state_lock);
    return newest;
}

int nvmlInitWithFlags(unsigned flags) {
    struct rule rule;
    (void)flags;
    while (find_rule(HANG, __func__, EVERY, &rule)) nap(0.02);
    if (general().init) return general().init;
    if (general().error) return general().error;
    for (int i = 0; i < MAX_GPUS; i++) devices[i] = (struct device){i, MAGIC};
    xids_before = newest_xid();
    initialised++;
    return SUCCESS;
}

int nvmlShutdown(void) {
    ENTER(EVERY);
    initialised--;
    return SUCCESS;
}

const char *nvmlErrorString(int code) { return code == 999 ? "Unknown Error" : "an error of the fake"; }

int nvmlSystemGetDriverVersion(char *out, unsigned size) {
    ENTER(EVERY);
    snprintf(out, size, "%s", general().driver_version);
    return SUCCESS;
}

int nvmlSystemGetCudaDriverVersion(int *out) {
    ENTER(EVERY);
    *out = 13010;
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *out) {
    ENTER(EVERY);
    *out = (unsigned)general().gpus;
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device *out) {
    if (initialised && (int)index >= general().gpus) return INVALID;
    ENTER((int)index);
    *out = &devices[index];
    return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(Device device, Pci *out) {
    ENTER_DEVICE(device);
    memset(out, 0, sizeof *out);
    out->bus = 0x10 * (device->index + 1);
    out->id = 0x233010de;
    snprintf(out->legacy, sizeof out->legacy, "0000:%02X:00.0", out->bus);
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02X:00.0", out->bus);
    return SUCCESS;
}

int nvmlDeviceGetMigMode(Device device, unsigned *now, unsigned *pending) {
    ENTER_DEVICE(device);
    *now = *pending = (unsigned)value_of("mig_mode", device->index);
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(Device device, Utilization *out) {
    ENTER_DEVICE(device);
    if (value_of("mig_mode", device->index)) return NOT_SUPPORTED;
    out->gpu = (unsigned)value_of("utilization", device->index);
    out->memory = (unsigned)value_of("memory_utilization", device->index);
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(Device device, Memory *out) {
    ENTER_DEVICE(device);
    out->total = (unsigned long long)value_of("memory_total", device->index);
    out->used = (unsigned long long)(value_of("memory_used", device->index) + value_of("memory_reserved", device->index));
    out->free = out->total - out->used;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(Device device, Memory2 *out) {
    ENTER_DEVICE(device);
    if (out->version != (sizeof *out | 2u << 24)) return VERSION_MISMATCH;
    out->total = (unsigned long long)value_of("memory_total", device->index);
    out->reserved = (unsigned long long)value_of("memory_reserved", device->index);
    out->used = (unsigned long long)value_of("memory_used", device->index);
    out->free = out->total - out->reserved - out->used;
    return SUCCESS;
}

int nvmlDeviceGetBAR1MemoryInfo(Device device, Bar1 *out) {
    ENTER_DEVICE(device);
    out->total = 131072 * (unsigned long long)MIB;
    out->used = (unsigned long long)value_of("bar1_used", device->index);
    out->free = out->total - out->used;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(Device device, unsigned sensor, unsigned *out) {
    ENTER_DEVICE(device);
    if (sensor != 0) return INVALID;
    *out = (unsigned)value_of("temperature", device->index);
    return SUCCESS;
}

int nvmlDeviceGetTemperatureThreshold(Device device, unsigned threshold, unsigned *out) {
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

int nvmlDeviceGetClockInfo(Device device, unsigned domain, unsigned *out) {
    ENTER_DEVICE(device);
    return clock_of(device, "clock", domain, out);
}

int nvmlDeviceGetMaxClockInfo(Device device, unsigned domain, unsigned *out) {
    ENTER_DEVICE(device);
    return clock_of(device, "clock_max", domain, out);
}

int nvmlDeviceGetEncoderUtilization(Device device, unsigned *out, unsigned *period) {
    ENTER_DEVICE(device);
    *out = (unsigned)value_of("encoder_utilization", device->index);
    *period = 167000;
    return SUCCESS;
}

int nvmlDeviceGetDecoderUtilization(Device device, unsigned *out, unsigned *period) {
    ENTER_DEVICE(device);
    *out = (unsigned)value_of("decoder_utilization", device->index);
    *period = 167000;
    return SUCCESS;
}

int nvmlDeviceGetTotalEccErrors(Device device, unsigned type, unsigned counter, unsigned long long *out) {
    char key[48];
    ENTER_DEVICE(device);
    if (type > 1 || counter > 1) return INVALID;
    snprintf(key, sizeof key, "ecc_%s_%s", type ? "uncorrected" : "corrected", counter ? "aggregate" : "volatile");
    *out = (unsigned long long)value_of(key, device->index);
    return SUCCESS;
}

int nvmlDeviceGetRemappedRows(Device device, unsigned *corrected, unsigned *uncorrected, unsigned *pending, unsigned *failure) {
    ENTER_DEVICE(device);
    *corrected = (unsigned)value_of("remapped_corrected", device->index);
    *uncorrected = (unsigned)value_of("remapped_uncorrected", device->index);
    *pending = (unsigned)value_of("remapped_pending", device->index);
    *failure = (unsigned)value_of("remapped_failure", device->index);
    return SUCCESS;
}

static int has_field(unsigned id) {
    static const unsigned known[] = {74, 76, 82, 138, 139, 197, 198, 230, 269, 270, 271};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == id) return 1;
    return 0;
}

int nvmlDeviceGetFieldValues(Device device, int count, FieldValue *values) {
    ENTER_DEVICE(device);
    if (count < 1 || values == NULL) return INVALID;
    for (int i = 0; i < count; i++) {
        FieldValue *field = &values[i];
        struct rule rule;
        char name[32];
        snprintf(name, sizeof name, "%u", field->id);
        field->timestamp = (long long)(wall() * 1e6);
        field->latency = 3;
        if (find_rule(FIELD, name, device->index, &rule)) field->result = (unsigned)rule.number;
        else if (!has_field(field->id)) field->result = NOT_SUPPORTED;
        else if ((field->id == 138 || field->id == 139) && field->scope != UINT32_MAX) field->result = INVALID;
        else {
            snprintf(name, sizeof name, "field_%u", field->id);
            double value = value_of(field->id == 82 ? "memory_temperature" : name, device->index);
            field->result = SUCCESS;
            field->type = field->id == 82 || field->id == 230 ? 1 : 3;
            if (field->type == 1) field->value.ui = (unsigned)value;
            else field->value.ull = (unsigned long long)value;
        }
    }
    return SUCCESS;
}

/* Idle: no process, as a driver says it in either protocol. */
int nvmlDeviceGetComputeRunningProcesses_v3(Device device, unsigned *count, void *infos) {
    ENTER_DEVICE(device);
    (void)infos;
    *count = 0;
    return SUCCESS;
}

int nvmlDeviceGetProcessUtilization(Device device, void *samples, unsigned *count, unsigned long long since) {
    ENTER_DEVICE(device);
    (void)samples, (void)count, (void)since;
    return NOT_FOUND;
}

int nvmlEventSetCreate(EventSet *out) {
    ENTER(EVERY);
    *out = calloc(1, sizeof **out);
    (*out)->delivered = xids_before;
    return SUCCESS;
}

int nvmlEventSetFree(EventSet set) {
    ENTER(EVERY);
    free(set);
    return SUCCESS;
}

int nvmlDeviceRegisterEvents(Device device, unsigned long long types, EventSet set) {
    ENTER_DEVICE(device);
    if (types & ~0xfull) return NOT_SUPPORTED;
    if (types & 8) set->registered |= 1u << device->index;
    return SUCCESS;
}

static int next_xid(EventSet set, EventData *out) {
    int found = 0;
    pthread_mutex_lock(&state_lock);
    refresh();
    for (int i = 0; i < current.rules && !found; i++) {
        const struct rule *rule = &current.rule[i];
        if (rule->kind != XID || rule->serial <= set->delivered) continue;
        set->delivered = rule->serial;
        if (!(set->registered >> rule->gpu & 1)) continue;
        *out = (EventData){&devices[rule->gpu], 8, (unsigned long long)rule->number, UINT32_MAX, UINT32_MAX};
        found = 1;
    }
    pthread_mutex_unlock(&state_lock);
    return found;
}

int nvmlEventSetWait_v2(EventSet set, EventData *out, unsigned timeout_ms) {
    ENTER(EVERY);
    for (double end = wall() + timeout_ms / 1000.0; wall() < end; nap(0.01))
        if (next_xid(set, out)) return SUCCESS;
    return TIMEOUT;
}

int nvmlGpmQueryDeviceSupport(Device device, GpmSupport *out) {
    ENTER_DEVICE(device);
    if (out->version != 1) return VERSION_MISMATCH;
    out->supported = value_of("gpm_supported", device->index) != 0;
    return SUCCESS;
}

int nvmlGpmSampleAlloc(Sample *out) {
    ENTER(EVERY);
    *out = calloc(1, sizeof **out);
    return SUCCESS;
}

int nvmlGpmSampleFree(Sample sample) {
    ENTER(EVERY);
    free(sample);
    return SUCCESS;
}

int nvmlGpmSampleGet(Device device, Sample sample) {
    ENTER_DEVICE(device);
    if (sample == NULL) return INVALID;
    sample->gpu = device->index;
    sample->taken = wall();
    return SUCCESS;
}

int nvmlGpmMetricsGet(GpmMetrics *request) {
    ENTER(EVERY);
    if (request->version != 1) return VERSION_MISMATCH;
    if (request->first->gpu != request->second->gpu) return INVALID;
    if (request->second->taken - request->first->taken < 0.1) return INVALID;
    for (unsigned i = 0; i < request->count; i++) {
        request->metric[i].result = request->metric[i].id > 13 ? NOT_SUPPORTED : SUCCESS;
        request->metric[i].value = value_of("gpm", request->first->gpu);
    }
    return SUCCESS;
}
