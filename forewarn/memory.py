"""Keeping the parent small: glibc's allocator holds on to what it does not need unless it is told not to."""

import ctypes
import gc

_M_ARENA_MAX = -8  # malloc.h


def one_arena() -> None:
    """Let all threads share one heap; call it before there are any. Nothing happens on another C library."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


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
