"""What the daemon says of itself, as a source like any other."""

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import psutil

from collector.series import Sample, SeriesKey
from forewarn import __version__
from forewarn.supervise import Child

Reading = Callable[[], Iterable[Sample]]

_CPU: Final = SeriesKey("process_cpu_seconds_total")
_RESIDENT: Final = SeriesKey("process_resident_memory_bytes")
_FDS: Final = SeriesKey("process_open_fds")
_STATM: Final = Path("/proc/self/statm")  # proc_pid_statm(5); psutil reads four files and parses them for this
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class SelfSource:
    """The parent process, its children, and what the rooms hand in."""

    name = "self"

    def __init__(self, children: Iterable[Child], readings: Sequence[Reading]) -> None:
        self._children = children
        self._readings = readings
        self._started = Sample(SeriesKey("process_start_time_seconds"), psutil.Process().create_time())

    async def collect(self) -> Sequence[Sample]:
        """This round's samples."""
        samples = [*self._build(), *self._of_process()]
        for child in self._children:
            samples += _of_child(child)
        for reading in self._readings:
            samples += reading()
        return samples

    async def close(self) -> None:
        """Nothing to let go of."""

    def _build(self) -> Iterable[Sample]:
        key = SeriesKey.of("forewarn_build_info", version=__version__, python=platform.python_version())
        yield Sample(key, 1.0)

    def _of_process(self) -> Iterable[Sample]:
        times = os.times()
        yield Sample(_CPU, times.user + times.system, counter=True)
        yield Sample(_RESIDENT, float(int(_STATM.read_text().split()[1]) * _PAGE_BYTES))
        yield Sample(_FDS, float(len(os.listdir("/proc/self/fd")) - 1))  # noqa: PTH208  no Path for each; one is this look's own
        yield self._started


def _of_child(child: Child) -> list[Sample]:
    name = child.spec.name
    restarts = Sample(SeriesKey.of("forewarn_child_restarts_total", child=name), float(child.restarts), counter=True)
    if child.finished or child.held:
        return [restarts]
    return [restarts, Sample(SeriesKey.of("forewarn_child_up", child=name), float(child.up))]
