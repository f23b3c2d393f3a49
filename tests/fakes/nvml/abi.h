/* The binary interface of nvml.h (driver 590): return codes and structures that more than one file uses. */
#ifndef FAKE_ABI_H
#define FAKE_ABI_H

#include <stdint.h>

#define API __attribute__((visibility("default")))

enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, TOO_SMALL = 7,
    DRIVER_NOT_LOADED = 9, TIMEOUT = 10, GPU_IS_LOST = 15, VERSION_MISMATCH = 25, UNKNOWN = 999,
};

/* A GPU, or where slice is not WHOLE, one of its MIG devices. */
typedef struct device { int index, slice; unsigned magic; } *Device;

#define WHOLE -1
#define VERSION(type, number) (sizeof(type) | (unsigned)(number) << 24)

#endif
