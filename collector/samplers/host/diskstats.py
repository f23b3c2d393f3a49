"""Work of the block devices: /proc/diskstats."""

import math
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from collector.samplers.host.tree import Roots, names_in, read_text
from collector.samplers.series_keys import counter, gauge
from collector.series import Sample

_SECTORS = 1 / 512
_MILLISECONDS = 1000.0
# Columns after the device's name, and how many of their unit make one of ours (kernel: admin-guide/iostats.rst).
_COLUMNS = (
    (0, "disk_reads_completed_total", 1.0),
    (2, "disk_read_bytes_total", _SECTORS),
    (3, "disk_read_time_seconds_total", _MILLISECONDS),
    (4, "disk_writes_completed_total", 1.0),
    (6, "disk_written_bytes_total", _SECTORS),
    (7, "disk_write_time_seconds_total", _MILLISECONDS),
    (9, "disk_io_time_seconds_total", _MILLISECONDS),
    (10, "disk_io_time_weighted_seconds_total", _MILLISECONDS),
)
_BUSY = 9


class Disks:
    """Operations, bytes and times of whole disks, not of their partitions.

    Args:
        roots: where /proc and /sys are.
        ignored: patterns of devices to leave out.
        monotonic: seconds, for the busy part of the time between two reads.
    """

    def __init__(self, roots: Roots, ignored: Sequence[str], monotonic: Callable[[], float]) -> None:
        self._path = f"{roots.proc}/diskstats"
        self._folder = f"{roots.sys}/block"
        self._ignored = tuple(ignored)
        self._monotonic = monotonic
        self._seen: frozenset[str] = frozenset()
        self._chosen: frozenset[str] = frozenset()
        self._before: dict[str, float] = {}
        self._read_at: float | None = None

    def __call__(self) -> Iterator[Sample]:
        """The samples; the busy ratio is there from the second read on."""
        rows = {row[2]: row[3:] for row in map(str.split, read_text(self._path).splitlines()) if len(row) >= 14}
        self._choose(frozenset(rows))
        now, then = self._monotonic(), self._read_at
        busy: dict[str, float] = {}
        for device in sorted(self._chosen):
            row = rows[device]
            for column, name, parts in _COLUMNS:
                yield counter(name, int(row[column]) / parts, "device", device)
            busy[device] = int(row[_BUSY]) / _MILLISECONDS
            spent = busy[device] - self._before.get(device, math.inf)
            if then is not None and now > then and spent >= 0:
                yield gauge("disk_utilization_ratio", min(spent / (now - then), 1.0), "device", device)
        self._before, self._read_at = busy, now

    def _choose(self, seen: frozenset[str]) -> None:
        if seen == self._seen:
            return
        whole = {name.replace("!", "/") for name in names_in(self._folder)}  # cciss/c0d0 is cciss!c0d0 in /sys
        self._seen = seen
        self._chosen = frozenset(
            name for name in seen & whole if not any(fnmatchcase(name, pattern) for pattern in self._ignored)
        )
