"""What travels in one request."""

from itertools import compress

import numpy as np
import orjson

from logship.engine.documents import Bytes
from logship.feed import Anchor, Filled, Span

_WIDEST = 6
"""Bytes that JSON takes for one."""
_AROUND = 128 * 1024
"""Room for what surrounds a line's text in its document."""
_SMALLEST_SHARE = 24


def overrun(longest: int) -> int:
    """Bytes by which one document may be longer than a body's limit.

    Args:
        longest: bytes of a line's text in one document.
    """
    return _WIDEST * longest + _AROUND


class Batch:
    """Documents on their way, all to one data stream; a worker fills its own again and again.

    Args:
        limit: bytes of a body.
        longest: bytes of a line's text in one document.

    Attributes:
        stream: the data stream; empty while there are no documents.
        size: bytes of the documents.
        documents: as many.
        spans: the pieces of sources that they come from.
        anchors: reading times that must be kept before the batch is sent.
        written_ms: when the first of the documents was written, as far as that is known.
        doubtful: whether an earlier process may have sent some of them.
    """

    def __init__(self, limit: int, longest: int) -> None:
        self._limit = limit
        self._buffer: Bytes = np.empty(limit + overrun(longest), np.uint8)
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.stream = ""
        self.size = self.documents = 0
        self.spans: list[Span] = []
        self.anchors: list[Anchor] = []
        self.written_ms: int | None = None
        self.doubtful = False

    @property
    def full(self) -> bool:
        """Whether there is so little room left that filling it is not worth the trouble."""
        return self.room < self._limit // _SMALLEST_SHARE

    @property
    def room(self) -> int:
        """Bytes up to its limit."""
        return self._limit - self.size

    @property
    def free(self) -> Bytes:
        """Where the next documents go."""
        return self._buffer[self.size :]

    @property
    def body(self) -> memoryview:
        """The documents; good until the batch is cleared."""
        return self._buffer.data[: self.size]

    def add(self, stream: str, filled: Filled) -> None:
        """Count in what was written to ``free``."""
        self.stream = stream
        self.size += filled.size
        self.documents += filled.documents
        self.spans.append(filled.span)
        if filled.anchor is not None:
            self.anchors.append(filled.anchor)
        if filled.written_ms is not None:
            self.written_ms = min(filled.written_ms, self.written_ms or filled.written_ms)
        self.doubtful = self.doubtful or filled.doubtful


def documents_of(body: bytes | memoryview) -> list[bytes]:
    """The documents of a body, each an action and a source."""
    rows = bytes(body).splitlines(keepends=True)
    return [action + source for action, source in zip(rows[::2], rows[1::2], strict=True)]


def ids_of(body: bytes | memoryview) -> list[bytes]:
    """The ids of a body's documents."""
    return [orjson.loads(action)["create"]["_id"].encode() for action in bytes(body).splitlines()[::2]]


def chosen(body: bytes | memoryview, wanted: list[bool]) -> bytes:
    """A body of those documents that are wanted."""
    return b"".join(compress(documents_of(body), wanted))
