"""The driver's process lists as the nvml child sends them, and what became of each entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collector.attribution.procfs import MOST_PID, Missing, Process


@dataclass(frozen=True, slots=True)
class Entry:
    """One process on one GPU, or on one GPU instance of it.

    Attributes:
        kinds: the lists it stands in: C compute, G graphics, M compute through MPS.
        memory: bytes, None where the driver does not tell.
        gpu_instance: number of the MIG instance, empty without MIG.
        sm: share of the multiprocessors' time since the last look, None where the driver does not tell.
    """

    pid: int
    kinds: str
    memory: int | None
    gpu_instance: str
    sm: float | None

    @property
    def possible(self) -> bool:
        """Whether the number can be that of a process: drivers have handed out 0, 0xFFFFFFFF, and pieces of sizes."""
        return 0 < self.pid <= MOST_PID


@dataclass(frozen=True, slots=True)
class GpuLists:
    """The process lists of one GPU."""

    gpu: str
    uuid: str
    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, body: dict[str, Any]) -> "GpuLists":
        """From the frame of :mod:`collector.nvml.readings.processes`."""
        return cls(body["gpu"], body["uuid"], tuple(Entry(*entry) for entry in body["processes"]))

    @property
    def scrambled(self) -> bool:
        """Whether the driver writes entries of another size than it says (535.43 to 535.86): sizes are wrong then."""
        return not all(entry.possible for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Found:
    """An entry with what /proc says of its process, and its user's name (empty where it is not known)."""

    entry: Entry
    process: Process | Missing
    user: str = ""


@dataclass(frozen=True, slots=True)
class GpuUse:
    """Everything that is known of who uses one GPU.

    Attributes:
        found: the entries that can be processes.
        invalid: entries that cannot be.
        scrambled: whether the sizes of the list are to be believed.
    """

    gpu: str
    uuid: str
    found: Sequence[Found]
    invalid: int
    scrambled: bool

    @property
    def living(self) -> list[Found]:
        """The entries whose process is there, seen or hidden."""
        return [each for each in self.found if each.process is not Missing.GONE]

    @property
    def dead_memory(self) -> int | None:
        """Bytes of compute processes that are no more; None where the list cannot be believed."""
        if self.scrambled:
            return None
        dead = (each.entry for each in self.found if each.process is Missing.GONE and each.entry.kinds != "G")
        return sum(entry.memory or 0 for entry in dead)
