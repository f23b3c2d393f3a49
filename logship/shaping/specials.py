"""Documents that are more than a line's text: JSON objects with their fields, stack traces with their error.

They are few, or all of a source; between them runs of ordinary lines are written as ever.
"""

from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from logship.engine.documents import LEVELS, Bytes, Int32, Pieces, Surroundings
from logship.engine.hand import SLACK, Hand, Written
from logship.engine.plain import Plain, escaped
from logship.engine.times import LOOKED_AT, Carried, Clockwork, Start
from logship.patterns.jsonlines import stands
from logship.shaping.merging import merged
from logship.shaping.objects import Found, Objects
from logship.shaping.traces import trace_of
from logship.stamps import level_of

_FEW = 12
"""Lines of a run up to which Python is quicker than what surrounds compiled code."""
_BRACE, _END = ord("{"), ord("}")
_LEVEL_WITHIN = 160


class Rest(NamedTuple):
    """Where documents go and what they need beside their lines.

    Attributes:
        offset: of the chunk in the file.
        templates: of each line; may be empty.
        out: takes the body.
        cap: bytes of it, at most.
    """

    offset: int
    templates: Int32
    out: Bytes
    cap: int


class Done(NamedTuple):
    """What was written: bytes, documents, what is carried on, whether one took the time at which it was read."""

    size: int
    documents: int
    carried: Carried
    fallback: bool


