"""Every process on the GPUs for people and programs, as ``forewarn nvml processes`` shows them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from collector.attribution.entries import Found, GpuUse
from collector.attribution.procfs import Process
from forewarn.base.clock import rfc3339

Idle = Sequence[tuple[Found, float | None]]
"""Processes, each with the seconds since it last worked."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What one look found.

    Attributes:
        gpus: each GPU with its processes.
        boot_time: when the machine was started, in seconds since the epoch; None where the kernel does not tell.
        time_ms: when it was taken.
    """

    gpus: Sequence[tuple[GpuUse, Idle]]
    boot_time: float | None
    time_ms: int

    def rows(self) -> list[dict[str, Any]]:
        """Its processes as JSON, by GPU, the largest first."""
        return [row for use, idle in self.gpus for row in sorted(self._rows(use, idle), key=_order)]

    def _rows(self, use: GpuUse, idle: Idle) -> Iterator[dict[str, Any]]:
        for found, seconds in idle:
            entry, process = found.entry, found.process
            yield {
                "gpu": use.gpu,
                "uuid": use.uuid,
                "gpu_instance_id": entry.gpu_instance or None,
                "pid": entry.pid,
                "kinds": entry.kinds,
                "memory_bytes": entry.memory,
                "sm_utilization_ratio": entry.sm,
                "idle_since": rfc3339(self.time_ms - round(seconds) * 1000) if seconds else None,
                **(self._who(found, process) if isinstance(process, Process) else {"state": process.value}),
            }

    def _who(self, found: Found, process: Process) -> dict[str, Any]:
        home, boot = process.home, self.boot_time
        return {
            "state": "running",
            "user": found.user,
            "command": process.command,
            "unit": home.unit,
            "container": home.container,
            "pod_uid": home.pod_uid,
            "started": None if boot is None else rfc3339(round(boot + process.started) * 1000),
        }


def _order(row: dict[str, Any]) -> tuple[int, int]:
    return -(row["memory_bytes"] or 0), row["pid"]
