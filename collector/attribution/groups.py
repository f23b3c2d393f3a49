"""Processes gathered into few series: by owner, the largest of each GPU, the rest under ``other``."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from collector.attribution.entries import Found, GpuUse
from collector.attribution.procfs import Process
from collector.series import Labels, Sample, SeriesKey, labels_of

LARGEST: Final = 10
"""Owners of a GPU that have series of their own at one time."""
KEEPS: Final = 1.25
"""An owner that has series keeps them until another one is that much larger, so that they do not flicker."""
REMEMBERED: Final = 64
"""Owners of a GPU that may have series of their own within a day, so that short-lived ones do not fill the store."""
DAY_SECONDS: Final = 86_400.0

OTHER: Final = labels_of({"command": "other"})


@dataclass(slots=True)
class Group:
    """The processes of one owner on one GPU: what the driver tells of each.

    Attributes:
        memory: bytes.
        sm: shares of the multiprocessors' time.
        idle: seconds since each last worked.
    """

    memory: list[float] = field(default_factory=list)
    sm: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)

    def add(self, found: Found, idle: float | None) -> None:
        """Take in a process."""
        if found.entry.memory is not None:
            self.memory.append(found.entry.memory)
        if found.entry.sm is not None:
            self.sm.append(found.entry.sm)
        if idle is not None:
            self.idle.append(idle)

    def merge(self, other: "Group") -> None:
        """Take in another group."""
        self.memory += other.memory
        self.sm += other.sm
        self.idle += other.idle

    def values(self) -> Iterator[tuple[str, float]]:
        """Its metrics, without ``forewarn_gpu_process_``; a group is idle since the last of its processes is."""
        for metric, gather, numbers in (
            ("memory_bytes", sum, self.memory),
            ("sm_utilization_ratio", sum, self.sm),
            ("idle_seconds", min, self.idle),
        ):
            if numbers:
                yield metric, float(gather(numbers))


class Owners:
    """Decides which owners have series of their own, GPU by GPU."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[Labels, float]] = {}
        self._chosen: dict[str, set[Labels]] = {}

    def choose(self, uuid: str, groups: Mapping[Labels, Group], now: float) -> dict[Labels, Group]:
        """The largest groups by memory under their owners, all others as one."""
        known = {owner: seen for owner, seen in self._seen.get(uuid, {}).items() if now - seen < DAY_SECONDS}
        before = self._chosen.get(uuid, set())
        chosen: dict[Labels, Group] = {}
        rest = Group()
        for owner, group in sorted(groups.items(), key=lambda item: (-_size(item[1], kept=item[0] in before), item[0])):
            if len(chosen) < LARGEST and (owner in known or len(known) < REMEMBERED):
                known[owner] = now
                chosen[owner] = group
            else:
                rest.merge(group)
        self._seen[uuid], self._chosen[uuid] = known, set(chosen)
        return {**chosen, OTHER: rest} if rest != Group() else chosen


def _size(group: Group, *, kept: bool) -> float:
    return sum(group.memory) * (KEEPS if kept else 1.0)


def owner_of(found: Found) -> Labels:
    """Who a process belongs to, as labels; a hidden one belongs to ``hidden``."""
    instance = {"gpu_instance_id": found.entry.gpu_instance}
    if not isinstance(found.process, Process):
        return labels_of({**instance, "command": found.process.value})
    home = found.process.home
    return labels_of(
        {
            **instance,
            "user": found.user,
            "unit": home.unit,
            "container": "" if home.pod_uid else home.container,  # a pod's containers are new at every restart
            "pod_uid": home.pod_uid,
            "command": found.process.command,
        }
    )


def gather(living: Iterable[tuple[Found, float | None]]) -> dict[Labels, Group]:
    """Living processes, each with the seconds since it last worked, by owner."""
    groups: dict[Labels, Group] = {}
    for found, idle in living:
        groups.setdefault(owner_of(found), Group()).add(found, idle)
    return groups


def samples_of(use: GpuUse, groups: Mapping[Labels, Group], *, tells_dead: bool) -> Iterator[Sample]:
    """The samples of one GPU, in the same order each time: a page of metrics is laid out anew where it changes."""
    labels = (("gpu", use.gpu), ("uuid", use.uuid))
    yield Sample(SeriesKey("forewarn_gpu_processes", labels), float(len({each.entry.pid for each in use.living})))
    yield Sample(SeriesKey("forewarn_gpu_process_list_invalid", labels), float(use.invalid))
    if tells_dead and use.dead_memory is not None:
        yield Sample(SeriesKey("forewarn_gpu_dead_process_memory_bytes", labels), float(use.dead_memory))
    for owner, group in sorted(groups.items(), key=lambda item: item[0]):
        key = tuple(sorted((*labels, *owner)))
        for metric, value in group.values():
            yield Sample(SeriesKey(f"forewarn_gpu_process_{metric}", key), value)