class Specials:
    """Writes chunks that hold such documents; for one thread at a time.

    Args:
        around: the constants of the source's documents.
        hand: writes the runs between them.
        clock: reads the times of those.
        objects: reads JSON objects; None where lines are text whatever they look like.
        longest: bytes of a document that is made here; a longer one stays text.
    """

    def __init__(
        self, around: Surroundings, hand: Hand, clock: Clockwork, objects: Objects | None, longest: int
    ) -> None:
        self._around = around
        self._hand, self._few = hand, Plain(around)
        self._clock = clock
        self._objects = objects
        self._longest = longest
        self._levels = dict(zip((level.encode() for level in LEVELS), around.levels, strict=True))
        self._fields = orjson.loads(b"{" + around.end[2:]) if len(around.end) > len(b"}}\n") else {}
        self._path = orjson.loads(around.before_offset.partition(b'"path":')[2].rpartition(b"}")[0])

    def among(self, data: Bytes, pieces: Pieces) -> NDArray[np.int64] | None:
        """Which pieces may be more than text; None where none is."""
        found = None
        if self._objects is not None and stands(data, pieces.begins, _BRACE):
            braces = data[pieces.begins] == _BRACE
            found = braces & (data[np.maximum(pieces.stops - 1, 0)] == _END) & ~pieces.split
        if pieces.joined is not None:
            found = pieces.joined if found is None else found | pieces.joined
        if found is None or not found.any():
            return None
        return np.flatnonzero(found)

    def write(self, data: Bytes, pieces: Pieces, special: NDArray[np.int64], start: Start, rest: Rest) -> Done:
        """Write documents up to the cap, one at least.

        Args:
            data: the chunk.
            pieces: its documents.
            special: which of them may be more than text.
            start: where times begin.
            rest: everything else.
        """
        chunk = data.tobytes()
        body = _Body(rest, start)
        count = len(pieces.begins)
        places = [*special.tolist(), count]
        turn = k = 0
        while k < count and body.size < rest.cap:
            stop = places[turn]
            if k == stop:
                turn += 1
                stop = k + 1
                made = self._make(chunk, pieces, k, body, rest)
                if made is not None:
                    if not body.put(*made):
                        break
                    k += 1
                    continue
            written = self._run(data, pieces.part(k, stop, int(pieces.origins[k])), int(pieces.origins[k]), body, rest)
            k += written
            if not written:
                break
            while places[turn] < k:
                turn += 1
        body.flush()
        return Done(body.size, k, body.start.carried, body.fallback)

    def _run(self, data: Bytes, part: Pieces, base: int, body: "_Body", rest: Rest) -> int:
        """Write ordinary documents; how many."""
        body.flush()
        few = len(part.begins) <= _FEW
        hand = self._few if few else self._hand
        chunk = data[base : base + int(part.stops[-1]) + SLACK] if few else data[base:]
        free = rest.cap - body.size
        out = rest.out[body.size :]
        written = hand.write(chunk, part, self._clock, body.start, rest.templates, rest.offset + base, out, free)
        if written.size > free and body.size:
            return 0
        body.passed(written)
        return written.documents

    def _make(self, chunk: bytes, pieces: Pieces, k: int, body: "_Body", rest: Rest) -> tuple[bytes, Carried] | None:
        """A document and what is carried on behind it; None where it is a text."""
        text = chunk[pieces.begins[k] : pieces.stops[k]]
        where = rest.offset + int(pieces.origins[k])
        template = int(rest.templates[pieces.line_of[k]]) if len(rest.templates) else -1
        if text[:1] == b"{" and self._objects is not None:
            made = self._object(text, where, template, body)
        elif pieces.split[k]:
            return None
        else:
            made = self._trace(text, where, template, body)
        return made if made is not None and len(made[0]) <= self._longest else None

    def _object(self, text: bytes, where: int, template: int, body: "_Body") -> tuple[bytes, Carried] | None:
        assert self._objects is not None
        carried = body.start.carried
        found = self._objects.read(text, body.start)
        if found is None:
            return None
        if found.stamp is not None:
            carried = carried._replace(stamp=found.stamp)
        stamp = carried.stamp or body.start.read_at
        source = self._merged(found, stamp, where, template) if found.is_ecs else None
        if source is not None:
            return source, carried
        message = escaped(found.raw) if found.message is None else found.message
        level = self._levels[found.level] if found.level else b""
        return self._document(where, stamp, message, level, template, b',"json":' + found.raw), carried

    def _merged(self, found: Found, stamp: bytes, where: int, template: int) -> bytes | None:
        own = {"path": self._path, "offset": where, "template": template}
        source = merged(found, stamp, own, self._fields)
        around = self._around
        return source and b'%s%012x"}}\n%s\n' % (around.before_id, where, source)

    def _trace(self, text: bytes, where: int, template: int, body: "_Body") -> tuple[bytes, Carried] | None:
        found = trace_of(text)
        if found is None:
            return None
        self._clock.begin()
        carried = self._clock.read(text[:LOOKED_AT], body.start.carried, body.start.horizon)
        stamp = carried.stamp or body.start.read_at
        kind, said, stack = (_escaped(part) for part in found)
        extra = b',"error":{"type":"%s","message":"%s","stack_trace":"%s"}' % (kind, said, stack)
        level = self._levels[level_of(text[:_LEVEL_WITHIN]) or b"error"]
        return self._document(where, stamp, _escaped(text), level, template, extra), carried

    def _document(self, where: int, stamp: bytes, message: bytes, level: bytes, template: int, extra: bytes) -> bytes:
        around = self._around
        return b"%s%012x%s%s%s%s%s%d%s%s%s%s}\n" % (
            around.before_id,
            where,
            around.before_stamp,
            stamp,
            around.before_message,
            message,
            around.before_offset,
            where,
            level,
            b"%s%d" % (around.before_template, template) if template >= 0 else b"",
            around.end[:-2],
            extra,
        )


class _Body:
    """A body as it grows; documents that were made wait until they are written together."""

    def __init__(self, rest: Rest, start: Start) -> None:
        self.start = start
        self.size = 0
        self.fallback = False
        self._rest = rest
        self._at = 0
        self._parts: list[bytes] = []
        self._first = True

    def put(self, document: bytes, carried: Carried) -> bool:
        """Add a document; False where it finds no room."""
        if self.size and self.size + len(document) > self._rest.cap:
            return False
        self._parts.append(document)
        self.size += len(document)
        self._note(carried, fallback=not carried.stamp)
        return True

    def flush(self) -> None:
        """Write what waits."""
        if self._parts:
            self._rest.out[self._at : self.size] = np.frombuffer(b"".join(self._parts), np.uint8)
            self._parts.clear()
        self._at = self.size

    def passed(self, written: Written) -> None:
        """Ordinary documents were written behind those before."""
        self.size += written.size
        self._at = self.size
        self._note(written.carried, fallback=written.fallback)

    def _note(self, carried: Carried, *, fallback: bool) -> None:
        self.start = self.start._replace(carried=carried)
        if self._first:
            self.fallback = fallback
            self._first = False


def _escaped(text: bytes) -> bytes:
    return escaped(text).replace(b"\n", rb"\n")
