"""Processors, load and pressure: /proc/stat, /proc/loadavg, /proc/pressure."""

import os
from collections.abc import Iterator, Sequence

from collector.samplers.host.tree import Roots, read_text, word
from collector.samplers.series_keys import counter, gauge
from collector.series import Sample

MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_IDLE, _IOWAIT = MODES.index("idle"), MODES.index("iowait")
_TAKEN_BACK = 3.0  # seconds, as node_exporter allows
_LINES = {
    "ctxt": "context_switches_total",
    "processes": "forks_total",
    "procs_running": "procs_running",
    "procs_blocked": "procs_blocked",
    "btime": "boot_time_seconds",
}


class Processors:
    """Time by mode, utilisation since the read before, context switches, forks, processes that run or are blocked.

    Guest time is part of user time in the kernel already (proc_stat(5)), and waiting for a disk is not work.
    """

    def __init__(self, roots: Roots) -> None:
        self._path = f"{roots.proc}/stat"
        self._tick = float(os.sysconf("SC_CLK_TCK"))
        self._told: list[float] = []
        self._before: tuple[float, float] | None = None

    def __call__(self) -> Iterator[Sample]:
        """The samples; utilisation is there from the second read on."""
        text = read_text(self._path)
        lines = text.split("\n")
        seconds = [float(ticks) / self._tick for ticks in lines[0].split()[1 : 1 + len(MODES)]]
        yield gauge("cpus", text.count("\ncpu") or 1)
        for mode, spent in zip(MODES, self._without_falls(seconds), strict=False):  # before 2.6.11 there are fewer
            yield counter("cpu_seconds_total", spent, "mode", mode)
        yield from self._utilisation(seconds)
        for line in reversed(lines):
            name, _, rest = line.partition(" ")
            if name == "intr":
                yield counter("interrupts_total", float(rest.partition(" ")[0]))
                break
            if name in _LINES:
                ours = _LINES[name]
                yield (counter if ours.endswith("_total") else gauge)(ours, float(rest))

    def _without_falls(self, seconds: list[float]) -> list[float]:
        """The kernel takes a little of idle and iowait back (proc_stat(5)), which would look like a new begin."""
        before = self._told or seconds
        self._told = [old if new < old <= new + _TAKEN_BACK else new for new, old in zip(seconds, before, strict=True)]
        return self._told

    def _utilisation(self, seconds: Sequence[float]) -> Iterator[Sample]:
        total = sum(seconds)
        busy = total - seconds[_IDLE] - (seconds[_IOWAIT] if len(seconds) > _IOWAIT else 0.0)
        before, self._before = self._before, (busy, total)
        if before is not None and total > before[1]:
            share = (busy - before[0]) / (total - before[1])
            yield gauge("cpu_utilization_ratio", min(max(share, 0.0), 1.0))


class Load:
    """Load averages, and threads."""

    def __init__(self, roots: Roots) -> None:
        self._proc = roots.proc

    def __call__(self) -> Iterator[Sample]:
        """The samples."""
        fields = read_text(f"{self._proc}/loadavg").split()
        for name, field in zip(("load1", "load5", "load15"), fields[:3], strict=True):
            yield gauge(name, float(field))
        yield gauge("threads", float(fields[3].partition("/")[2]))


class Pressure:
    """Time that tasks waited (some of them) or stood still (all of them) for want of a resource: PSI.

    A kernel without PSI has no such files; of processors the time of all says nothing and is left out.
    """

    def __init__(self, roots: Roots) -> None:
        self._paths = {resource: f"{roots.proc}/pressure/{resource}" for resource in ("cpu", "memory", "io")}

    def __call__(self) -> Iterator[Sample]:
        """The samples; seconds are total, ratios those of the last ten seconds."""
        for resource, path in self._paths.items():
            for line in (word(path) or "").split("\n"):
                who, _, fields = line.partition(" ")
                if who not in {"some", "full"} or (resource == "cpu" and who == "full"):
                    continue
                values = dict(field.split("=", 1) for field in fields.split())
                what = "waiting" if who == "some" else "stalled"
                yield counter(f"pressure_{what}_seconds_total", int(values["total"]) / 1e6, "resource", resource)
                yield gauge(f"pressure_{what}_ratio", float(values["avg10"]) / 100, "resource", resource)
