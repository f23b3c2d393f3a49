"""What /proc tells of a process, and whether one that it does not show is hidden or gone.

``cmdline`` and ``environ`` are never read: they hold secrets, and reading them waits for a lock of the process.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from collector.attribution.cgroups import Home, parse_cgroup

PROC: Final = Path("/proc")
MOST_PID: Final = 2**22
"""No kernel gives out a higher process number (PID_MAX_LIMIT, proc_sys_kernel(5))."""

_MOST_BYTES: Final = 65_536
_FIRST_NAMESPACE: Final = "pid:[4026531836]"
"""The number of the machine's own pid namespace, the same on every Linux (PROC_PID_INIT_INO)."""
_STARTED_FIELD: Final = 19
"""Position of ``starttime`` in /proc/PID/stat, counted from the field behind the name."""


class Missing(Enum):
    """Why /proc does not show a process."""

    HIDDEN = "hidden"
    GONE = "dead"


@dataclass(frozen=True, slots=True)
class Process:
    """A process that /proc shows.

    Attributes:
        started: seconds from the boot to its start; with the number it names the process for good.
        uid: effective user id.
        command: the kernel's short name of it, at most 15 characters; never its arguments.
        home: where it lives.
    """

    started: float
    uid: int
    command: str
    home: Home


def is_there(pid: int) -> bool:
    """Whether the process exists, however /proc is mounted: hidepid does not hide from signals (proc(5))."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class ProcFs:
    """Looks processes up; every call may block, so none belongs on an event loop.

    Args:
        root: where proc is mounted.
        is_there: whether a process exists that the mount does not show.
    """

    def __init__(self, root: Path = PROC, is_there: Callable[[int], bool] = is_there) -> None:
        self._root = root
        self._is_there = is_there
        self._ticks = os.sysconf("SC_CLK_TCK")

    def look(self, pid: int) -> Process | Missing:
        """The process of that number, or why it cannot be seen."""
        folder = f"{self._root}/{pid}"
        try:
            name, started = _stat(_read(f"{folder}/stat"))
            uid = _uid(_read(f"{folder}/status"))
            home = parse_cgroup(_read(f"{folder}/cgroup").decode("utf-8", "replace"))
        except (FileNotFoundError, ProcessLookupError, IndexError, ValueError):  # the last two: it ended meanwhile
            return Missing.HIDDEN if self._is_there(pid) else Missing.GONE
        except PermissionError:
            return Missing.HIDDEN
        return Process(started / self._ticks, uid, name, home)

    def boot_time(self) -> float | None:
        """When the machine was started, in seconds since the epoch; None where the kernel does not tell."""
        try:
            lines = _read(f"{self._root}/stat").splitlines()
        except OSError:
            return None
        return next((float(line.split()[1]) for line in lines if line.startswith(b"btime ")), None)

    def in_own_namespace(self) -> bool:
        """Whether process numbers here differ from the machine's, as in a container: then none can be looked up."""
        try:
            return str((self._root / "self/ns/pid").readlink()) != _FIRST_NAMESPACE
        except OSError:
            return False


def _read(path: str) -> bytes:
    """A file of /proc in one piece; a third of the time that pathlib takes, and there are many of them."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, _MOST_BYTES)
    finally:
        os.close(file)


def _stat(line: bytes) -> tuple[str, int]:
    """Name and start, in clock ticks; the name is in brackets and may itself hold some (proc_pid_stat(5))."""
    before, _, after = line.rpartition(b")")
    name = before.partition(b"(")[2].decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in name), int(after.split()[_STARTED_FIELD])


def _uid(status: bytes) -> int:
    return int(status.partition(b"\nUid:")[2].split(maxsplit=2)[1])
