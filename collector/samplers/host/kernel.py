"""Limits, clock and identity of the kernel."""

import ctypes
import os
from collections.abc import Callable, Iterator

from collector.samplers.host.tree import Roots, number, read_text
from collector.samplers.series_keys import counter, gauge
from collector.series import Sample

_NO_LIMIT = 2**53
"""The kernel writes 2**63 - 1 for no limit; from here on a float does not tell numbers apart."""


class Limits:
    """Open files, how many files and threads there may be, and tasks that hung; a limit that is none is not told."""

    def __init__(self, roots: Roots) -> None:
        self._sys = f"{roots.proc}/sys"

    def __call__(self) -> Iterator[Sample]:
        """The samples."""
        allocated, _, maximum = read_text(f"{self._sys}/fs/file-nr").split()
        yield gauge("filefd_allocated", int(allocated))
        if int(maximum) < _NO_LIMIT:
            yield gauge("filefd_maximum", int(maximum))
        limits = [number(f"{self._sys}/kernel/{name}") for name in ("threads-max", "pid_max")]
        known = [limit for limit in limits if limit is not None]
        if known:
            yield gauge("threads_limit", min(known))
        hung = number(f"{self._sys}/kernel/hung_task_detect_count")
        if hung is not None:  # since Linux 6.13
            yield counter("hung_tasks_total", hung)


class Identity:
    """Which kernel this is."""

    def __init__(self, roots: Roots) -> None:
        self._folder = f"{roots.proc}/sys/kernel"

    def __call__(self) -> Iterator[Sample]:
        """One sample, always 1; the machine's kind is that of this process, which the kernel's files do not tell."""
        release, version = (read_text(f"{self._folder}/{name}").strip() for name in ("osrelease", "version"))
        yield gauge("uname_info", 1, "machine", os.uname().machine, "release", release, "version", version)


class Timex(ctypes.Structure):
    """struct timex of 64-bit Linux (uapi/linux/timex.h)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),
        ("rest", ctypes.c_byte * 128),
    )


AdjTimex = Callable[[Timex], int]


def ask_kernel(state: Timex) -> int:
    """adjtimex(2) without a change: fills in the state, and returns that of the clock.

    Raises:
        OSError: this process may not ask, as under systemd's ProtectClock=.
    """
    library = ctypes.CDLL(None, use_errno=True)
    answer = int(library.adjtimex(ctypes.byref(state)))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


_NANOSECONDS = 0x2000  # STA_NANO: the offset is in nanoseconds, else in microseconds
_LOST = 16_000_000  # the kernel's largest error in microseconds: nobody has told it the time for hours


class TimeSync:
    """Whether the clock is synchronised, and how far it may be off.

    By its error, as systemd-timedated does: chrony without ``rtcsync`` leaves the kernel's own flag unset for ever.

    Args:
        adjtimex: asks the kernel.
    """

    def __init__(self, adjtimex: AdjTimex = ask_kernel) -> None:
        self._adjtimex = adjtimex

    def __call__(self) -> Iterator[Sample]:
        """The samples."""
        state = Timex()
        self._adjtimex(state)
        yield gauge("timex_sync_status", state.maxerror < _LOST)
        yield gauge("timex_offset_seconds", state.offset / (1e9 if state.status & _NANOSECONDS else 1e6))
        yield gauge("timex_maxerror_seconds", state.maxerror / 1e6)
