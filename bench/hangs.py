"""A GPU driver call and a mount that hang for ever: how soon they are seen, named and alerted, and who else suffers."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.support.daemon import RunningDaemon, running
from tests.support.dead_mount import dead_mount
from tests.support.nvml import FakeNvml

_CONFIG = "[collector]\ninterval = 1\n[forecast]\nenabled = false\n"
_PATIENCE = 40.0
_AFTERWARDS = 10.0
_LOOK_EVERY = 0.2
_STALE = 3.5  # a round a second, and 0.8 s of waiting for a source that does not answer
_CALL, _GPU = "nvmlDeviceGetPowerUsage", "2"


@dataclass
class Watch:
    """What was seen of a hang, in seconds from its beginning; None for what never happened.

    Attributes:
        seen: the metric says so.
        named: the log names what hangs.
        alerted: the alert fires.
        others: sources other than the affected ones that gave no data, or old ones, and when.
        rounds: how often that was looked at.
    """

    seen: float | None = None
    named: float | None = None
    alerted: float | None = None
    others: list[str] = field(default_factory=list)
    rounds: int = 0

    def to_dict(self) -> dict[str, Any]:
        """For the file."""
        return asdict(self)


def driver(folder: Path, nvml: FakeNvml) -> Watch:
    """The driver never comes back from one call about one GPU."""
    with running(folder / "driver", config=_CONFIG, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: daemon.metrics().get("forewarn_nvml_stuck") == 0)
        time.sleep(3)
        nvml.hang(_CALL, _GPU)
        watch = _follow(
            daemon,
            seen=lambda metrics: metrics.get("forewarn_nvml_stuck") == 1,
            words=(_CALL, f"GPU {_GPU}"),
            alert="GpuDriverStuck",
            affected={"nvml", "gpu_processes"},
        )
        nvml.clear()
    return watch


def mount(folder: Path) -> Watch:
    """The server of a mounted file system falls silent.

    Raises:
        OSError: this machine does not let us mount one.
    """
    place = folder / "dead"
    place.mkdir()
    stuck = f'forewarn_node_filesystem_stuck{{mountpoint="{place}"}}'
    with running(folder / "mount", config=_CONFIG) as daemon:
        daemon.wait_for(lambda: daemon.metrics().get('forewarn_collector_success{collector="filesystems"}') == 1)
        time.sleep(3)
        hang: AbstractContextManager[Path] = dead_mount(place)
        with hang:
            return _follow(
                daemon,
                seen=lambda metrics: metrics.get(stuck) == 1,
                words=(str(place), "does not answer"),
                alert="FilesystemStuck",
                affected=set(),
            )


def _follow(
    daemon: RunningDaemon,
    *,
    seen: Callable[[dict[str, float]], bool],
    words: tuple[str, ...],
    alert: str,
    affected: set[str],
) -> Watch:
    """Look at the daemon until it has alerted, and for a while after that."""
    watch, started, lines = Watch(), time.monotonic(), len(daemon.lines)
    end = started + _PATIENCE
    while (now := time.monotonic()) < end:
        metrics, passed = daemon.metrics(), now - started
        watch.rounds += 1
        watch.others += [f"{passed:.1f} s: {name}" for name in _silent(metrics) - affected]
        if watch.seen is None and seen(metrics):
            watch.seen = passed
        if watch.named is None and any(all(word in line for word in words) for line in daemon.lines[lines:]):
            watch.named = passed
        if watch.alerted is None and _fires(daemon, alert):
            watch.alerted = passed
            end = now + _AFTERWARDS
        time.sleep(_LOOK_EVERY)
    return watch


def _silent(metrics: dict[str, float]) -> set[str]:
    """Sources that gave no data in the last round, or whose last data are old: then rounds themselves stand still."""
    found = set()
    for series, value in metrics.items():
        name, _, labels = series.partition("{")
        failed = name == "forewarn_collector_success" and not value
        old = name == "forewarn_collector_last_success_timestamp_seconds" and time.time() - value > _STALE
        if failed or old:
            found.add(labels.split('"')[1])
    return found


def _fires(daemon: RunningDaemon, alert: str) -> bool:
    shown = daemon.get("/v1/alerts")["alerts"]
    return any(each["labels"]["alertname"] == alert and each["state"] == "firing" for each in shown)
