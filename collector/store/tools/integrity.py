"""Reading the whole file in the background, slowly, for bits that have flipped."""

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from collector.store.coding import codec
from collector.store.errors import translated
from collector.store.query.opening import open_store
from forewarn.base.errors import StoreError

log = logging.getLogger(__name__)

COLUMNS = (("axes", "times"), ("chunks", "cells"), ("rollups", "cells"))
_SLICE_BYTES = 256 * 1024
_NAMED = 5
_LOWEST_PRIORITY = 19


class IntegrityCheck:
    """One reading of all that has a checksum, on a thread of its own, at the lowest priority.

    At the start of the program a large file is not read whole: that takes too long. What this finds is told and
    counted; queries leave damaged entries out and answer from the next coarser form, so that nothing else is lost.

    Args:
        path: metrics.db.
        delay: seconds before it begins.
        pause: seconds between two slices of a quarter of a megabyte.

    Attributes:
        damaged: entries found damaged so far.
        entries: entries read so far.
    """

    def __init__(self, path: Path, delay: float = 60.0, pause: float = 0.02) -> None:
        self.damaged = 0
        self.entries = 0
        self._path = path
        self._delay = delay
        self._pause = pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-integrity", daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is done, at the latest after ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self) -> None:
        """End it before it is done."""
        self._ended.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # a sandbox may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        if self._ended.wait(self._delay):
            return
        for table, column in COLUMNS:
            try:
                if not self._read(table, column):
                    return
            except StoreError as error:
                self._tell(table, error.message)

    def _read(self, table: str, column: str) -> bool:
        """Whether the whole table was read; False where it was to end."""
        last = 0
        while not self._ended.wait(self._pause):
            with translated(self._path), closing(open_store(self._path)) as connection:
                found = list(_slice(connection, table, column, last))
            if not found:
                return True
            self.entries += len(found)
            for row, sound in found:
                if not sound:
                    self._tell(table, f"entry {row} is not what was written")
            last = found[-1][0]
        return False

    def _tell(self, table: str, what: str) -> None:
        self.damaged += 1
        if self.damaged <= _NAMED:
            hint = "the disk, or the memory, fails: see 'forewarn store check' and the kernel's log"
            log.error("metrics.db is damaged", extra={"table": table, "error": what, "hint": hint})


def _slice(connection: sqlite3.Connection, table: str, column: str, after: int) -> Iterator[tuple[int, bool]]:
    """Some rows in order: their ids, and whether each is what was written."""
    size = 0
    for row, crc, data in connection.execute(
        f"SELECT id, crc, {column} FROM {table} WHERE id > ? ORDER BY id", (after,)
    ):
        yield row, codec.sound(data, crc)
        size += len(data)
        if size >= _SLICE_BYTES:
            return
