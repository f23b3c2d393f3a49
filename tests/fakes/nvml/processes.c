/* The processes on a GPU. Idle: none, as a driver says it in either protocol. */
#include "core.h"

API int nvmlDeviceGetComputeRunningProcesses_v3(Device device, unsigned *count, void *infos) {
    ENTER_ANY(device);
    (void)infos;
    *count = 0;
    return SUCCESS;
}

API int nvmlDeviceGetProcessUtilization(Device device, void *samples, unsigned *count, unsigned long long since) {
    ENTER_DEVICE(device);
    (void)samples, (void)count, (void)since;
    return NOT_FOUND;
}
