"""A scratch directory for a process that may be killed: whoever comes next sweeps what the dead left behind.

Stan writes its inputs and outputs to the temporary directory and removes them only at an orderly exit.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "forewarn-forecast-"
_LOCK = "in-use"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A new directory that is also where ``tempfile`` puts things; it is gone afterwards.

    Directories of the same kind whose owner is dead (nobody holds the lock in them) are removed first.
    """
    before = tempfile.tempdir
    parent = Path(tempfile.gettempdir())
    sweep(parent)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    lock = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    tempfile.tempdir = str(path)
    try:
        yield path
    finally:
        tempfile.tempdir = before
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def sweep(parent: Path) -> None:
    """Remove the scratch directories of dead processes of this user."""
    for path in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's, or in use
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
