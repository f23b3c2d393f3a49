/* NVLinks and the fabric that they make. */
#include <string.h>

#include "core.h"

#define FABRIC_HEAD unsigned version; unsigned char cluster[16]; unsigned status, clique, state, health_mask
typedef struct { FABRIC_HEAD; } Fabric2;
typedef struct { FABRIC_HEAD; unsigned char health_summary; } Fabric3;

_Static_assert(sizeof(Fabric2) == 36 && sizeof(Fabric3) == 40, "fabric");

API int nvmlDeviceGetNvLinkState(Device device, unsigned link, unsigned *active) {
    ENTER_DEVICE(device);
    if (link >= value_of("nvlink_count", device->index)) return INVALID;
    double state = value_at("nvlink_state", (int)link, device->index);
    if (state < 0) return NOT_SUPPORTED; /* switched off */
    *active = (unsigned)state;
    return SUCCESS;
}

API int nvmlDeviceGetGpuFabricInfoV(Device device, Fabric3 *out) {
    ENTER_DEVICE(device);
    int newest = (int)value_of("fabric_version", device->index);
    int three = out->version == VERSION(Fabric3, 3) && newest >= 3;
    if (!three && (out->version != VERSION(Fabric2, 2) || newest < 2)) return VERSION_MISMATCH;
    memset(out->cluster, 0x11, sizeof out->cluster);
    out->clique = 1;
    out->status = (unsigned)value_of("fabric_status", device->index);
    out->state = (unsigned)value_of("fabric_state", device->index);
    out->health_mask = (unsigned)value_of("fabric_health_mask", device->index);
    if (three) out->health_summary = (unsigned char)value_of("fabric_health_summary", device->index);
    return SUCCESS;
}
