"""The data directory: where it is, its mode, and who holds it."""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from forewarn.base.errors import StoreError, StoreLockedError


def default_data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """``$STATE_DIRECTORY`` (systemd), else /var/lib/forewarn as root, else the XDG state folder."""
    if state := environ.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/forewarn")
    return Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "forewarn"


LOCK = "forewarn.lock"


class DataDir:
    """The files of one daemon.

    Attributes:
        path: the directory, 0700.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @property
    def metrics(self) -> Path:
        """The series."""
        return self.path / "metrics.db"

    @property
    def state(self) -> Path:
        """Forecasts, alert states, the outbox."""
        return self.path / "state.db"

    @property
    def control(self) -> Path:
        """Where commands reach the daemon."""
        return self.path / "control.sock"

    def create(self) -> None:
        """Make the directory.

        Raises:
            StoreError: it cannot be made or written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._ours():
                self.path.chmod(0o700)
        except OSError as error:
            raise StoreError(
                f"cannot make the data directory {self.path}: {error.strerror}", hint="choose another with --data-dir"
            ) from error

    def _ours(self) -> bool:
        """Whether the directory holds nothing but what a daemon put there: then its mode is ours to set."""
        names = {path.name for path in self.path.iterdir()}
        return not names or LOCK in names

    def lock(self) -> None:
        """Hold the directory until ``unlock`` or the end of the process.

        Raises:
            StoreLockedError: another process holds it.
            StoreError: the directory cannot be written.
        """
        self.create()
        path = self.path / LOCK
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}", hint="choose another with --data-dir") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode(errors="replace").strip()
            os.close(handle)
            raise StoreLockedError(
                f"another forewarn{f' (pid {holder})' if holder else ''} holds {self.path}",
                hint="stop it, or choose another directory with --data-dir",
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._lock = handle

    def unlock(self) -> None:
        """Let go of the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(self, *_: object) -> None:
        self.unlock()
