"""One open log file, read a piece of whole lines at a time."""

import os
import stat
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from logship.checkpoint import Anchor, Stream
from logship.encode import boundary
from logship.errors import LogshipError, TruncatedError
from logship.identity import HEAD_BYTES, MARKER_BYTES, Identity, identify


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a file and the offset at which they start."""

    start: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """An error number, and the seconds on the monotonic clock since which every reading ends with it."""

    errno: int | None
    since: float


class TailedFile:
    """A file that is kept open, wherever it is renamed to, and a place in it.

    Attributes:
        path: where it was opened.
        stream: what the checkpoint says of it; None until its first line is complete.
        position: offset of the next byte to read.
        carry: the last time stamp before the position.
        anchors: times at which lines behind the position were read once before, by offset.
        quiet_since: seconds on the monotonic clock at which its end was reached without anything new.
        fault: why it cannot be read now.
    """

    def __init__(self, descriptor: int, max_line: int, path: Path) -> None:
        self.path = path
        self.descriptor = descriptor
        self.identity: Identity = identify(descriptor)
        self.stream: Stream | None = None
        self.position = 0
        self.carry = b""
        self.anchors: deque[Anchor] = deque()
        self.quiet_since: float | None = None
        self.next_look = 0.0
        self.fault: Fault | None = None
        self.head = b""
        self.first = b""
        self.marker = b""
        self.modified_ns = os.fstat(descriptor).st_mtime_ns
        self._max_line = max_line
        self._in_line = False

    @classmethod
    def open(cls, path: Path, max_line: int) -> "TailedFile":
        """Open a regular file.

        Raises:
            OSError: it cannot be opened.
            LogshipError: it is no regular file.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise LogshipError(f"{path} is no regular file")
        return cls(descriptor, max_line, path)

    def resume(self, stream: Stream, anchors: list[Anchor]) -> None:
        """Go on where the stream's acknowledged bytes end.

        Raises:
            TruncatedError: the file does not hold those bytes.
        """
        self.stream = stream
        self.position, self.marker, self.carry = stream.acknowledged, stream.marker, stream.carry
        if not holds(self.descriptor, stream):
            raise TruncatedError(f"{stream.path} was cut off")
        self.head = os.pread(self.descriptor, min(stream.acknowledged, HEAD_BYTES), 0)
        self.first = os.pread(self.descriptor, stream.fingerprint.length, 0)
        self.anchors = deque(anchors)

    def take_over(self, original: "TailedFile") -> None:
        """Go on in a copy where the reading of the original ended."""
        self.stream, self.carry = original.stream, original.carry
        self.anchors = deque(original.anchors)
        self._stand_at(min(original.position, self.size()))

    def start_anew(self) -> None:
        """Read from the beginning, as a file of which nothing is known."""
        self.stream, self.position, self.quiet_since, self.next_look = None, 0, None, 0.0
        self.marker = self.carry = self.head = self.first = b""
        self.anchors.clear()

    def skip_to_end(self) -> None:
        """Stand behind the last complete line."""
        end = os.fstat(self.descriptor).st_size
        while end:
            start = max(0, end - 65536)
            found = os.pread(self.descriptor, end - start, start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        self._stand_at(end)

    def read(self, limit: int, *, final: bool = False) -> Piece | None:
        """The next whole lines, None where there are none.

        Args:
            limit: bytes to read at most, unless one line needs more.
            final: nothing more will be written: a last line without its end counts as whole.

        Raises:
            TruncatedError: the bytes before the position are no longer those that were read.
        """
        while self.anchors and self.anchors[0].end_offset <= self.position:
            self.anchors.popleft()
        if self.anchors:
            limit = min(limit, self.anchors[0].end_offset - self.position)
        if self._in_line:  # the next piece is mostly no longer than this one
            limit = min(limit, self._max_line + 1)
        data = self._after_marker(limit)
        end, parted = data.rfind(b"\n") + 1, False
        if not end and len(data) == limit:  # a line that is longer than the limit
            data = self._after_marker(self._max_line + 1)
            end = data.find(b"\n") + 1
            if parted := not end and len(data) > self._max_line:
                end = boundary(data, self._max_line)
        self._in_line = parted
        if not end and final:
            end = len(data)
        return self._advance(data[:end]) if end else None

    def size(self) -> int:
        """The file's size in bytes."""
        return os.fstat(self.descriptor).st_size

    def removed(self) -> bool:
        """Whether the file has no name any more."""
        return os.fstat(self.descriptor).st_nlink == 0

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.descriptor)

    def intact(self) -> bool:
        """Whether the file still holds the bytes before the position."""
        return os.pread(self.descriptor, len(self.marker), self.position - len(self.marker)) == self.marker

    def _stand_at(self, position: int) -> None:
        self.position = position
        known = min(position, MARKER_BYTES)
        self.marker = os.pread(self.descriptor, known, position - known)
        self.head = os.pread(self.descriptor, min(position, HEAD_BYTES), 0)

    def _after_marker(self, limit: int) -> bytes:
        known = len(self.marker)
        data = os.pread(self.descriptor, known + limit, self.position - known)
        if data[:known] != self.marker:
            raise TruncatedError("the file was cut off")
        if self.position == 0 and not (data.startswith(self.first) or (self.first.startswith(data) and data)):
            raise TruncatedError("the file was cut off before anything of it was read")
        return data[known:]

    def _advance(self, data: bytes) -> Piece:
        piece = Piece(self.position, data)
        self.position += len(data)
        self.marker = (self.marker + data[-MARKER_BYTES:])[-MARKER_BYTES:]
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + data[:HEAD_BYTES])[:HEAD_BYTES]
        self.modified_ns = os.fstat(self.descriptor).st_mtime_ns
        return piece


def holds(descriptor: int, stream: Stream) -> bool:
    """Whether an open file holds the acknowledged bytes of a stream, by its first and its last ones."""
    start = stream.acknowledged - len(stream.marker)
    return stream.fingerprint.matches(descriptor) and os.pread(descriptor, len(stream.marker), start) == stream.marker
