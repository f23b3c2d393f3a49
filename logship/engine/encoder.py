"""Chunks of a file's lines to bodies of bulk requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Protocol

import numpy as np

from forewarn.base.clock import rfc3339
from logship.engine.documents import Bytes, Int32, Int64, Pieces, Surroundings, pieces_of, surroundings
from logship.engine.plain import Plain
from logship.engine.times import Carried, Clockwork, Start, Times
from logship.patterns.compiled import AVAILABLE

SLACK = 64
"""Bytes that a chunk and a body carry behind what they hold."""
_WIDEST = 6
"""Bytes that JSON takes for one."""
_NO_TEMPLATES = np.zeros(0, np.int32)


class Hand(Protocol):
    """One way to do it; all ways write the same bytes."""

    def ends(self, data: Bytes, size: int) -> Int64:
        """Where the line ends are."""

    def times(self, data: Bytes, pieces: Pieces, clock: Clockwork, start: Start) -> Times:
        """The stamps of all documents."""

    def write(
        self, data: Bytes, pieces: Pieces, times: Times, templates: Int32, offset: int, out: Bytes, cap: int
    ) -> tuple[int, int]:
        """Documents and bytes written."""


@dataclass(frozen=True, slots=True)
class Body:
    """What was written.

    Attributes:
        size: bytes.
        documents: as many.
        consumed: bytes of the chunk that they come from; the next body begins there.
        lines: whole lines among these.
        carried: what the next body begins with.
        fallback: whether a document took the time at which it was read.
    """

    size: int
    documents: int
    consumed: int
    lines: int
    carried: Carried
    fallback: bool


def make_hand(around: Surroundings, *, fast: bool = AVAILABLE) -> Hand:
    """The compiled way where the extra ``fast`` is installed, else the plain one."""
    if not fast:
        return Plain(around)
    from logship.engine.machine import Machine  # noqa: PLC0415  the extra may be missing

    return Machine(around)


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
        fast: bool = AVAILABLE,
    ) -> None:
        around = surroundings(file_id, epoch, path, rest)
        self._hand = make_hand(around, fast=fast)
        self._clock = Clockwork(zone)
        self._longest, self._cap = longest, cap
        constants = sum(map(len, around[:-1])) + max(map(len, around.levels))
        self.room = cap + _WIDEST * longest + constants + 4 * SLACK

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
    ) -> Body:
        """Write a body.

        Args:
            data: whole lines, and SLACK bytes behind them; the last may lack its line end.
            size: bytes of the lines.
            offset: of the first in the file.
            out: takes the body; ``room`` bytes.
            carried: what the lines before it say; ``Carried()`` at the file's beginning.
            read_ms: the time for lines with no stamp at or before them.
            seen_ms: when the file was first seen, from which years are told that stamps lack.
            templates: of each line, negative for none; empty where there are none.
        """
        hand = self._hand
        ends = hand.ends(data, size)
        pieces = pieces_of(data, size, ends, self._longest)
        start = Start(carried, rfc3339(seen_ms).encode(), rfc3339(read_ms).encode())
        times = hand.times(data[: size + SLACK], pieces, self._clock, start)
        documents, written = hand.write(data, pieces, times, templates, offset, out, self._cap)
        whole = documents == len(pieces.begins)
        last = times.carried(documents)
        return Body(
            size=written,
            documents=documents,
            consumed=size if whole else int(pieces.origins[documents]),
            lines=len(ends) if whole else int(pieces.line_of[documents]),
            carried=last,
            fallback=documents > 0 and not times.carried(1).stamp,
        )
