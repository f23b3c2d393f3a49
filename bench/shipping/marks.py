"""Which lines have arrived: found by their numbers in what a shipper sends, 64 bytes at a time."""

from typing import Any

import numpy as np
from numba import njit

from bench.shipping.workload import DIGITS, MOST
from logship.engine.vectors import lowest, members, ones

BEFORE, AFTER = 3, DIGITS + 1
"""Bytes before and from the equals sign on that name a line."""
_EQUALS, _END = ord("="), ord("\n")
_equals, _ends = members((_EQUALS, _EQUALS)), members((_END, _END))
_ONE = np.uint64(1)


@njit(nogil=True, cache=True)
def _mark(data: Any, at: int, seen: Any, arrived: Any, now: int) -> int:
    """Note the line named around an equals sign; 1 where it is one that is there already, else 0."""
    if data[at - 3] != 115 or data[at - 2] != 101 or data[at - 1] != 113:  # seq
        return 0
    number = 0
    for k in range(1, DIGITS + 1):
        digit = data[at + k] - 48
        if not 0 <= digit <= 9:
            return 0
        number = number * 10 + digit
    if number >= len(seen):
        return 0
    again = 1 if seen[number] else 0
    if not again:
        seen[number] = 1
        if number < len(arrived):
            arrived[number] = now
    return again


@njit(nogil=True, cache=True)
def scan(data: Any, size: int, seen: Any, arrived: Any, now: int) -> tuple[int, int]:
    """Line ends in a piece, and lines in it that had arrived before; those named across its ends are left out."""
    ends = again = 0
    i = 0
    while i + 64 <= size:
        ends += ones(_ends(data, i))
        signs = _equals(data, i)
        while signs:
            at = i + lowest(signs)
            signs &= signs - _ONE
            if at >= BEFORE and at + AFTER <= size:
                again += _mark(data, at, seen, arrived, now)
        i += 64
    for at in range(i, size):
        ends += data[at] == _END
        if data[at] == _EQUALS and at >= BEFORE and at + AFTER <= size:
            again += _mark(data, at, seen, arrived, now)
    return ends, again


class Marker:
    """Marks the lines of one body, which comes in pieces.

    Args:
        seen: a byte for each line.
        arrived: nanoseconds at which each came, for the first so many.
    """

    def __init__(self, seen: Any, arrived: Any) -> None:
        self._seen, self._arrived = seen, arrived
        self._tail = b""

    def take(self, piece: bytes, now: int) -> tuple[int, int]:
        """Line ends in the next piece, and lines that had arrived before."""
        data = np.frombuffer(piece, np.uint8)
        ends, again = scan(data, len(piece), self._seen, self._arrived, now)
        if self._tail:
            again += self._across(self._tail, piece[: BEFORE + AFTER - 1], now)
        self._tail = (
            (self._tail + piece)[-(BEFORE + AFTER - 1) :]
            if len(piece) < BEFORE + AFTER
            else piece[-(BEFORE + AFTER - 1) :]
        )
        return ends, again

    def _across(self, tail: bytes, head: bytes, now: int) -> int:
        """The lines that are named across a seam."""
        seam = np.frombuffer(tail + head, np.uint8)
        again = 0
        for at in range(BEFORE, len(seam) - AFTER + 1):
            inside = at + AFTER <= len(tail) or at - BEFORE >= len(tail)
            if seam[at] == _EQUALS and not inside:
                again += _mark(seam, at, self._seen, self._arrived, now)
        return again


def marks(lines: int) -> int:
    """Lines that can be told apart, at most as many as asked for."""
    return min(lines, MOST)
