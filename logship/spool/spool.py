"""The spool: ranges of bytes of any account, encrypted on the disk until they have arrived.

A range is kept once ``sync`` has returned. What is released is removed with its segment, as soon as nothing else in
that is needed. What does not fit, grows too old or is damaged is counted and named.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forewarn.base.clock import Clock
from logship.errors import SpoolBusyError, SpoolError, SpoolKeyError
from logship.spool.index import Entry, Held
from logship.spool.keys import KeyRing
from logship.spool.losses import Losses, Reason
from logship.spool.private import make_private, open_private
from logship.spool.seal import Envelope
from logship.spool.segment import SPOOLED, Segment, SegmentWriter
from logship.spool.settings import SpoolSettings
from logship.spool.shelf import Shelf, segments

FOLDER = "spool"
LOCK = "lock"
SEGMENT_BYTES = 16 * 1024 * 1024
BLOCK_BYTES = 256 * 1024
"""A good size of a record's data."""
_CACHED_BLOCKS = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Block:
    """A range as it was put in.

    Attributes:
        start: where in its account it begins.
        end: where it ends.
        data: its bytes.
        origin: what was put in with them.
    """

    start: int
    end: int
    data: bytes
    origin: dict[str, Any]


class Spool:
    """All segments of one data directory; one process at a time, from any thread.

    Args:
        directory: the data directory.
        settings: limits.
        keys: the keys.
        clock: the clocks; a wall clock that leaps while the process runs makes nothing older.

    Attributes:
        losses: what could not be kept.
        device: of the disk that it lies on.
        limit: bytes that it may take.
        elsewhere: whether an account's bytes can still be had without the spool: what is dropped is not lost then.

    Raises:
        SpoolError: the folder cannot be made or read, or another process holds it.
    """

    def __init__(self, directory: Path, settings: SpoolSettings, keys: KeyRing, clock: Clock) -> None:
        self._folder = directory / FOLDER
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._began = clock.now_ms(), clock.monotonic()
        self._lock = threading.RLock()
        self._writer: SegmentWriter | None = None
        self._unsynced: dict[SegmentWriter, float] = {}
        self._blocks: OrderedDict[Entry, Block] = OrderedDict()
        self._told: set[str] = set()
        self._segment_bytes = min(SEGMENT_BYTES, settings.max_bytes // 8)
        self.limit = settings.max_bytes
        self.elsewhere: Callable[[str], bool] = lambda _account: False
        try:
            make_private(self._folder)
            self._locked = _locked(self._folder / LOCK)
            self.device = self._folder.stat().st_dev
            self.losses = Losses(self._folder, clock)
            self._shelf = Shelf(self._folder, keys, self.losses)
            for path in segments(self._folder):
                self._shelf.load(path)
        except OSError as error:
            raise SpoolError(f"cannot open the spool {self._folder}: {error.strerror}") from error

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        with self._lock:
            return sum(held.size for held in self._shelf.held.values())

    @property
    def oldest_ms(self) -> int | None:
        """When the oldest segment was begun; None where there is none."""
        with self._lock:
            return min((held.segment.header.created_ms for held in self._shelf.held.values()), default=None)

    def put(self, envelope: Envelope, data: bytes | memoryview, lines: int, *, compress: bool = True) -> None:
        """Put a range in; ``sync`` makes it durable. Where the spool is full, the oldest goes.

        Args:
            envelope: which range.
            data: its bytes.
            lines: in it.
            compress: whether it is worth the time: not for what is likely to be released in a moment.

        Raises:
            SpoolError: it could not be written.
        """
        with self._lock:
            writer = self._open_writer()
            try:
                record = writer.append(envelope, data, lines, compress=compress)
            except SpoolError:
                self._end_segment()
                raise
            self._unsynced.setdefault(writer, self._clock.monotonic())
            held = self._shelf.held[writer.path.name]
            self._shelf.next, held.size = writer.next, writer.size
            self._shelf.paths[envelope.account] = str(envelope.origin.get("path", ""))
            self._shelf.take(held, record, envelope.account, envelope.start, envelope.end)
            self._drop_oldest()

    def sync(self, *, older: float = 0.0) -> None:
        """Make durable what was put in.

        Args:
            older: seconds that it must have waited for that; what is released meanwhile need never reach the disk.

        Raises:
            SpoolError: it may not be.
        """
        due = self._clock.monotonic() - older
        with self._lock:
            for writer in [writer for writer, since in self._unsynced.items() if since <= due]:
                del self._unsynced[writer]
                try:
                    writer.sync()
                finally:
                    if writer is not self._writer:
                        writer.close()
                    elif writer.closed:
                        self._end_segment()

    def accounts(self) -> list[str]:
        """The accounts of which anything is here."""
        with self._lock:
            return self._shelf.index.accounts()

    def ranges(self, account: str) -> list[tuple[int, int]]:
        """What is here of an account, in order."""
        with self._lock:
            return self._shelf.index.ranges(account)

    def check_keys(self, account: str) -> None:
        """See that an account can be read.

        Raises:
            SpoolKeyError: a key is missing.
        """
        with self._lock:
            for key_id in self._shelf.index.key_ids(account):
                self._keys.find(key_id)

    def missing(self, account: str, start: int, end: int) -> list[tuple[int, int]]:
        """Those parts of a range that are not here."""
        with self._lock:
            return list(self._shelf.index.missing(account, start, end))

    def block(self, account: str, at: int) -> Block | None:
        """The first range that ends behind an offset, None where there is none; damaged ones are passed over.

        Raises:
            SpoolKeyError: its key is not given.
            SpoolError: it cannot be read now.
        """
        with self._lock:
            while (entry := self._shelf.index.following(account, at)) is not None:
                block = self._read(entry)
                if block is not None:
                    return block
            return None

    def release(self, account: str, upto: int | None = None) -> None:
        """Everything of an account before an offset has arrived; without one, all of it, or nobody wants the rest."""
        with self._lock:
            for entry in self._shelf.index.before(account, upto):
                self._remove(entry)
            self._forget_writers()

    def tend(self) -> None:
        """What is due now and then: the age limit, a key that was replaced, segments that nobody needs.

        Raises:
            SpoolError: the disk or the keys do not let it.
        """
        with self._lock:
            began_ms, began = self._began
            now_ms = began_ms + round((self._clock.monotonic() - began) * 1000)
            for held in list(self._shelf.held.values()):
                if now_ms - held.segment.header.created_ms > self._settings.max_age * 1000:
                    self._drop(held, "age limit")
            if self._writer is not None and not self._shelf.held[self._writer.path.name].entries:
                self._end_segment()
            self._renew()

    def close(self) -> None:
        """Make everything durable and let go of the folder."""
        with self._lock:
            with contextlib.suppress(SpoolError):
                self.sync()
            self._end_segment()
            os.close(self._locked)

    def _read(self, entry: Entry) -> Block | None:
        block = self._blocks.get(entry)
        if block is not None:
            return block
        segment = entry.held.segment
        key = self._keys.find(segment.header.key_id)
        try:
            found = segment.read(entry.record, key)
        except OSError as error:
            raise SpoolError(f"cannot read {segment.path}: {error.strerror}") from error
        if found is None:
            self._shelf.lose(entry.held, entry.record)
            self._remove(entry)
            return None
        envelope, data = found
        self._shelf.paths[entry.account] = str(envelope.origin.get("path", ""))
        block = self._blocks[entry] = Block(envelope.start, envelope.end, data, envelope.origin)
        while len(self._blocks) > _CACHED_BLOCKS:
            self._blocks.popitem(last=False)
        return block

    def _open_writer(self) -> SegmentWriter:
        if self._writer is not None and self._writer.size < self._segment_bytes:
            return self._writer
        self._end_segment()
        self._keys.refresh()
        self._writer = SegmentWriter(
            self._folder, self._keys.current, kind=SPOOLED, first=self._shelf.next, now_ms=self._clock.now_ms()
        )
        self._shelf.writing = self._writer.path
        segment = Segment(self._writer.path, self._writer.header)
        self._shelf.held[self._writer.path.name] = Held(segment, self._writer.size)
        return self._writer

    def _end_segment(self) -> None:
        """Write no more of the current one; it is closed once it is synced or gone."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._shelf.next, self._shelf.writing = writer.next, None
            self._shelf.remove_if_empty(self._shelf.held[writer.path.name])
            if writer not in self._unsynced or writer.closed:
                self._unsynced.pop(writer, None)
                writer.close()

    def _forget_writers(self) -> None:
        """Close those of which nothing is needed any more before they were synced."""
        for writer in [writer for writer in self._unsynced if writer.path.name not in self._shelf.held]:
            del self._unsynced[writer]
            writer.close()

    def _remove(self, entry: Entry) -> None:
        self._blocks.pop(entry, None)
        self._shelf.index.remove(entry)
        self._shelf.remove_if_empty(entry.held)

    def _drop_oldest(self) -> None:
        while self.size > self.limit and len(self._shelf.held) > 1:
            oldest = min(self._shelf.held.values(), key=lambda held: held.segment.header.created_ms)
            self._drop(oldest, "size limit")

    def _drop(self, held: Held, reason: Reason) -> None:
        """Give up a segment; what of it cannot be had elsewhere is lost."""
        if self._writer is not None and self._writer.path == held.segment.path:
            self._end_segment()
        entries = list(held.entries)
        self.losses.add([self._shelf.loss(entry, reason) for entry in entries if not self.elsewhere(entry.account)])
        for entry in entries:
            self._remove(entry)

    def _renew(self) -> None:
        """Seal one segment that is under an earlier key anew."""
        self._keys.refresh()
        current = self._keys.current.id
        if self._writer is not None and self._writer.header.key_id != current:
            self.sync()
            self._end_segment()
        for held in list(self._shelf.held.values()):
            if held.segment.header.key_id != current:
                try:
                    self._shelf.rewrite(held)
                except SpoolKeyError as error:
                    self._tell_once(held, error)
                else:
                    return

    def _tell_once(self, held: Held, error: SpoolKeyError) -> None:
        if held.segment.path.name not in self._told:
            self._told.add(held.segment.path.name)
            log.error("%s is kept, but cannot be read: %s", held.segment.path, error)

    def key_ids(self) -> set[bytes]:
        """Of the keys that are needed."""
        with self._lock:
            return {held.segment.header.key_id for held in self._shelf.held.values()}


def _locked(path: Path) -> int:
    handle = open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SpoolBusyError(
            f"another log shipper holds {path.parent}", hint="stop it, or choose another directory with --data-dir"
        ) from None
    return handle
