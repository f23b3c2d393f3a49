"""Documents that Elasticsearch refuses for what they are: kept encrypted, with the reason, never thrown away.

They lie in segments of their own in the folder ``dead`` of the data directory. The shipper adds to them and a command
may take some away meanwhile, each under the folder's lock: for a moment, never while something is sent. A document may
stand there twice where somebody was killed in between; its index and id tell.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from forewarn.base.clock import Clock, rfc3339
from forewarn.base.files import sync
from logship.delivery.answers import Item
from logship.errors import DeadLetterFullError, LogshipError, SpoolError, SpoolKeyError
from logship.spool.keys import KeyRing
from logship.spool.private import make_private, open_private
from logship.spool.seal import Envelope
from logship.spool.segment import REFUSED, SUFFIX, Record, Segment, SegmentWriter
from logship.spool.spool import SEGMENT_BYTES

FOLDER = "dead"
OLD_NAME = "logship-dead.jsonl"
"""Where they were kept in plain text by earlier versions."""
_LOCK = "lock"
_ACCOUNT = "refused"
_TAKEN = ".taken"
_ADOPTED = 1000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A document that was refused.

    Attributes:
        time: of the refusal, RFC 3339.
        status: the document's HTTP status in the answer.
        type: of the error.
        reason: of the error.
        index: the data stream that it was meant for.
        id: the document's.
        source: the document as it was sent, without its line end.
    """

    time: str
    status: int
    type: str
    reason: str
    index: str
    id: str
    source: bytes

    @property
    def key(self) -> tuple[str, str]:
        """Which document it is."""
        return self.index, self.id

    @property
    def document(self) -> Any:
        """The document."""
        return orjson.loads(self.source)

    def pack(self) -> bytes:
        """Two lines: about the refusal, and the document."""
        about = [self.time, self.status, self.type, self.reason, self.index, self.id]
        return orjson.dumps(about) + b"\n" + self.source + b"\n"

    @classmethod
    def of(cls, time: str, index: str, document: bytes, item: Item) -> "Letter":
        """From an action with its source, and the answer to it."""
        action, source = document.rstrip(b"\n").split(b"\n", 1)
        name = orjson.loads(action)["create"]["_id"]
        return cls(time, item.status, item.type, item.reason, index, name, source)


