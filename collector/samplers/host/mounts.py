"""Which mounts are file systems that can fill up."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
_BROKEN = frozenset({"emergency_ro", "shutdown"})  # ext4 since Linux 6.15, which no longer says ro


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of mountinfo.

    Attributes:
        device: major and minor number; bind mounts of one file system share it.
        root: the directory of that file system which is mounted here.
        readonly_here: whether this mount of the file system takes no writes.
        readonly: whether the whole file system takes none.
        broken: whether the file system says that it takes none any more after an error.
    """

    device: str
    root: str
    mountpoint: str
    fstype: str
    readonly_here: bool = False
    readonly: bool = False
    broken: bool = False


def parse_mountinfo(text: str) -> list[Mount]:
    """The mounts of a process, in the order of ``/proc/PID/mountinfo`` (format: proc_pid_mountinfo(5))."""
    mounts = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields, behind = before.split(" "), after.split(" ")
        if separator and len(fields) >= 6:
            names = _unescape(fields[3]), _unescape(fields[4])
            here, whole = fields[5].split(","), frozenset(behind[-1].split(","))
            mounts.append(
                Mount(fields[2], *names, behind[0], "ro" in here, "ro" in whole, not _BROKEN.isdisjoint(whole))
            )
    return mounts


class Writability:
    """Tells file systems that are meant to be read-only from those that the kernel made so after an error.

    Mounted for writing and without writes: the kernel did it. A service under systemd's ProtectSystem= cannot tell so,
    for it sees everything through mounts that are read-only; there what took writes once and takes none now counts.
    """

    def __init__(self) -> None:
        self._covered = False
        self._writable: frozenset[tuple[str, str]] = frozenset()

    def look(self, mounts: Sequence[Mount]) -> None:
        """Take note of the mounts of a round."""
        self._covered |= any(mount.mountpoint == "/" and mount.readonly_here and not mount.readonly for mount in mounts)
        known = {_identity(mount) for mount in mounts if not mount.readonly}
        self._writable = frozenset(known | (self._writable & {_identity(mount) for mount in mounts}))

    def readonly(self, mount: Mount) -> bool:
        """Whether nothing can be written."""
        return mount.readonly or mount.broken or (mount.readonly_here and not self._covered)

    def forced(self, mount: Mount) -> bool:
        """Whether that is the kernel's doing."""
        meant = _identity(mount) not in self._writable if self._covered else mount.readonly_here
        return mount.broken or (mount.readonly and not meant)


def choose(mounts: Sequence[Mount], ignore_types: Sequence[str], ignore_paths: Sequence[str]) -> list[Mount]:
    """Mounts to watch, by mount point: one a file system, its root where that is mounted, else the shortest."""
    visible = {mount.mountpoint: mount for mount in mounts}  # a later mount hides an earlier one on the same point
    wanted = [mount for mount in visible.values() if _wanted(mount, ignore_types, ignore_paths)]
    best: dict[str, Mount] = {}
    for mount in sorted(wanted, key=lambda mount: (mount.root != "/", len(mount.mountpoint), mount.mountpoint)):
        best.setdefault(mount.device, mount)
    return sorted(best.values(), key=lambda mount: mount.mountpoint)


def _wanted(mount: Mount, ignore_types: Sequence[str], ignore_paths: Sequence[str]) -> bool:
    if mount.mountpoint == "/":
        return True  # in a container the root is an overlay, and it does fill
    return mount.fstype not in ignore_types and not any(
        fnmatchcase(mount.mountpoint, pattern) for pattern in ignore_paths
    )


def _identity(mount: Mount) -> tuple[str, str]:
    return mount.device, mount.mountpoint


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)
