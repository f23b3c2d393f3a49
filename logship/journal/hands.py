"""Rows to chunks of messages and to documents: one way by the compiled kernel, one without, the same bytes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from logship.engine.documents import LEVELS, Bytes, Int32, Int64
from logship.engine.plain import escaped
from logship.journal.frames import Frames
from logship.journal.rows import Rows
from logship.stamps import level_of

SLACK = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CUT = b'"flags":["cut"],'
"""Said of a message that was longer than a document's text may be."""
BEFORE_TEMPLATE, BEFORE_OFFSET = b'"template":', b'"offset":'
LEVEL_TEXTS = tuple(b'"level":"%s",' % level.encode() for level in LEVELS)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Messages of entries, one after the other, and what their documents are made of; by document.

    Attributes:
        data: the messages, a line end behind each.
        begins: where each begins.
        stops: where it ends.
        seqnums: of the entries.
        times: of them, microseconds since 1970.
        frames: numbers of their frames.
        cut: whether a message was longer.
        templates: of them, negative for none.
        special: whether a message may be more than text.
    """

    data: Bytes
    begins: Int64
    stops: Int64
    seqnums: Int64
    times: Int64
    frames: Int64
    cut: NDArray[np.bool_]
    templates: Int32
    special: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.begins)

    def part(self, first: int, last: int) -> "Chunk":
        """Some of the documents."""
        return Chunk(
            self.data,
            self.begins[first:last],
            self.stops[first:last],
            self.seqnums[first:last],
            self.times[first:last],
            self.frames[first:last],
            self.cut[first:last],
            self.templates[first:last],
            self.special[first:last],
        )


class Hand(Protocol):
    """One way to do it."""

    def gather(self, rows: Rows, order: Int64) -> tuple[Bytes, Int64]:
        """The messages of rows in an order, a line end behind each; and where each begins, and the end of the last."""

    def write(self, chunk: Chunk, seqnum_id: str, frames: Frames, out: Bytes, cap: int) -> tuple[int, int]:
        """Documents and bytes written, one document at least."""


def constants(seqnum_id: str) -> tuple[bytes, bytes, bytes]:
    """What stands before a document's id, its time and its message."""
    return b'{"create":{"_id":"%s-' % seqnum_id.encode(), b'"}}\n{"@timestamp":"', b'","message":"'


class PlainHand:
    """By bytes and lists."""

    def gather(self, rows: Rows, order: Int64) -> tuple[Bytes, Int64]:
        """See ``Hand``."""
        data = rows.data.tobytes()
        begins, sizes = rows.begins[order].tolist(), rows.sizes[order].tolist()
        texts = [data[begin : begin + size] for begin, size in zip(begins, sizes, strict=True)]
        starts = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(rows.sizes[order] + 1, out=starts[1:])
        joined = bytearray(b"\n".join(texts) + b"\n" + bytes(SLACK))
        return np.frombuffer(joined, np.uint8), starts

    def write(self, chunk: Chunk, seqnum_id: str, frames: Frames, out: Bytes, cap: int) -> tuple[int, int]:
        """See ``Hand``."""
        before_id, before_time, before_message = constants(seqnum_id)
        data = chunk.data.tobytes()
        size = 0
        documents: list[bytes] = []
        columns = (chunk.begins, chunk.stops, chunk.seqnums, chunk.times, chunk.frames, chunk.cut, chunk.templates)
        for begin, stop, seqnum, time, number, cut, template in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            frame, text = frames.known[number], data[begin:stop]
            level = LEVEL_TEXTS[frame.level] if frame.level >= 0 else b""
            if frame.spoken and (named := level_of(text)):
                level = b'"level":"%s",' % named
            document = b"".join(
                (
                    before_id, b"%012x" % seqnum, before_time, stamp_of(time), before_message,
                    escaped(text).replace(b"\n", rb"\n"), frame.before, level, CUT if cut else b"",
                    BEFORE_TEMPLATE + b"%d," % template if template >= 0 else b"", BEFORE_OFFSET, b"%d" % seqnum,
                    frame.after,
                )
            )  # fmt: skip
            if documents and size + len(document) > cap:
                break
            documents.append(document)
            size += len(document)
            if size >= cap:
                break
        out[:size] = np.frombuffer(b"".join(documents), np.uint8)
        return len(documents), size


def stamp_of(micros: int) -> bytes:
    """A time in microseconds since 1970, RFC 3339."""
    second, fraction = divmod(micros, 1_000_000)
    return b"%s.%06dZ" % (_second(second), fraction)


@lru_cache(maxsize=64)
def _second(second: int) -> bytes:
    return (_EPOCH + timedelta(seconds=second)).isoformat()[:19].encode()
