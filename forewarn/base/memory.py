"""Keeping a process small: glibc and the kernel's maps hold on to what it does not need unless they are told not to."""

import contextlib
import ctypes
import gc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# malloc.h: all threads share one heap, arrays get pages of their own that go back at once, and so does the heap's end.
# Set by hand, the thresholds stay; left alone, they grow with the largest array that was ever freed.
_OPTIONS = {"M_ARENA_MAX": (-8, 1), "M_MMAP_THRESHOLD": (-3, 128 * 1024), "M_TRIM_THRESHOLD": (-1, 128 * 1024)}
_MADV_DONTNEED: Final = 4  # mman-common.h
_MAPPING: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+)")


def stay_small() -> None:
    """Tell the allocator to hold on to little; call it before there are threads. Only glibc listens."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _OPTIONS.values():
            mallopt(option, value)


def settle() -> None:
    """What has been built by now stays: collect what does not, and look no more at the rest.

    Of the program's and its libraries' files, most pages were needed by the start only. They leave this process; one
    that is touched again is mapped again from the kernel's cache.
    """
    gc.collect()
    gc.freeze()
    give_back()
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in list(_unwritten_maps()):
        madvise(start, end - start, _MADV_DONTNEED)


def give_back() -> None:
    """Hand free pages back to the kernel; a millisecond or so."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _unwritten_maps() -> Iterator[tuple[int, int]]:
    """Addresses of the maps of files that cannot be written and never were: nothing is lost with their pages."""
    start = end = 0
    with contextlib.suppress(OSError), Path("/proc/self/smaps").open(encoding="utf-8", errors="replace") as maps:
        for line in maps:
            if found := _MAPPING.match(line):
                of_file = found[4] != "0" and "w" not in found[3]
                start, end = (int(found[1], 16), int(found[2], 16)) if of_file else (0, 0)
            elif end and line.startswith("Anonymous:") and line.split()[1] == "0":  # see proc_pid_smaps(5)
                yield start, end
