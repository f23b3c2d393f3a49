"""Segments: files of sealed records, written once from front to back.

A process that was killed leaves a record that ends too early; that torn tail was never taken as kept, and is cut off.
Any other damage costs the record that it hits and no more: where a frame is damaged the next whole one is looked for,
and the bytes between are tried as the record that should stand there.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from forewarn.base.files import sync
from logship.errors import SpoolError, SpoolFullError
from logship.spool.keys import Key
from logship.spool.layout import FRAME_BYTES, FRAME_MAGIC, HEADER_BYTES, TAG_BYTES, Frame, Header
from logship.spool.private import open_private
from logship.spool.seal import Envelope, Sealer

SUFFIX = ".segment"
SPOOLED, REFUSED = 1, 2
"""Kinds of segments."""


@dataclass(frozen=True, slots=True)
class Record:
    """Where a record lies.

    Attributes:
        frame: what its frame says, or what stood there to be read where that is damaged (``account`` empty then).
        offset: of the body in the file.
        whole: whether the frame is intact.
    """

    frame: Frame
    offset: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Torn:
    """A segment's end that was never finished: everything from ``offset`` on."""

    offset: int


class SegmentWriter:
    """Writes one segment; for one thread at a time.

    Args:
        folder: where it is made.
        key: it is sealed under a key derived from this one.
        kind: SPOOLED or REFUSED.
        first: sequence of its first record.
        now_ms: time of creation.

    Attributes:
        path: the file.
        header: of the segment.
        size: bytes written.
        next: sequence of the next record, of this segment or of another.

    Raises:
        SpoolFullError: the file cannot be made.
    """

    def __init__(self, folder: Path, key: Key, *, kind: int, first: int, now_ms: int) -> None:
        self.header = Header(kind, os.urandom(16), key.id, now_ms, first)
        self.path = folder / f"{first:016x}-{self.header.segment_id[:4].hex()}{SUFFIX}"
        self.size = 0
        self._sealer = Sealer(key, self.header)
        self.next = first
        self._named = False
        try:
            self._file = open_private(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except OSError as error:
            raise _full(self.path, error) from error
        self.closed = False
        try:
            self._write([self.header.pack()])
        except SpoolFullError:
            self.path.unlink()  # a full disk would gather empty ones
            raise

    def append(self, envelope: Envelope, data: bytes | memoryview, lines: int, *, compress: bool = True) -> Record:
        """Write a record; it is kept once ``sync`` has returned.

        Raises:
            SpoolFullError: it could not be written; the segment is closed, what was in it before stays.
        """
        body = self._sealer.seal(self.next, envelope, data, compress=compress)
        frame = Frame(len(body), self.next, envelope.account, envelope.start, envelope.end, lines, len(data))
        self.next += 1
        self._write([frame.pack(), body])
        return Record(frame, self.size - len(body))

    def sync(self) -> None:
        """Wait until everything written is on the disk.

        Raises:
            SpoolFullError: it may not be; the segment is closed.
        """
        if self.closed:
            return
        try:
            os.fdatasync(self._file)
            if not self._named:
                sync(self.path.parent)
                self._named = True
        except OSError as error:
            self.close()
            raise _full(self.path, error) from error

    def close(self) -> None:
        """Write no more of it."""
        if not self.closed:
            self.closed = True
            os.close(self._file)

    def _write(self, parts: list[bytes | memoryview]) -> None:
        total = sum(map(len, parts))
        try:
            written = os.writev(self._file, parts)
            while written < total:
                written += os.write(self._file, b"".join(parts)[written:])
        except OSError as error:
            with contextlib.suppress(OSError):  # else it is a torn tail, which readers cut off
                os.ftruncate(self._file, self.size)
            self.close()  # the number of this record may stand on the disk: it is not used again
            raise _full(self.path, error) from error
        self.size += total


class Segment:
    """Reads one segment.

    Attributes:
        path: the file.
        header: of the segment.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.header = header

    @classmethod
    def open(cls, path: Path) -> Self:
        """A segment by its file.

        Raises:
            OSError: it cannot be read.
            SpoolError: both copies of its header are damaged.
        """
        with path.open("rb") as file:
            header = Header.unpack(file.read(HEADER_BYTES))
        if header is None:
            raise SpoolError(f"{path} is no segment of the spool, or its header is damaged")
        return cls(path, header)

    def records(self) -> Iterator[Record | Torn]:
        """What it holds, in order, told from the frames; the bodies are not looked at."""
        yield from records(self.path, self.header.first)

    def read(self, record: Record, key: Key) -> tuple[Envelope, bytes] | None:
        """Envelope and data of a record, None where it is damaged.

        Raises:
            OSError: the file cannot be read.
        """
        return self.reader(key)(record)

    def reader(self, key: Key) -> "Reader":
        """Reads several records."""
        return Reader(self.path, self.header, key)


class Reader:
    """Opens records of one segment.

    Args:
        path: the file.
        header: of the segment.
        key: of the spool.
    """

    def __init__(self, path: Path, header: Header, key: Key) -> None:
        self._path = path
        self._sealer = Sealer(key, header)

    def __call__(self, record: Record) -> tuple[Envelope, bytes] | None:
        """Envelope and data of a record, None where it is damaged."""
        with self._path.open("rb", buffering=0) as file:
            body = os.pread(file.fileno(), record.frame.length, record.offset)
        found = self._sealer.open(record.frame.sequence, body)
        if found is None or (record.whole and not _agree(found[0], record.frame)):
            return None
        return found


def records(path: Path, first: int = 0) -> Iterator[Record | Torn]:
    """What a file's frames say.

    Args:
        path: a segment; its header need not be intact.
        first: sequence of its first record.
    """
    with path.open("rb", buffering=0) as file:
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        at, due = HEADER_BYTES, first
        while at < size:
            frame = Frame.unpack(os.pread(descriptor, FRAME_BYTES, at))
            body = at + FRAME_BYTES
            if frame is not None and body + frame.length <= size:
                yield Record(frame, body)
                at, due = body + frame.length, frame.sequence + 1
                continue
            following = None if frame is not None else _next_frame(descriptor, at + 1, size)
            end = size if following is None else following
            if frame is not None or end - body < TAG_BYTES:
                yield Torn(at)
                return
            yield Record(Frame(end - body, due, "", 0, 0, 0, 0), body, whole=False)
            at, due = end, due + 1


def _next_frame(descriptor: int, begin: int, size: int) -> int | None:
    """Where the next intact frame stands."""
    data = os.pread(descriptor, size - begin, begin)
    at = data.find(FRAME_MAGIC)
    while at >= 0:
        if Frame.unpack(data[at : at + FRAME_BYTES]) is not None:
            return begin + at
        at = data.find(FRAME_MAGIC, at + 1)
    return None


def _agree(envelope: Envelope, frame: Frame) -> bool:
    return (envelope.account, envelope.start, envelope.end) == (frame.account, frame.start, frame.end)


def _full(path: Path, error: OSError) -> SpoolFullError:
    return SpoolFullError(f"cannot write {path}: {error.strerror}", hint="is there room on the disk?")
