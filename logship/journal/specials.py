"""Messages that are more than text: JSON objects keep their fields, stack traces give the error."""

import numpy as np
from numpy.typing import NDArray

from logship.engine.documents import Bytes, Int64
from logship.engine.horizon import Horizon
from logship.engine.plain import escaped
from logship.engine.times import Carried, Start
from logship.journal.frames import Frame, Frames
from logship.journal.hands import (
    BEFORE_OFFSET,
    BEFORE_TEMPLATE,
    CUT,
    LEVEL_TEXTS,
    Chunk,
    Hand,
    constants,
    stamp_of,
)
from logship.journal.rows import Rows
from logship.shaping.objects import Objects
from logship.shaping.traces import trace_of
from logship.stamps import level_of

_BRACE, _END, _NEWLINE = ord("{"), ord("}"), ord("\n")


def specials_among(data: Bytes, starts: Int64) -> NDArray[np.bool_]:
    """Which messages may be more than text: those in braces, and those of several lines.

    Args:
        data: the messages, a line end behind each.
        starts: where each begins, and the end of the last.
    """
    begins, ends = starts[:-1], starts[1:] - 1
    found: NDArray[np.bool_] = (data[begins] == _BRACE) & (data[np.maximum(ends - 1, 0)] == _END)
    lines = np.flatnonzero(data[: starts[-1]] == _NEWLINE)
    if len(lines) > len(begins):
        found |= np.bincount(np.searchsorted(starts, lines, side="right") - 1, minlength=len(begins)) > 1
    return found


class SpecialHand:
    """Writes special messages itself, and has another hand write the runs between them; see ``Hand``.

    Args:
        hand: the other.
    """

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._objects = Objects(None)

    def gather(self, rows: Rows, order: Int64) -> tuple[Bytes, Int64]:
        """See ``Hand``."""
        return self._hand.gather(rows, order)

    def write(self, chunk: Chunk, seqnum_id: str, frames: Frames, out: Bytes, cap: int) -> tuple[int, int]:
        """See ``Hand``."""
        places = np.flatnonzero(chunk.special).tolist()
        if not places:
            return self._hand.write(chunk, seqnum_id, frames, out, cap)
        size = done = 0
        for place in [*places, len(chunk)]:
            while done < place and size < cap:
                count, written = self._hand.write(chunk.part(done, place), seqnum_id, frames, out[size:], cap - size)
                if size and size + written > cap:
                    return done, size
                done, size = done + count, size + written
            if size >= cap or done == len(chunk):
                break
            document = self._document(chunk, place, seqnum_id, frames)
            if size and size + len(document) > cap:
                break
            out[size : size + len(document)] = np.frombuffer(document, np.uint8)
            done, size = done + 1, size + len(document)
        return done, size

    def _document(self, chunk: Chunk, k: int, seqnum_id: str, frames: Frames) -> bytes:
        text = chunk.data[chunk.begins[k] : chunk.stops[k]].tobytes()
        frame, stamp = frames.known[chunk.frames[k]], stamp_of(int(chunk.times[k]))
        message, level, extra = self._read(text, frame, stamp)
        before_id, before_time, before_message = constants(seqnum_id)
        seqnum, template = int(chunk.seqnums[k]), int(chunk.templates[k])
        return b"".join(
            (
                before_id, b"%012x" % seqnum, before_time, stamp, before_message, message, frame.before, level,
                CUT if chunk.cut[k] else b"", BEFORE_TEMPLATE + b"%d," % template if template >= 0 else b"",
                BEFORE_OFFSET, b"%d" % seqnum, frame.after[:-2], extra, b"}\n",
            )
        )  # fmt: skip

    def _read(self, text: bytes, frame: Frame, stamp: bytes) -> tuple[bytes, bytes, bytes]:
        """The message as JSON, the level, and further fields."""
        level = LEVEL_TEXTS[frame.level] if frame.level >= 0 else b""
        found = self._objects.read(text, Start(Carried(), Horizon(stamp, stamp))) if text[:1] == b"{" else None
        if found is not None:
            if found.level and frame.spoken:
                level = b'"level":"%s",' % found.level
            return escaped(found.raw) if found.message is None else found.message, level, b',"json":' + found.raw
        trace = trace_of(text)
        if frame.spoken and (named := level_of(text) or (b"error" if trace else None)):
            level = b'"level":"%s",' % named
        extra = b""
        if trace is not None:
            extra = b',"error":{"type":"%s","message":"%s","stack_trace":"%s"}' % tuple(map(_json, trace))
        return _json(text), level, extra


def _json(text: bytes) -> bytes:
    return escaped(text).replace(b"\n", rb"\n")