class DeadLetters:
    """The refused documents of a data directory; may be used from any thread and by several processes.

    Args:
        directory: the data directory.
        limit: bytes of all segments at which no more are taken.
        keys: seal and open them.
        clock: tells the time of the refusal.

    Raises:
        SpoolError: the folder cannot be made.
    """

    def __init__(self, directory: Path, limit: int, keys: KeyRing, clock: Clock) -> None:
        self.folder = directory / FOLDER
        self._limit = limit
        self._keys = keys
        self._clock = clock
        self._thread_lock = threading.Lock()
        self._writer: SegmentWriter | None = None
        self._first = 0
        try:
            make_private(self.folder)
        except OSError as error:
            raise SpoolError(f"cannot make the folder {self.folder}: {error.strerror}") from error
        self._adopt(directory / OLD_NAME)

    def write(self, stream: str, refused: Sequence[tuple[bytes, Item]]) -> None:
        """Keep documents of a data stream, durable on return.

        Raises:
            DeadLetterFullError: there is no room for them, by the limit or on the disk.
        """
        time = rfc3339(self._clock.now_ms())
        self.keep([Letter.of(time, stream, document, item) for document, item in refused])

    def keep(self, letters: Sequence[Letter], *, limited: bool = True) -> None:
        """Keep letters, durable on return.

        Args:
            letters: what to keep.
            limited: whether the limit holds; it does not for those that were there before.

        Raises:
            DeadLetterFullError: there is no room for them.
        """
        data = b"".join(letter.pack() for letter in letters)
        with self._locked():
            if limited and self.size + len(data) // _COMPRESSION > self._limit:
                raise self._full(f"its limit is {self._limit} bytes")
            try:
                writer = self._open_writer()
                start = writer.next
                envelope = Envelope(_ACCOUNT, start, start + len(letters), {})
                writer.append(envelope, data, len(letters))
                writer.sync()
            except (SpoolError, OSError) as error:
                self._writer = None
                raise self._full(str(error)) from error

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        total = 0
        for path in self.segments():
            with contextlib.suppress(FileNotFoundError):  # a replay has just removed it
                total += path.stat().st_size
        return total

    def segments(self) -> list[Path]:
        """All segments, oldest first; those that a replay has taken too."""
        return sorted([*self.folder.glob(f"*{SUFFIX}"), *self.folder.glob(f"*{SUFFIX}{_TAKEN}")])

    def letters(self) -> Iterator[Letter]:
        """All that are there, each document once; what is damaged is said and passed over.

        Raises:
            SpoolKeyError: the key of a segment is not given.
        """
        seen: set[tuple[str, str]] = set()
        for path in self.segments():
            for letters in self.batches(path):
                for letter in letters:
                    if letter.key not in seen:
                        seen.add(letter.key)
                        yield letter

    def batches(self, path: Path) -> Iterator[list[Letter]]:
        """The letters of a segment, a record at a time; see ``letters``."""
        try:
            segment = Segment.open(path)
            reader = segment.reader(self._keys.find(segment.header.key_id))
            for record in segment.records():
                if isinstance(record, Record):
                    found = reader(record)
                    if found is None:
                        log.error(
                            "refused documents are damaged, and lost: about %d",
                            record.frame.lines,
                            extra={"path": str(path), "offset": record.offset, "key": segment.header.key_id.hex()},
                        )
                    else:
                        yield _unpack(found[1])
        except SpoolKeyError:
            raise
        except (SpoolError, OSError) as error:
            log.error("%s", error)  # noqa: TRY400  the message is the whole story

    def take(self) -> list[Path]:
        """Take all segments for oneself: nothing is added to them any more. Oldest first."""
        with self._locked():
            for path in self.folder.glob(f"*{SUFFIX}"):
                path.rename(path.with_name(path.name + _TAKEN))
            sync(self.folder)
            return sorted(self.folder.glob(f"*{_TAKEN}"))

    def give_back(self, paths: Sequence[Path]) -> None:
        """Give back what was taken and is not done with."""
        with self._locked():
            for path in paths:
                if path.exists():
                    path.rename(path.with_name(path.name.removesuffix(_TAKEN)))

    @contextlib.contextmanager
    def replaying(self) -> Iterator[None]:
        """Be the only one that takes letters away.

        Raises:
            LogshipError: another process does.
        """
        handle = open_private(self.folder / "replay.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise LogshipError("another replay is under way", hint="wait for its end") from None
        try:
            yield
        finally:
            os.close(handle)

    def renew(self) -> None:
        """Seal anew, under the current key, what lies under an earlier one.

        Raises:
            SpoolKeyError: the key of a segment is not given.
            DeadLetterFullError: the disk is full.
        """
        with self.replaying():
            taken = self.take()
            try:
                for path in taken:
                    if _key_of(path) not in {None, self._keys.current.id}:
                        for letters in self.batches(path):
                            self.keep(letters, limited=False)
                        path.unlink()
            finally:
                self.give_back(taken)

    def key_ids(self) -> set[bytes]:
        """Of the keys that are needed."""
        return {key for path in self.segments() if (key := _key_of(path)) is not None}

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._thread_lock:
            handle = open_private(self.folder / _LOCK, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)

    def _open_writer(self) -> SegmentWriter:
        writer = self._writer
        if writer is not None:
            taken, due = not writer.path.exists(), self._keys.refresh()
            if not (taken or due or writer.closed or writer.size >= SEGMENT_BYTES):
                return writer
            writer.close()
        now_ms = self._clock.now_ms()
        self._first = max(now_ms * 1000, self._first + 1, writer.next if writer is not None else 0)
        self._writer = SegmentWriter(self.folder, self._keys.current, kind=REFUSED, first=self._first, now_ms=now_ms)
        return self._writer

    def _adopt(self, path: Path) -> None:
        """Take over the file of an earlier version."""
        if not path.exists():
            return
        count = 0
        with path.open("rb") as file:
            while rows := list(islice(file, _ADOPTED)):
                letters = [letter for row in rows if (letter := _adopted(row)) is not None]
                self.keep(letters, limited=False)
                count += len(letters)
        path.unlink()
        log.info("%d refused documents of an earlier version were taken over and encrypted", count)

    def _full(self, reason: str) -> DeadLetterFullError:
        return DeadLetterFullError(
            f"{self.folder} takes no more refused documents: {reason}",
            hint="'forewarn logs dead' shows the reasons; mend them and run 'forewarn logs replay',"
            " or raise logs.dead_letter_bytes",
        )


_COMPRESSION = 4
"""By how much documents shrink, at least; the limit need not be exact."""


def has_segments(directory: Path) -> bool:
    """Whether anything was refused that lies in a data directory."""
    return any((directory / FOLDER).glob(f"*{SUFFIX}*"))


def _key_of(path: Path) -> bytes | None:
    """Of the key that a segment is sealed under; None where it is gone meanwhile or damaged."""
    try:
        return Segment.open(path).header.key_id
    except (SpoolError, OSError):
        return None


def _unpack(data: bytes) -> list[Letter]:
    rows = data.split(b"\n")
    return [Letter(*[*orjson.loads(about), source]) for about, source in zip(rows[:-1:2], rows[1::2], strict=True)]


def _adopted(row: bytes) -> Letter | None:
    try:
        old = orjson.loads(row)
        source = orjson.dumps(old["document"])
        return Letter(old["time"], old["status"], old["type"], old["reason"], old["index"], old["id"], source)
    except (KeyError, TypeError, ValueError):
        log.warning("a refused document of an earlier version is damaged, and passed over")
        return None
