"""Which mounts are file systems that can fill up."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of mountinfo.

    Attributes:
        device: major and minor number; bind mounts of one file system share it.
        root: the directory of that file system which is mounted here.
        readonly: whether nothing can be written here.
        forced_readonly: whether that is the kernel's doing: mounted for writing, and the file system takes no writes.
    """

    device: str
    root: str
    mountpoint: str
    fstype: str
    readonly: bool = False
    forced_readonly: bool = False


def parse_mountinfo(text: str) -> list[Mount]:
    """The mounts of a process, in the order of ``/proc/PID/mountinfo`` (format: proc_pid_mountinfo(5))."""
    mounts = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields, behind = before.split(" "), after.split(" ")
        if separator and len(fields) >= 6:
            here, whole = "ro" in fields[5].split(","), "ro" in behind[-1].split(",")
            names = _unescape(fields[3]), _unescape(fields[4])
            mounts.append(Mount(fields[2], *names, behind[0], here or whole, whole and not here))
    return mounts


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


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)
