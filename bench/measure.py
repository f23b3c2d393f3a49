"""What processes cost, from /proc, and how long calls take."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

MIB = 2**20
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What processes cost over a while.

    Attributes:
        pss_mib: proportional set size at the end, all of them together; shared pages are split among their users.
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


def cost_over(pids: Sequence[int], seconds: float, each_second: Callable[[], object] = lambda: None) -> Cost:
    """The cost of processes over some seconds, while something is done once a second."""
    before, started = sum(map(cpu_seconds, pids)), time.monotonic()
    due = started
    while (due := due + 1.0) <= started + seconds:
        each_second()
        time.sleep(max(0.0, due - time.monotonic()))
    elapsed = time.monotonic() - started
    used = sum(map(cpu_seconds, pids)) - before
    memory = [memory_mib(pid) for pid in pids]
    return Cost(
        *(sum(each[key] for each in memory) for key in ("Pss", "Rss", "VmHWM")), cpu_percent=100 * used / elapsed
    )


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
