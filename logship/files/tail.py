"""One open log file, read a piece of whole lines at a time."""

import contextlib
import os
import stat
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from logship.engine.documents import Int32, boundary
from logship.engine.times import Carried
from logship.errors import LogshipError, TruncatedError
from logship.feed import AHEAD_BYTES, Anchor, Span
from logship.files.content import Content, content_of
from logship.files.growth import Growth
from logship.files.identity import HEAD_BYTES, MARKER_BYTES, Identity, identify
from logship.shaping.keys import OUTSIDE, Inside
from logship.streams import Stream

_NOTHING: tuple[Int32, int] = (np.zeros(0, np.int32), 0)
_NOWHERE = (-1, 0)


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
        carried: what the lines before the position say about time stamps behind it.
        anchors: times at which lines behind the position were read once before, by offset.
        known: templates of lines behind the position, as far as these were looked at, and the offset behind those.
        quiet_since: seconds on the monotonic clock at which its end was reached without anything new.
        fault: why it cannot be read now.
        growth: when it had which size.
        at_end: whether nothing stood behind what was read last.
        doubtful_before: offset up to which an earlier process may have sent it.
        spooled: whether it is what the spool holds of a file.
        waiting: place and length of lines of which more may come, as they were seen last.
        inside: what the position is inside of; None where that has to be looked up.
    """

    spooled = False

    def __init__(self, content: Content, identity: Identity, modified_ns: int, max_line: int, path: Path) -> None:
        self.path = path
        self.content = content
        self.identity = identity
        self.stream: Stream | None = None
        self.position = 0
        self.carried = Carried()
        self.anchors: deque[Anchor] = deque()
        self.known = _NOTHING
        self.quiet_since: float | None = None
        self.fault: Fault | None = None
        self.head = b""
        self.first = b""
        self.marker = b""
        self.modified_ns = modified_ns
        self.growth = Growth()
        self.at_end = False
        self.doubtful_before = 0
        self.waiting = _NOWHERE
        self.inside: Inside | None = None
        self._max_line = max_line
        self._in_line = False

    @staticmethod
    def open(path: Path, max_line: int) -> "TailedFile":
        """Open a regular file.

        Raises:
            OSError: it cannot be opened, or its first bytes not be read.
            LogshipError: it is no regular file.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.ExitStack() as unless_opened:
            unless_opened.callback(os.close, descriptor)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise LogshipError(f"{path} is no regular file")
            file = TailedFile(content_of(descriptor), identify(descriptor), status.st_mtime_ns, max_line, path)
            unless_opened.pop_all()
            return file

    def resume(self, stream: Stream, anchors: list[Anchor]) -> None:
        """Go on where the stream's acknowledged bytes end.

        Raises:
            TruncatedError: the file does not hold those bytes.
        """
        self.stream = stream
        self.position, self.marker, self.carried = stream.acknowledged, stream.marker, stream.carried
        self.doubtful_before = self.position + AHEAD_BYTES
        self.anchors = deque(anchors)
        if not holds(self.content, stream):
            raise TruncatedError(f"{stream.path} was cut off")
        self.head = self.content.pread(min(stream.acknowledged, HEAD_BYTES), 0)
        self.first = self.content.pread(stream.fingerprint.length, 0)
        self.inside = None

    def take_over(self, original: "TailedFile") -> None:
        """Go on in a copy where the reading of the original ended."""
        self.stream, self.carried, self.known = original.stream, original.carried, original.known
        self.anchors = deque(original.anchors)
        self.doubtful_before = original.doubtful_before
        self.stand_at(min(original.position, self.size()))

    def start_anew(self) -> None:
        """Read from the beginning, as a file of which nothing is known."""
        self.stream, self.position, self.quiet_since = None, 0, None
        self.marker = self.head = self.first = b""
        self.carried, self.known, self.doubtful_before = Carried(), _NOTHING, 0
        self.waiting, self.inside = _NOWHERE, OUTSIDE
        self.growth.clear()
        self.anchors.clear()

    def skip_to_end(self) -> None:
        """Stand behind the last complete line."""
        end = self.content.size()
        while end:
            start = max(0, end - 65536)
            found = self.content.pread(end - start, start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        self.stand_at(end)

    def peek(self, raw: bytearray, limit: int, *, final: bool = False) -> int:
        """Read the next whole lines to the beginning of a buffer; their bytes, 0 where there are none.

        Args:
            raw: takes them.
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
        size = self._after_marker(raw, limit)
        self.at_end = size < limit
        end, parted = raw.rfind(b"\n", 0, size) + 1, False
        if not end and size == limit:  # a line that is longer than the limit
            size = self._after_marker(raw, self._max_line + 1)
            end = raw.find(b"\n", 0, size) + 1
            if parted := not end and size > self._max_line:
                end = boundary(bytes(raw[: self._max_line + 1]), self._max_line)
        self._in_line = parted
        return size if final and not end else end

    def advance(self, raw: bytearray, size: int, carried: Carried) -> None:
        """Go on behind bytes of those that were read last.

        Args:
            raw: what holds them.
            size: as many.
            carried: what the lines up to there say about time stamps behind them.
        """
        if len(self.head) == self.position < HEAD_BYTES:
            self.head = (self.head + raw[: min(size, HEAD_BYTES)])[:HEAD_BYTES]
        self.position += size
        self.carried = carried
        self.marker = (self.marker + raw[max(0, size - MARKER_BYTES) : size])[-MARKER_BYTES:]

    def skip(self) -> Span | None:
        """Go on behind bytes that are missing before more: what is to be settled; None where nothing is missing."""
        return None

    def size(self) -> int:
        """Where the file ends, in bytes; of a compressed one as far as it was decompressed."""
        return self.content.size()

    def look(self) -> int:
        """The file's size; its growth is taken down."""
        self.modified_ns = os.fstat(self.content.descriptor).st_mtime_ns
        size = self.content.size()
        if self.content.compressed or self.intact():  # else this is how much stands in the place of what was cut off
            self.growth.saw(size, self.modified_ns // 1_000_000)
        return size

    def removed(self) -> bool:
        """Whether the file has no name any more."""
        return os.fstat(self.content.descriptor).st_nlink == 0

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.content.descriptor)

    def intact(self) -> bool:
        """Whether the file still holds the bytes before the position; before anything was read, its first ones."""
        if not self.position:
            return self.stream is None or self.stream.fingerprint.matches(self.content)
        return self.content.pread(len(self.marker), self.position - len(self.marker)) == self.marker

    def stand_at(self, position: int) -> None:
        """Go on at an offset, before which everything counts as read."""
        self.position = position
        self.inside = None
        known = min(position, MARKER_BYTES)
        self.marker = self.content.pread(known, position - known)
        self.head = self.content.pread(min(position, HEAD_BYTES), 0)

    def _after_marker(self, raw: bytearray, limit: int) -> int:
        marker = bytearray(len(self.marker))
        with memoryview(raw) as view, view[:limit] as part:
            size = self.content.fill(marker, part, self.position - len(marker)) - len(marker)
        if size < 0 or marker != self.marker:
            raise TruncatedError("the file was cut off")
        if self.position == 0 and not self.intact():
            raise TruncatedError("the file was cut off before anything of it was read")
        return size


def holds(content: Content, stream: Stream) -> bool:
    """Whether an open file holds the acknowledged bytes of a stream, by its first and its last ones."""
    start = stream.acknowledged - len(stream.marker)
    return stream.fingerprint.matches(content) and content.pread(len(stream.marker), start) == stream.marker
