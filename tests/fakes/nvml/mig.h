/* The slices of a GPU. */
#ifndef FAKE_MIG_H
#define FAKE_MIG_H

#include "abi.h"

struct slice { int instance, compute, slices, compute_slices, gib; char profile[64]; };

/* What a MIG device is now; NOT_FOUND where it has been taken away. */
int slice_of(Device device, struct slice *out);

#endif
