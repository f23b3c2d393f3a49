"""What the spool holds of a file that is gone, read as the file was."""

import logging
from collections import deque
from pathlib import Path
from typing import Any

from logship.engine.times import Carried
from logship.errors import SpoolError
from logship.feed import Anchor, FileState, Span
from logship.files.tail import TailedFile
from logship.spool.losses import Loss
from logship.spool.spool import Spool
from logship.streams import Stream

log = logging.getLogger(__name__)


class SpooledContent:
    """The bytes of one account, by offset; see ``logship.files.content.Content``.

    Args:
        spool: holds them.
        account: whose.
    """

    compressed = False
    complete = True
    damage = ""
    descriptor = -1

    def __init__(self, spool: Spool, account: str) -> None:
        self._spool = spool
        self._account = account
        ranges = spool.ranges(account)
        last = self._block(ranges[-1][1] - 1) if ranges else None
        self._end = max(ranges[-1][1], int(last[2].get("size", 0))) if ranges and last else 0

    def pread(self, count: int, offset: int) -> bytes:
        """Bytes from an offset on, fewer than ``count`` at the end and before a gap."""
        parts: list[bytes] = []
        while count > 0:
            found = self._block(offset)
            if found is None or found[0] > offset:
                break
            start, data, _ = found
            part = data[offset - start : offset - start + count]
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return b"".join(parts)

    def fill(self, marker: bytearray, buffer: memoryview, offset: int) -> int:
        """Read into buffers that are used again."""
        data = self.pread(len(marker) + len(buffer), offset)
        marker[: min(len(marker), len(data))] = data[: len(marker)]
        rest = data[len(marker) :]
        buffer[: len(rest)] = rest
        return len(data)

    def size(self) -> int:
        """Where the file ended when it was last seen."""
        return self._end

    def following(self, offset: int) -> int:
        """Where there is something again, at an offset or behind it; the end where there is nothing more."""
        found = self._block(offset)
        return self._end if found is None else max(offset, found[0])

    def _block(self, offset: int) -> tuple[int, bytes, dict[str, Any]] | None:
        try:
            block = self._spool.block(self._account, offset)
        except SpoolError as error:
            raise OSError(None, str(error)) from error
        return None if block is None else (block.start, block.data, block.origin)


class SpooledFile(TailedFile):
    """A file that has vanished, as far as the spool holds it.

    Args:
        spool: holds it.
        stream: its bytes.
        max_line: the longest line in bytes that is kept in one piece.
    """

    spooled = True

    def __init__(self, spool: Spool, stream: Stream, max_line: int) -> None:
        self._held = SpooledContent(spool, stream.file_id)
        super().__init__(self._held, stream.identity, stream.modified_ns, max_line, Path(stream.path))
        self._spool = spool
        self.stream = stream
        self.resume(stream, [])
        self.doubtful_before = self._held.size()
        self.growth.saw(self._held.size(), stream.modified_ns // 1_000_000)

    def resume(self, stream: Stream, anchors: list[Anchor]) -> None:
        """Go on where the stream's acknowledged bytes end."""
        self.stream, self.position = stream, stream.acknowledged
        self.marker, self.carried = stream.marker, stream.carried
        self.anchors = deque(anchors)

    def take_over(self, original: TailedFile) -> None:
        """Go on where the reading of the file itself ended."""
        self.carried, self.known, self.anchors = original.carried, original.known, deque(original.anchors)
        self.position, self.marker = original.position, original.marker
        self.doubtful_before, self.inside, self.waiting = original.doubtful_before, original.inside, original.waiting

    def peek(self, raw: bytearray, limit: int, *, final: bool = False) -> int:  # noqa: ARG002  it is, always
        """Read the next lines; one that ends where something is missing is taken as it is."""
        return super().peek(raw, limit, final=True)

    def advance(self, raw: bytearray, size: int, carried: Carried) -> None:
        """Go on behind bytes of those that were read last."""
        super().advance(raw, size, carried)
        self.head = b""  # the file's first bytes are not here, and its fingerprint is known

    def skip(self) -> Span | None:
        """Go on behind what is missing here, if that comes next: what is to be settled, for nobody can send it."""
        following = self._held.following(self.position)
        if following <= self.position:
            return None
        assert self.stream is not None
        start, self.position, self.marker = self.position, following, b""
        gap = Loss(self.stream.file_id, self.stream.path, start, following, None, following - start, "gone")
        self._spool.losses.add_unless_known(gap)
        return Span(self.stream.file_id, start, following, FileState(b"", self.carried, b"", self.modified_ns))

    def look(self) -> int:
        """The size that it had."""
        return self._held.size()

    def removed(self) -> bool:
        """It is gone."""
        return True

    def close(self) -> None:
        """Nothing is open."""

    def intact(self) -> bool:
        """What is in the spool does not change."""
        return True

    def _after_marker(self, raw: bytearray, limit: int) -> int:
        with memoryview(raw) as view, view[:limit] as part:
            return self._held.fill(bytearray(), part, self.position)


def still_held(spool: Spool, stream: Stream, max_line: int) -> SpooledFile | None:
    """What the spool holds of a stream beyond what has arrived; None where that is nothing.

    Raises:
        SpoolKeyError: a key is missing.
        SpoolError: it cannot be read now.
    """
    ranges = spool.ranges(stream.file_id)
    if not ranges or ranges[-1][1] <= stream.acknowledged:
        return None
    spool.check_keys(stream.file_id)
    return SpooledFile(spool, stream, max_line)
