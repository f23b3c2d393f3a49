"""Quoted texts behind a word, as prompts in a server's log: masked a chunk at a time, for many lines may have one.

Each function runs as it stands, on arrays of bytes, and compiled.
"""

from typing import Any

import numpy as np

from logship.engine.documents import Bytes, Int64
from logship.patterns.compiled import AVAILABLE, brief, inlined

_NEWLINE, _RETURN, _QUOTE, _APOSTROPHE, _MASK, _BACKSLASH = b"\n\r\"'*\\"


if AVAILABLE:
    from logship.engine.vectors import lowest, members

    _newlines = members((_NEWLINE, _NEWLINE))
    _signs = members((_QUOTE, _QUOTE), (_APOSTROPHE, _APOSTROPHE), (_BACKSLASH, _BACKSLASH))

    @inlined
    def _to_newline(data: Any, i: int, end: int) -> int:
        """Where the next line end is, or the end."""
        while i < end:
            found = _newlines(data, i)
            if found:
                return int(min(i + lowest(found), end))
            i += 64
        return end

    @inlined
    def _to_sign(data: Any, i: int, end: int) -> int:
        """Where the next quote of either kind or backslash is, or the end."""
        while i < end:
            found = _signs(data, i)
            if found:
                return int(min(i + lowest(found), end))
            i += 64
        return end

else:

    def _to_newline(data: Any, i: int, end: int) -> int:
        while i < end and data[i] != _NEWLINE:
            i += 1
        return i

    def _to_sign(data: Any, i: int, end: int) -> int:
        while i < end and data[i] not in {_QUOTE, _APOSTROPHE, _BACKSLASH}:
            i += 1
        return i


@inlined
def _wordlike(byte: int) -> bool:
    return 97 <= (byte | 32) <= 122 or 48 <= byte <= 57 or byte == 95


@inlined
def _end_of_text(data: Any, i: int, end: int, quote: int) -> int:
    """Where the text that begins at i ends: at its quote, or with the line."""
    i = _to_sign(data, i, end)
    while i < end and data[i] != quote:
        if data[i] == _BACKSLASH:
            if i + 1 >= end:
                return i
            i += 1
        i = _to_sign(data, i + 1, end)
    return i


@inlined
def _cover(data: Any, begin: int, end: int, kept: Any, used: int) -> bool:
    """Mask bytes and keep what they were; False where all of them were masked before."""
    seen = False
    for i in range(begin, end):
        byte = data[i]
        kept[used + i - begin] = byte
        seen = seen or byte != _MASK
        if byte != _RETURN:
            data[i] = _MASK
    return seen


@brief
def mask(data: Any, size: int, found: Any, number: int, spans: Any, kept: Any) -> tuple[int, int]:
    """Mask the quoted texts behind words, in those lines in which nothing else is to be masked; how many.

    The second number says how many words were left: all that stand in other lines, moved to the beginning.

    Args:
        data: the chunk.
        size: its bytes.
        found: begin, end and number of each word, in order.
        number: of the word for which a quoted text behind it is all that it stands for.
        spans: takes begin and end of each text that was masked.
        kept: takes what these were, one after the other.
    """
    count = used = left = k = 0
    while k < len(found):
        end = _to_newline(data, found[k, 1], size)
        n = k
        simple = True
        while n < len(found) and found[n, 0] < end:
            simple = simple and found[n, 2] == number
            n += 1
        reached = 0
        for m in range(k, n):
            begin, i = found[m, 0], found[m, 1]
            if not simple:
                found[left] = found[m]
                left += 1
                continue
            if begin < reached or i >= end or (data[i] != _QUOTE and data[i] != _APOSTROPHE):
                continue
            if begin > 0 and _wordlike(data[begin - 1]):
                continue
            stop = _end_of_text(data, i + 1, end, data[i])
            reached = stop + 1
            if stop > i + 1 and _cover(data, i + 1, stop, kept, used):
                spans[count, 0], spans[count, 1] = i + 1, stop
                used += stop - i - 1
                count += 1
        k = n
    return count, left


@brief
def put_back(data: Any, spans: Any, count: int, kept: Any) -> None:
    """Undo what was masked."""
    used = 0
    for n in range(count):
        for i in range(spans[n, 0], spans[n, 1]):
            data[i] = kept[used]
            used += 1


class Quoted:
    """Masks quoted texts, and puts them back; for one thread at a time."""

    def __init__(self) -> None:
        self._kept = np.empty(0, np.uint8)
        self._spans = np.empty((0, 2), np.int64)
        self._count = 0

    def clear(self) -> None:
        """Begin with another chunk."""
        self._count = 0

    @property
    def begins(self) -> Int64:
        """Where what was masked in the chunk begins."""
        return self._spans[: self._count, 0]

    def before(self, end: int) -> int:
        """How many of these begin before a place."""
        return int(np.count_nonzero(self.begins < end)) if self._count else 0

    def holds(self, place: int) -> bool:
        """Whether a place is inside one of these, or at the end of one that goes on."""
        spans = self._spans[: self._count]
        return bool(((spans[:, 0] < place) & (place <= spans[:, 1])).any())

    def mask(self, data: Bytes, size: int, found: Int64, number: int) -> Int64:
        """Mask what stands behind words, where nothing else is to be masked in their line; the words that are left.

        Args:
            data: the chunk.
            size: its bytes.
            found: begin, end and number of each word, in order; what is left is moved to its beginning.
            number: of the word for which a quoted text behind it is all that it stands for.
        """
        if len(self._kept) < size:
            self._kept = np.empty(size, np.uint8)
        if len(self._spans) < len(found):
            self._spans = np.empty((2 * len(found), 2), np.int64)
        self._count, left = mask(data, size, found, number, self._spans, self._kept)
        return found[:left]

    def put_back(self, data: Bytes) -> None:
        """Undo what was masked in the chunk."""
        if self._count:
            put_back(data, self._spans, self._count, self._kept)
