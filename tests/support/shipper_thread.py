"""A log shipper in the test's own process, on a clock that leaps when the test says so."""

import contextlib
import random
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from forewarn.base.clock import SystemClock
from logship.files.identity import identify
from logship.settings import LogsSettings
from logship.shipper import Shipper
from tests.support import machine_code

_END_SECONDS = 60.0
_BETWEEN_LEAPS = 0.5


class LeapingClock(SystemClock):
    """The system's clock, and leaps that a test adds to its monotonic time."""

    leap = 0.0
    _leapt = float("-inf")

    def monotonic(self) -> float:
        return super().monotonic() + self.leap

    def leapt(self, seconds: float) -> bool:
        """Leap, if the last one was half a second ago: whoever is to find time passed must look in between."""
        if time.monotonic() - self._leapt > _BETWEEN_LEAPS:
            self._leapt = time.monotonic()
            self.leap += seconds
        return True


@contextlib.contextmanager
def in_process(
    settings: Mapping[str, Any], directory: Path, clock: LeapingClock, *, keeping: bool = True
) -> Iterator[Shipper]:
    """A shipper for the length of a block; at its end all of it has ended, as after the end of a process.

    Args:
        settings: what to ship and where to.
        directory: of its data.
        clock: its clock.
        keeping: whether its account is kept meanwhile; else the block does that.
    """
    machine_code.make()
    checked = LogsSettings.model_validate(dict(settings))
    shipper = Shipper(checked, directory, hostname="n", clock=clock, chance=random.Random(1))
    shipper.start()
    keeper = threading.Thread(target=shipper.keep, args=(1e6,))
    if keeping:
        keeper.start()
    try:
        yield shipper
    finally:
        shipper.ask_to_stop()
        if keeping:
            keeper.join()
        end = time.monotonic() + _END_SECONDS
        while not shipper.stop():
            assert time.monotonic() < end, "the shipper does not end"


def known(directory: Path, table: str = "streams") -> list[str]:
    """Names of the files of which the checkpoint has rows in a table, in order."""
    with contextlib.closing(sqlite3.connect(directory / "logship.db")) as connection:
        rows = connection.execute(f"SELECT path FROM {table}").fetchall()
    return sorted(Path(path).name for (path,) in rows)


def births_are_kept(directory: Path) -> bool:
    """Whether the file system tells when a file was made."""
    with (directory / "probe").open("wb") as file:
        return identify(file.fileno()).birth_ns != 0


def open_inodes() -> set[int]:
    """The inodes of all that this process has open."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(link.stat().st_ino)
    return found
