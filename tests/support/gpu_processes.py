"""Processes on the fake GPUs, and a /proc for them."""

import os
from pathlib import Path

from tests.support.nvml import FakeNvml

UNTOLD = -1
WHOLE_GPU = -1


def process(gpu: int, kind: str, pid: int, memory: int, *, sm: int = 0, instance: int = WHOLE_GPU) -> str:
    """A line of the fake's list; kind is C, G or M, memory in bytes or UNTOLD, sm in percent."""
    return f"{gpu} {kind} {pid} {memory} {sm} {instance}"


def put_processes(fake: FakeNvml, *lines: str) -> None:
    """What the fake lists from now on: lines of ``process``, "scrambled", "empty" (see processes.c)."""
    path = Path(f"{fake.state}.processes")
    scratch = path.with_suffix(".new")
    scratch.write_text("".join(f"{line}\n" for line in lines))
    scratch.replace(path)


class FakeProc:
    """A folder like /proc, of a machine that was started at 1,800,000,000."""

    BOOT = 1_800_000_000

    def __init__(self, root: Path, namespace: str = "pid:[4026531836]") -> None:
        self.root = root
        (root / "self/ns").mkdir(parents=True)
        (root / "self/ns/pid").symlink_to(namespace)
        (root / "stat").write_text(f"cpu  1 2 3\nbtime {self.BOOT}\n")

    def add(self, pid: int, command: str, *, uid: int = 1000, cgroup: str = "0::/", started: float = 60.0) -> None:
        """A process; ``started`` in seconds from the boot."""
        folder = self.root / str(pid)
        folder.mkdir()
        ticks = round(started * os.sysconf("SC_CLK_TCK"))
        (folder / "stat").write_text(f"{pid} ({command}) S {' '.join(['0'] * 18)} {ticks} 0 0\n")
        (folder / "status").write_text(f"Name:\t{command}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        (folder / "cgroup").write_text(f"{cgroup}\n")

    def remove(self, pid: int) -> None:
        """The process ends."""
        folder = self.root / str(pid)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
