"""Chunks of a file's lines to bodies of bulk requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache
from typing import Any

import numpy as np

from forewarn.base.clock import rfc3339
from logship.engine.documents import Bytes, Int32, Int64, Pieces, surroundings
from logship.engine.hand import SLACK, make_hand
from logship.engine.horizon import Horizon
from logship.engine.times import Carried, Clockwork, Start
from logship.patterns.compiled import AVAILABLE
from logship.shaping.shape import LINES, Shape
from logship.shaping.specials import Done, Rest, Specials

_WIDEST = 6
"""Bytes that JSON takes for one."""
_NO_TEMPLATES = np.zeros(0, np.int32)


@lru_cache(maxsize=64)
def _moment(ms: int) -> bytes:
    return rfc3339(ms).encode()


@dataclass(frozen=True, slots=True)
class Body:
    """What was written.

    Attributes:
        size: bytes.
        documents: as many.
        consumed: bytes of the chunk that they come from; the next body begins there.
        lines: whole lines among these.
        carried: what the next body begins with.
        fallback: whether the time of reading is that of a document, or decided about one.
    """

    size: int
    documents: int
    consumed: int
    lines: int
    carried: Carried
    fallback: bool


class Encoder:
    """Writes the documents of one file; for one thread at a time.

    Args:
        file_id: of the file.
        epoch: how often it was begun anew.
        path: as it stands in the documents.
        rest: fields that every document has besides ``@timestamp``, ``message`` and ``log``.
        zone: of time stamps that name none; None means the machine's.
        longest: bytes of a document's text; longer lines become several documents, flagged as split.
        cap: bytes of a body, unless its first document alone is longer.
        shape: which lines belong together and which are objects; each line is a text of its own where left out.
        fast: whether to use the compiled kernel.
    """

    def __init__(
        self,
        file_id: str,
        epoch: int,
        path: str,
        rest: Mapping[str, Any],
        *,
        zone: tzinfo | None,
        longest: int,
        cap: int,
        shape: Shape = LINES,
        fast: bool = AVAILABLE,
    ) -> None:
        around = surroundings(file_id, epoch, path, rest)
        self._hand = make_hand(around, fast=fast)
        self._clock = Clockwork(zone)
        self._longest, self._cap = longest, cap
        constants = sum(map(len, around[:-1])) + max(map(len, around.levels))
        self._joiner = shape.joiner
        self._specials = Specials(around, self._hand, self._clock, shape.objects, _WIDEST * longest)
        self.room = cap + _WIDEST * longest + constants + 4 * SLACK

    def ends(self, data: Bytes, size: int) -> Int64:
        """Where the line ends of a chunk are; good until the next chunk."""
        return self._hand.ends(data, size)

    def encode(
        self,
        data: Bytes,
        size: int,
        offset: int,
        out: Bytes,
        *,
        carried: Carried,
        read_ms: int,
        seen_ms: int,
        templates: Int32 = _NO_TEMPLATES,
        ends: Int64 | None = None,
        cap: int | None = None,
        final: bool = True,
    ) -> Body:
        """Write a body.

        Args:
            data: whole lines, and SLACK bytes behind them; the last may lack its line end.
            size: bytes of the lines.
            offset: of the first in the file.
            out: takes the body; ``room`` bytes.
            carried: what the lines before it say; ``Carried()`` at the file's beginning.
            read_ms: the time for lines with no stamp at or before them.
            seen_ms: when the file was first seen; see Horizon.
            templates: of each line, negative for none; empty where there are none.
            ends: where the line ends are, if that is known.
            cap: bytes of this body, if not those of every one.
            final: whether nothing is waited for that may belong to the last line; else that one may be left over.
        """
        ends = self._hand.ends(data, size) if ends is None else ends
        pieces = self._hand.pieces(data, size, ends, self._longest)
        if self._joiner is not None:
            pieces, held = self._joiner.join(data, pieces, final=final)
        else:
            held = 0
        count = len(pieces.begins) - held
        horizon = Horizon(_moment(seen_ms), _moment(read_ms))
        start = Start(carried, horizon)
        rest = Rest(offset, templates, out, self._cap if cap is None else cap)
        done = self._write(data, size, pieces.part(0, count) if held else pieces, start, rest)
        whole = done.documents == count and not held
        return Body(
            size=done.size,
            documents=done.documents,
            consumed=size if whole else int(pieces.origins[done.documents]),
            lines=len(ends) if whole else int(pieces.line_of[done.documents]),
            carried=done.carried,
            fallback=done.fallback or horizon.asked,
        )

    def _write(self, data: Bytes, size: int, pieces: Pieces, start: Start, rest: Rest) -> Done:
        special = self._specials.among(data, pieces)
        if special is not None:
            return self._specials.write(data, pieces, special, start, rest)
        written = self._hand.write(
            data[: size + SLACK], pieces, self._clock, start, rest.templates, rest.offset, rest.out, rest.cap
        )
        return Done(written.size, written.documents, written.carried, written.fallback)
