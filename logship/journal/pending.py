"""Entries on their way from rows to documents."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from logship.engine.documents import Bytes, Int64
from logship.journal.chain import Chain, Stretch
from logship.journal.hands import Chunk, Hand

SLACK = 64


@dataclass(slots=True)
class Pending:
    """Entries that were read and not yet written.

    Attributes:
        chunk: what is left of them.
        stretch: where they come from.
        offsets: of those that are left.
        reached: the last sequence number of all.
    """

    chunk: Chunk
    stretch: Stretch
    offsets: Int64
    reached: int


@dataclass(eq=False, slots=True)
class Followed:
    """A chain on its way into bodies.

    Attributes:
        chain: the files.
        hand: writes the documents of its entries.
        sent: sequence number up to which entries went into bodies, or were passed over.
        doubtful_before: sequence number up to which an earlier process may have sent some.
        pending: entries that were read and not yet written.
    """

    chain: Chain
    hand: Hand
    sent: int
    doubtful_before: int
    pending: Pending | None = None


def runs_of(numbers: Int64) -> list[tuple[int, int]]:
    """Where each run of equal numbers begins and ends."""
    if not len(numbers):
        return []
    bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    return list(pairwise(bounds))


def first_lines(data: Bytes, starts: Int64) -> tuple[Bytes, Int64]:
    """Messages without their second and further lines, a line end behind each.

    Args:
        data: the messages, a line end behind each, and slack behind the last.
        starts: where each begins, and the end of the last.
    """
    ends = np.flatnonzero(data[: starts[-1]] == ord("\n"))
    if len(ends) == len(starts) - 1:
        return data, starts
    first = ends[np.searchsorted(ends, starts[:-1])]
    bounds = np.zeros(len(starts), np.int64)
    np.cumsum(first + 1 - starts[:-1], out=bounds[1:])
    text = data.tobytes()
    pieces = (text[begin : end + 1] for begin, end in zip(starts[:-1].tolist(), first.tolist(), strict=True))
    return np.frombuffer(b"".join(pieces) + bytes(SLACK), np.uint8), bounds
