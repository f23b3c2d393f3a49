"""One look at /proc for the processes of the driver's lists, and what it says of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from collector.attribution.entries import Entry, Found, GpuLists, GpuUse
from collector.attribution.procfs import Missing, Process, ProcFs


@dataclass(frozen=True, slots=True)
class Sight:
    """What /proc said.

    Attributes:
        processes: by number, a process or why it cannot be seen.
        boot_time: seconds since the epoch, None where the kernel does not tell.
        own_namespace: process numbers here differ from the driver's, so that every process is hidden.
    """

    processes: Mapping[int, Process | Missing]
    boot_time: float | None
    own_namespace: bool

    @classmethod
    def take(cls, proc: ProcFs, lists: Iterable[GpuLists]) -> "Sight":
        """Look up every process; blocks as long as the kernel does."""
        pids = {entry.pid for each in lists for entry in each.entries if entry.possible}
        if proc.in_own_namespace():
            return cls(dict.fromkeys(pids, Missing.HIDDEN), proc.boot_time(), own_namespace=True)
        return cls({pid: proc.look(pid) for pid in pids}, proc.boot_time(), own_namespace=False)

    @property
    def uids(self) -> set[int]:
        """The users whose processes were seen."""
        return {process.uid for process in self.processes.values() if isinstance(process, Process)}

    @property
    def hides(self) -> bool:
        """Whether there are processes that /proc does not show us."""
        return not self.own_namespace and Missing.HIDDEN in self.processes.values()


class Dead:
    """Tells processes that are no more from those that ended between the driver's look and ours."""

    def __init__(self) -> None:
        self._gone: frozenset[int] = frozenset()

    def use(self, lists: Sequence[GpuLists], sight: Sight, names: Mapping[int, str]) -> list[GpuUse]:
        """Who uses each GPU; an entry whose process is gone for the first time is left out, the next look decides."""
        before = self._gone
        self._gone = frozenset(pid for pid, process in sight.processes.items() if process is Missing.GONE)
        ended = self._gone - before
        return [_use(each, [entry for entry in each.entries if entry.pid not in ended], sight, names) for each in lists]


def _use(lists: GpuLists, entries: Sequence[Entry], sight: Sight, names: Mapping[int, str]) -> GpuUse:
    found = []
    for entry in entries:
        if entry.possible:
            process = sight.processes[entry.pid]
            found.append(Found(entry, process, names[process.uid] if isinstance(process, Process) else ""))
    invalid = len(entries) - len(found)
    if lists.scrambled:  # a number that names nobody is then more likely a piece of something else
        invalid += sum(each.process is Missing.GONE for each in found)
        found = [each for each in found if each.process is not Missing.GONE]
    return GpuUse(lists.gpu, lists.uuid, found, invalid, lists.scrambled)
