/* Process lists and the utilisation of each process, as drivers give them: a first call without room answers how much
 * is needed, and nothing at all is told as success (lists) or as "not found" (utilisation).
 *
 * Read at every call from the file FAKE_NVML_STATE.processes, one process a line:
 *   GPU KIND PID MEMORY SM INSTANCE
 * KIND is C, G or M, MEMORY bytes or -1 (the driver does not tell), SM percent, INSTANCE a GPU instance or -1. A line
 * "scrambled" makes the driver write entries of 32 bytes where 24 are expected, as 535.43 to 535.86 did; "empty" makes
 * it tell of no utilisation by success, as some drivers do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "mig.h"

#define MAX_PROCESSES 64

typedef struct { unsigned pid; unsigned long long memory; unsigned gi, ci; } ProcessInfo;
typedef struct { ProcessInfo info; unsigned long long protected_memory; } LongProcessInfo;
typedef struct { unsigned pid; unsigned long long timestamp; unsigned sm, memory, encoder, decoder; } ProcessSample;

_Static_assert(sizeof(ProcessInfo) == 24 && sizeof(LongProcessInfo) == 32 && sizeof(ProcessSample) == 32, "processes");

struct process { char kind; unsigned sm; ProcessInfo info; };
struct listing { int count, scrambled, empty; struct process process[MAX_PROCESSES]; };

static struct listing processes_of(int gpu) {
    struct listing found = {0};
    const char *state = getenv("FAKE_NVML_STATE");
    char path[512], line[160];
    if (state == NULL) return found;
    snprintf(path, sizeof path, "%s.processes", state);
    FILE *file = fopen(path, "r");
    if (file == NULL) return found;
    while (fgets(line, sizeof line, file) && found.count < MAX_PROCESSES) {
        struct process *process = &found.process[found.count];
        int index, instance;
        long long memory;
        if (!strcmp(line, "scrambled\n")) found.scrambled = 1;
        if (!strcmp(line, "empty\n")) found.empty = 1;
        if (sscanf(line, "%d %c %u %lld %u %d", &index, &process->kind, &process->info.pid, &memory, &process->sm,
                   &instance) != 6 || index != gpu) continue;
        process->info.memory = (unsigned long long)memory;
        process->info.gi = process->info.ci = instance < 0 ? UINT32_MAX : (unsigned)instance;
        found.count++;
    }
    fclose(file);
    return found;
}

static int list_processes(Device device, char kind, unsigned *room, ProcessInfo *out) {
    struct listing listing = processes_of(device->index);
    struct slice slice = {.instance = WHOLE};
    int code = device->slice == WHOLE ? SUCCESS : slice_of(device, &slice);
    if (code) return code;
    ProcessInfo found[MAX_PROCESSES];
    LongProcessInfo longer[MAX_PROCESSES] = {0};
    unsigned count = 0;
    for (int i = 0; i < listing.count; i++)
        if (listing.process[i].kind == kind && (slice.instance == WHOLE || (int)listing.process[i].info.gi == slice.instance))
            longer[count].info = found[count] = listing.process[i].info, count++;
    unsigned given = *room;
    *room = count;
    if (count == 0) return SUCCESS;
    if (given < count || out == NULL) return TOO_SMALL;
    size_t room_bytes = given * sizeof *out, bytes = count * (listing.scrambled ? sizeof *longer : sizeof *found);
    memcpy(out, listing.scrambled ? (void *)longer : found, bytes < room_bytes ? bytes : room_bytes);
    return SUCCESS;
}

API int nvmlDeviceGetComputeRunningProcesses_v3(Device device, unsigned *count, ProcessInfo *infos) {
    ENTER_ANY(device);
    return list_processes(device, 'C', count, infos);
}

API int nvmlDeviceGetGraphicsRunningProcesses_v3(Device device, unsigned *count, ProcessInfo *infos) {
    ENTER_ANY(device);
    return list_processes(device, 'G', count, infos);
}

API int nvmlDeviceGetMPSComputeRunningProcesses_v3(Device device, unsigned *count, ProcessInfo *infos) {
    ENTER_ANY(device);
    return list_processes(device, 'M', count, infos);
}

API int nvmlDeviceGetProcessUtilization(Device device, ProcessSample *samples, unsigned *count, unsigned long long since) {
    ENTER_DEVICE(device);
    struct listing listing = processes_of(device->index);
    unsigned long long now = (unsigned long long)(wall() * 1e6);
    unsigned busy = 0, given = *count;
    if (value_of("mig_mode", device->index)) return NOT_SUPPORTED;
    if (listing.empty) return *count = 0, SUCCESS;
    for (int i = 0; i < listing.count; i++) busy += listing.process[i].sm > 0;
    *count = busy;
    if (busy == 0 || since >= now) return NOT_FOUND;
    if (samples == NULL || given < busy) return TOO_SMALL;
    for (int i = 0, at = 0; i < listing.count; i++)
        if (listing.process[i].sm > 0)
            samples[at++] = (ProcessSample){listing.process[i].info.pid, now, listing.process[i].sm, 0, 0, 0};
    return SUCCESS;
}
