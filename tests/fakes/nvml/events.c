/* Events: XID errors, each delivered once to every set that has registered for its GPU. */
#include <stdlib.h>

#include "core.h"

typedef struct { Device device; unsigned long long type, data; unsigned gi, ci; } EventData;
typedef struct { unsigned registered; long delivered; } *EventSet;

_Static_assert(sizeof(EventData) == 32, "nvmlEventData_t");

API int nvmlEventSetCreate(EventSet *out) {
    ENTER(EVERY);
    *out = calloc(1, sizeof **out);
    (*out)->delivered = xids_before;
    return SUCCESS;
}

API int nvmlEventSetFree(EventSet set) {
    ENTER(EVERY);
    free(set);
    return SUCCESS;
}

API int nvmlDeviceRegisterEvents(Device device, unsigned long long types, EventSet set) {
    ENTER_DEVICE(device);
    if (types & ~0xfull) return NOT_SUPPORTED;
    if (types & 8) set->registered |= 1u << device->index;
    return SUCCESS;
}

static int next_xid(EventSet set, EventData *out) {
    struct rule rule;
    refresh();
    for (int i = 0; find_nth_rule(XID, NULL, ANY, i, &rule); i++) {
        if (rule.serial <= set->delivered) continue;
        set->delivered = rule.serial;
        if (!(set->registered >> rule.gpu & 1)) continue;
        *out = (EventData){handle_of(rule.gpu, WHOLE), 8, (unsigned long long)rule.number, UINT32_MAX, UINT32_MAX};
        return 1;
    }
    return 0;
}

/* A set with a GPU that is lost waits for none of its others either. */
static int lost_one(EventSet set) {
    struct rule rule;
    for (int gpu = 0; gpu < MAX_GPUS; gpu++)
        if (set->registered >> gpu & 1 && find_rule(BROKEN, NULL, gpu, &rule)) return (int)rule.number;
    return SUCCESS;
}

API int nvmlEventSetWait_v2(EventSet set, EventData *out, unsigned timeout_ms) {
    ENTER(EVERY);
    for (double end = wall() + timeout_ms / 1000.0; wall() < end; nap(0.05)) {
        if (next_xid(set, out)) return SUCCESS;
        if (lost_one(set)) return lost_one(set);
    }
    return TIMEOUT;
}
