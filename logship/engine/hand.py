"""The two ways from lines to documents, with one result."""

from typing import NamedTuple, Protocol

from logship.engine.documents import Bytes, Int32, Int64, Pieces, Surroundings
from logship.engine.times import Carried, Clockwork, Start
from logship.patterns.compiled import AVAILABLE

SLACK = 64
"""Bytes that a chunk and a body carry behind what they hold."""


class Written(NamedTuple):
    """What was written.

    Attributes:
        documents: as many.
        size: their bytes.
        carried: what lines say up to here.
        fallback: whether the first took the time at which it was read.
    """

    documents: int
    size: int
    carried: Carried
    fallback: bool


class Hand(Protocol):
    """One way to do it; all ways write the same bytes."""

    def ends(self, data: Bytes, size: int) -> Int64:
        """Where the line ends are."""

    def pieces(self, data: Bytes, size: int, ends: Int64, longest: int) -> Pieces:
        """The documents of a chunk: see pieces_of(); good until the next chunk."""

    def write(
        self,
        data: Bytes,
        pieces: Pieces,
        clock: Clockwork,
        start: Start,
        templates: Int32,
        offset: int,
        out: Bytes,
        cap: int,
    ) -> Written:
        """Documents up to the cap, one at least.

        Args:
            data: the chunk.
            pieces: its documents.
            clock: reads their times.
            start: where times begin.
            templates: of each line, negative for none; may be empty.
            offset: of the chunk in the file.
            out: takes the body.
            cap: bytes of it.
        """


def make_hand(around: Surroundings, *, fast: bool = AVAILABLE) -> Hand:
    """The compiled way where the extra ``fast`` is installed, else the plain one."""
    if not fast:
        from logship.engine.plain import Plain  # noqa: PLC0415  it says what it wrote as this module has it

        return Plain(around)
    from logship.engine.machine import Machine  # noqa: PLC0415  the extra may be missing

    return Machine(around)
