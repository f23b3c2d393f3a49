"""Memory: /proc/meminfo, /proc/vmstat, and the memory of each NUMA node."""

import os
from collections.abc import Callable, Iterator

from collector.samplers.host.tree import Roots, names_in, read_text
from collector.samplers.series_keys import counter, gauge, table
from collector.series import Sample

_MEMINFO = {
    "MemTotal": "memory_total_bytes",
    "MemAvailable": "memory_available_bytes",
    "MemFree": "memory_free_bytes",
    "Buffers": "memory_buffers_bytes",
    "Cached": "memory_cached_bytes",
    "Shmem": "memory_shmem_bytes",
    "AnonPages": "memory_anonymous_bytes",
    "Slab": "memory_slab_bytes",
    "SReclaimable": "memory_slab_reclaimable_bytes",
    "SUnreclaim": "memory_slab_unreclaimable_bytes",
    "Dirty": "memory_dirty_bytes",
    "Writeback": "memory_writeback_bytes",
    "Mlocked": "memory_locked_bytes",
    "CommitLimit": "memory_commit_limit_bytes",
    "Committed_AS": "memory_committed_bytes",
    "HardwareCorrupted": "memory_hardware_corrupted_bytes",
}
_SWAP = {"SwapTotal": "memory_swap_total_bytes", "SwapFree": "memory_swap_free_bytes"}
_NUMA = {"MemTotal": "numa_memory_total_bytes", "MemFree": "numa_memory_free_bytes"}
_NUMASTAT = {"numa_miss": "numa_misses_total", "other_node": "numa_other_node_total"}


def read_meminfo(text: str) -> dict[str, int]:
    """Bytes, or plain numbers where the line has no unit, by name (format: proc_meminfo(5))."""
    found: dict[str, int] = {}
    for line in text.split("\n"):
        name, separator, rest = line.partition(":")
        words = rest.split()
        if separator and words:
            found[name.rpartition(" ")[2]] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return found


class Memory:
    """What memory is used for; swap and huge pages only where there are any."""

    def __init__(self, roots: Roots) -> None:
        self._path = f"{roots.proc}/meminfo"

    def __call__(self) -> Iterator[Sample]:
        """The samples."""
        found = read_meminfo(read_text(self._path))
        yield from table(found, _MEMINFO)
        if found.get("SwapTotal"):
            yield from table(found, _SWAP)
        pages, size = found.get("HugePages_Total", 0), found.get("Hugepagesize", 0)
        if pages and size:
            yield gauge("memory_hugepages_total_bytes", pages * size)
            yield gauge("memory_hugepages_free_bytes", found.get("HugePages_Free", 0) * size)


class Paging:
    """Major faults, swapping, and processes killed for want of memory.

    Args:
        roots: where /proc is.
        now: seconds since the epoch, for the time of the last kill: a count alone says nothing of when.
    """

    def __init__(self, roots: Roots, now: Callable[[], float]) -> None:
        self._path = f"{roots.proc}/vmstat"
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._now = now
        self._kills: int | None = None
        self._killed_at: float | None = None

    def __call__(self) -> Iterator[Sample]:
        """The samples."""
        found = {name: int(value) for name, value in (line.split() for line in read_text(self._path).splitlines())}
        yield from table(found, {"pgmajfault": "major_page_faults_total", "oom_kill": "oom_kills_total"})
        for theirs, ours in (("pswpin", "swap_in_bytes_total"), ("pswpout", "swap_out_bytes_total")):
            if theirs in found:
                yield counter(ours, found[theirs] * self._page)
        kills = found.get("oom_kill")
        if kills is not None and self._kills is not None and kills > self._kills:
            self._killed_at = self._now()
        self._kills = kills
        if self._killed_at is not None:
            yield gauge("oom_kill_last_timestamp_seconds", self._killed_at)


class Numa:
    """Memory of each NUMA node; nothing where there is but one, for its memory is the host's."""

    def __init__(self, roots: Roots) -> None:
        self._folder = f"{roots.sys}/devices/system/node"

    def __call__(self) -> Iterator[Sample]:
        """The samples."""
        nodes = [name for name in names_in(self._folder) if name.startswith("node") and name[4:].isdigit()]
        if len(nodes) < 2:
            return
        for node in nodes:
            label = ("node", node[4:])
            found = read_meminfo(read_text(f"{self._folder}/{node}/meminfo"))
            for theirs, ours in _NUMA.items():
                yield gauge(ours, found[theirs], *label)
            stats = dict(line.split() for line in read_text(f"{self._folder}/{node}/numastat").splitlines())
            for theirs, ours in _NUMASTAT.items():
                yield counter(ours, int(stats[theirs]), *label)
