"""What the daemon says of itself, as a source like any other."""

import platform
from collections.abc import Callable, Iterable, Sequence

import psutil

from collector.series import Sample, SeriesKey
from forewarn import __version__
from forewarn.supervise import Child

Reading = Callable[[], Iterable[Sample]]


class SelfSource:
    """The parent process, its children, and what the rooms hand in."""

    name = "self"

    def __init__(self, children: Sequence[Child], readings: Sequence[Reading]) -> None:
        self._children = children
        self._readings = readings
        self._process = psutil.Process()

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
        with self._process.oneshot():
            times = self._process.cpu_times()
            yield Sample(SeriesKey("process_cpu_seconds_total"), times.user + times.system, counter=True)
            yield Sample(SeriesKey("process_resident_memory_bytes"), float(self._process.memory_info().rss))
            yield Sample(SeriesKey("process_open_fds"), float(self._process.num_fds()))
            yield Sample(SeriesKey("process_start_time_seconds"), self._process.create_time())


def _of_child(child: Child) -> list[Sample]:
    name = child.spec.name
    restarts = Sample(SeriesKey.of("forewarn_child_restarts_total", child=name), float(child.restarts), counter=True)
    if child.finished or child.held:
        return [restarts]
    return [restarts, Sample(SeriesKey.of("forewarn_child_up", child=name), float(child.up))]
