"""Whose turn it is: several processes run tests, and those that measure must run while no other does."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turns:
    """This process among those that run tests.

    Args:
        folder: one that they share.
    """

    def __init__(self, folder: Path) -> None:
        self._door, self._room = (os.open(folder / name, os.O_CREAT | os.O_RDWR) for name in ("door", "room"))
        self._stays = False

    @contextmanager
    def turn(self, *, alone: bool, stays: bool) -> Iterator[None]:
        """Wait for a turn, and hold it; where it ``stays``, until the end of the next one, which does not wait."""
        if not self._stays:
            fcntl.flock(self._door, fcntl.LOCK_EX)  # held by who waits for an empty room: nobody else goes in
            fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(self._door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            self._stays = stays
            if not stays:
                fcntl.flock(self._room, fcntl.LOCK_UN)
