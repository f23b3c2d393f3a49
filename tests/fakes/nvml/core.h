/* What every call begins with, and the handles. */
#ifndef FAKE_CORE_H
#define FAKE_CORE_H

#include "abi.h"
#include "state.h"
#include "values.h"

void nap(double seconds);

/* What happens at the door of a call: it may hang, be slow, or fail. Returns the code to answer with, or SUCCESS. */
int enter(const char *call, int gpu);

/* The same for a call about a GPU; a handle that is none, or that of a MIG device, is an invalid argument. */
int enter_device(const char *call, Device device);

/* The same for the calls that take the handle of a MIG device too. */
int enter_any(const char *call, Device device);

/* The handle of a GPU, or of its n-th MIG device. */
Device handle_of(int gpu, int slice);

int initialised(void);

#define ENTER(gpu) do { int code_ = enter(__func__, gpu); if (code_) return code_; } while (0)
#define ENTER_DEVICE(device) do { int code_ = enter_device(__func__, device); if (code_) return code_; } while (0)
#define ENTER_ANY(device) do { int code_ = enter_any(__func__, device); if (code_) return code_; } while (0)

/* The serial of the newest XID at the last initialisation: older ones are not delivered. */
extern long xids_before;
long newest_xid(void);

#endif
