"""What processes cost, from /proc, and how long calls take."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What a process costs over a while.

    Attributes:
        pss_mib: proportional set size at the end; pages that several processes share are split among them.
        rss_mib: resident size at the end.
        peak_rss_mib: highest resident size since their start.
        cpu_percent: processor time over the while, in percent of one core.
    """

    pss_mib: float
    rss_mib: float
    peak_rss_mib: float
    cpu_percent: float


def cpu_seconds(pid: int) -> float:
    """User and system time of a process since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int) -> dict[str, float]:
    """Pss, Rss (smaps_rollup) and VmHWM (status) of a process, in MiB."""
    found = {}
    for name in ("smaps_rollup", "status"):
        for line in Path(f"/proc/{pid}/{name}").read_text().splitlines():
            key, _, rest = line.partition(":")
            if key in {"Pss", "Rss", "VmHWM"}:
                found[key] = int(rest.split()[0]) / 1024
    return found


def costs_over(
    pids: Sequence[int], seconds: float, each_second: Callable[[], object] = lambda: None
) -> tuple[Cost, ...]:
    """The cost of each process over some seconds, while something is done once a second."""
    before, started = [cpu_seconds(pid) for pid in pids], time.monotonic()
    due = started
    while (due := due + 1.0) <= started + seconds:
        each_second()
        time.sleep(max(0.0, due - time.monotonic()))
    elapsed = time.monotonic() - started
    return tuple(_cost(pid, 100 * (cpu_seconds(pid) - then) / elapsed) for pid, then in zip(pids, before, strict=True))


def together(costs: Sequence[Cost]) -> Cost:
    """The cost of several processes."""
    return Cost(*(sum(column) for column in zip(*map(astuple, costs), strict=True)))


def _cost(pid: int, cpu_percent: float) -> Cost:
    memory = memory_mib(pid)
    return Cost(memory["Pss"], memory["Rss"], memory["VmHWM"], cpu_percent)


def rounded(cost: Cost) -> dict[str, float]:
    """A cost for a table or a file."""
    return {key: round(value, 2) for key, value in asdict(cost).items()}


def timed_ms(call: Callable[[], object], times: int, *, pause: float = 0.0) -> list[float]:
    """How long each of so many calls took, in milliseconds."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        found.append((time.perf_counter() - started) * 1000)
        if pause:
            time.sleep(pause)
    return found


def percentiles(durations: Sequence[float]) -> dict[str, float]:
    """Median, 90th and 99th percentile and the worst."""
    values = np.percentile(np.asarray(durations), [50, 90, 99, 100])
    return dict(zip(("p50", "p90", "p99", "max"), (round(float(value), 3) for value in values), strict=True))


def folder_bytes(folder: Path) -> int:
    """What a folder's files take on the disk, in bytes."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
