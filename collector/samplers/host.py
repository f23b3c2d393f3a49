"""Processors, memory, disks and network interfaces of the host."""

import os
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import psutil

from collector.series import Sample, SeriesKey
from collector.settings import HostSettings
from forewarn.base.lane import Lane

_INTERFACE_COUNTERS = (
    ("forewarn_node_network_receive_bytes_total", "bytes_recv"),
    ("forewarn_node_network_transmit_bytes_total", "bytes_sent"),
    ("forewarn_node_network_receive_errs_total", "errin"),
    ("forewarn_node_network_transmit_errs_total", "errout"),
)
_DISK_COUNTERS = (
    ("forewarn_node_disk_read_bytes_total", "read_bytes"),
    ("forewarn_node_disk_written_bytes_total", "write_bytes"),
)


class Host:
    """The source of ``forewarn_node_*``, file systems excepted.

    The kernel's files are read on a lane, for /proc too waits when the kernel is in trouble.
    """

    name = "host"

    def __init__(self, settings: HostSettings, patience: float) -> None:
        self._settings = settings
        self._patience = patience
        self._lane = Lane("host")
        self._cpu_before: tuple[float, float] | None = None

    async def collect(self) -> Sequence[Sample]:
        """What the host does now; processor utilisation is there from the second round on.

        Raises:
            StuckError: the kernel did not answer.
        """
        return await self._lane.call(self._read, deadline=self._patience)

    async def close(self) -> None:
        """Let the thread end."""
        self._lane.close()

    def _read(self) -> list[Sample]:
        parts: tuple[tuple[bool, Callable[[], Iterable[Sample]]], ...] = (
            (self._settings.cpu, self._cpu),
            (self._settings.memory, _memory),
            (self._settings.disks, self._disks),
            (self._settings.network, self._interfaces),
        )
        return [sample for wanted, read in parts if wanted for sample in read()]

    def _cpu(self) -> Iterable[Sample]:
        before, self._cpu_before = self._cpu_before, cpu_seconds(psutil.cpu_times())
        yield _gauge("forewarn_node_cpus", float(psutil.cpu_count() or 1))
        yield _gauge("forewarn_node_load1", os.getloadavg()[0])
        if before is None:
            return
        busy, total = (now - then for now, then in zip(self._cpu_before, before, strict=True))
        if total > 0:
            yield _gauge("forewarn_node_cpu_utilization_ratio", min(max(busy / total, 0.0), 1.0))

    def _disks(self) -> Iterable[Sample]:
        disks = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
        whole = {name: row for name, row in disks.items() if os.path.exists(f"/sys/block/{name}")}  # noqa: PTH110  no Path for each disk and round
        return _counters(whole, _DISK_COUNTERS, self._settings.ignore_devices)

    def _interfaces(self) -> Iterable[Sample]:
        interfaces = psutil.net_io_counters(pernic=True, nowrap=False)
        return _counters(interfaces, _INTERFACE_COUNTERS, self._settings.ignore_interfaces)


def cpu_seconds(times: Any) -> tuple[float, float]:
    """Busy and total seconds of all processors since the boot, from the fields that psutil.cpu_times gives.

    Guest time is part of user time already, and waiting for a disk is not work (proc_stat(5)).
    """
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    total = sum(times) - guest
    return total - times.idle - getattr(times, "iowait", 0.0), total


def _memory() -> Iterable[Sample]:
    memory = psutil.virtual_memory()
    yield _gauge("forewarn_node_memory_available_bytes", float(memory.available))
    yield _gauge("forewarn_node_memory_total_bytes", float(memory.total))


def _gauge(name: str, value: float) -> Sample:
    return Sample(SeriesKey(name), value)


def _counters(rows: dict[str, Any], columns: Sequence[tuple[str, str]], ignored: Sequence[str]) -> Iterable[Sample]:
    for device, row in sorted(rows.items()):
        if any(fnmatchcase(device, pattern) for pattern in ignored):
            continue
        for name, column in columns:
            yield Sample(SeriesKey(name, (("device", device),)), float(getattr(row, column)), counter=True)
