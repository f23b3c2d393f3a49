/* A libnvidia-ml.so.1 for machines without GPUs: the exact ABI of nvml.h (driver 590), up to 16 GPUs of the file that
 * FAKE_NVML_STATE names (see state.h). Version tags are checked as the driver does: a wrong one answers 25. */
#include "core.h"

#include <stdio.h>
#include <time.h>

#define MAGIC 0x47505521u
#define MAX_SLICES 8

static struct device devices[MAX_GPUS][MAX_SLICES + 1];
static int open_count;
long xids_before;

void nap(double seconds) {
    struct timespec time = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

int initialised(void) { return open_count > 0; }

static void wait_while_hung(const char *call, int gpu) {
    struct rule rule;
    refresh();
    while (find_rule(HANG, call, gpu, &rule)) {
        nap(0.02);
        refresh();
    }
}

int enter(const char *call, int gpu) {
    struct rule rule;
    wait_while_hung(call, gpu);
    if (find_rule(SLOW, call, gpu, &rule)) nap(rule.number / 1000);
    if (!initialised()) return UNINITIALIZED;
    if (general().error) return general().error;
    if (gpu != EVERY && find_rule(BROKEN, NULL, gpu, &rule)) return (int)rule.number;
    if (find_rule(FAIL, call, gpu, &rule)) return (int)rule.number;
    return SUCCESS;
}

int enter_any(const char *call, Device device) {
    if (device == NULL || device->magic != MAGIC) return initialised() ? INVALID : UNINITIALIZED;
    return enter(call, device->index);
}

int enter_device(const char *call, Device device) {
    int code = enter_any(call, device);
    return code ? code : device->slice == WHOLE ? SUCCESS : INVALID;
}

Device handle_of(int gpu, int slice) { return &devices[gpu][slice - WHOLE]; }

long newest_xid(void) {
    struct rule rule;
    long newest = 0;
    for (int i = 0; find_nth_rule(XID, NULL, ANY, i, &rule); i++)
        if (rule.serial > newest) newest = rule.serial;
    return newest;
}

API int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    wait_while_hung(__func__, EVERY);
    if (general().init) return general().init;
    if (general().error) return general().error;
    for (int gpu = 0; gpu < MAX_GPUS; gpu++)
        for (int slice = WHOLE; slice < MAX_SLICES; slice++)
            devices[gpu][slice - WHOLE] = (struct device){gpu, slice, MAGIC};
    xids_before = newest_xid();
    open_count++;
    return SUCCESS;
}

API int nvmlShutdown(void) {
    ENTER(EVERY);
    open_count--;
    return SUCCESS;
}

API const char *nvmlErrorString(int code) { return code == UNKNOWN ? "Unknown Error" : "an error of the fake"; }

API int nvmlSystemGetDriverVersion(char *out, unsigned size) {
    ENTER(EVERY);
    snprintf(out, size, "%s", general().driver_version);
    return SUCCESS;
}

API int nvmlSystemGetCudaDriverVersion(int *out) {
    ENTER(EVERY);
    *out = 13010;
    return SUCCESS;
}

API int nvmlDeviceGetCount_v2(unsigned *out) {
    ENTER(EVERY);
    *out = (unsigned)general().gpus;
    return SUCCESS;
}

API int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device *out) {
    if (initialised() && (int)index >= general().gpus) return INVALID;
    ENTER((int)index);
    *out = handle_of((int)index, WHOLE);
    return SUCCESS;
}
