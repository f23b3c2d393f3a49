"""A file system whose server never says a word: whatever asks it for anything hangs in the kernel."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEVICE = Path("/dev/fuse")
_LIBC = ctypes.CDLL(None, use_errno=True)
_DETACH = 2
_CLONE_FS, _CLONE_NEWNS = 0x200, 0x20000
_PRIVATE = 0x4000 | 1 << 18


def can_mount() -> bool:
    """Whether this machine lets us mount one."""
    return os.geteuid() == 0 and os.access(DEVICE, os.R_OK | os.W_OK)


@contextmanager
def dead_mount(directory: Path) -> Iterator[Path]:
    """Mount it on a directory; at the end the connection is cut, and every call that hangs gets an error.

    Only this thread, and the threads and processes that it starts meanwhile, see the mount: it would alarm the daemons
    of tests that run beside this one.

    Raises:
        OSError: the kernel refuses the mount.
    """
    with mounts_apart():
        server = os.open(DEVICE, os.O_RDWR)
        try:
            mount(directory, f"fd={server},rootmode=40000,user_id=0,group_id=0")
            yield directory
        finally:
            os.close(server)
            detach(directory)


def mount(directory: Path, options: str) -> None:
    """Mount a file system of a server of ours.

    Raises:
        OSError: the kernel refuses the mount.
    """
    _call("mount", b"ours", os.fsencode(directory), b"fuse", 0, options.encode())


def detach(directory: Path) -> None:
    """Unmount it, whoever still uses it."""
    _LIBC.umount2(os.fsencode(directory), _DETACH)


@contextmanager
def mounts_apart() -> Iterator[None]:
    """A mount name space for this thread, see mount_namespaces(7); setns(2) loses the current directory."""
    before, place = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY), Path.cwd()
    _call("unshare", _CLONE_NEWNS)
    try:
        _call("mount", b"none", b"/", None, _PRIVATE, None)
        yield
    finally:
        _call("unshare", _CLONE_FS)
        _call("setns", before, _CLONE_NEWNS)
        os.close(before)
        os.chdir(place)


def _call(name: str, *arguments: object) -> None:
    if getattr(_LIBC, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name} refused")
