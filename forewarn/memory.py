"""Keeping the parent small: glibc's allocator holds on to what it does not need unless it is told not to."""

import ctypes
import gc

# malloc.h: all threads share one heap, arrays get pages of their own that go back at once, and so does the heap's end.
# Set by hand, the thresholds stay; left alone, they grow with the largest array that was ever freed.
_OPTIONS = {"M_ARENA_MAX": (-8, 1), "M_MMAP_THRESHOLD": (-3, 128 * 1024), "M_TRIM_THRESHOLD": (-1, 128 * 1024)}


def stay_small() -> None:
    """Tell the allocator to hold on to little; call it before there are threads. Only glibc listens."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _OPTIONS.values():
            mallopt(option, value)


def settle() -> None:
    """What has been built by now stays: collect what does not, and look no more at the rest."""
    gc.collect()
    gc.freeze()
    give_back()


def give_back() -> None:
    """Hand free pages back to the kernel; a millisecond or so."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
