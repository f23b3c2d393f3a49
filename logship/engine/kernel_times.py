"""Line ends and times in machine code: a line's time by comparing it with the minute before.

Every array carries 64 bytes of slack. Python is asked about a line only where comparing does not tell.
"""

from typing import Any

import numpy as np

from logship.engine.vectors import alike, copy, lowest, within
from logship.patterns.compiled import compiled, inlined

_ONE = np.uint64(1)
_NONE = np.uint64(0)
_DIGIT, _NINE, _COLON = np.uint8(48), np.uint8(57), np.uint8(58)
_NEWLINE = np.uint8(10)
_SIX = np.uint64(0x3F)
ROW = 64
"""Bytes of a stamp and what is behind it."""


@inlined
def below(count: Any) -> Any:
    """The mask of the first bytes, as many as are given."""
    return ~_NONE if count >= 64 else (_ONE << np.uint64(count)) - _ONE


@compiled
def line_ends(data: Any, size: int, ends: Any) -> int:
    """Where the line ends of data[:size] are; how many there are, of which those that find room are noted."""
    count = 0
    i = 0
    while i < size:
        found = within(data, i, _NEWLINE, _NEWLINE) & below(size - i)
        while found:
            if count < len(ends):
                ends[count] = i + lowest(found)
            count += 1
            found &= found - _ONE
        i += 64
    return count


@compiled
def _suspect(data: Any, begin: int, end: int) -> Any:
    """Whether a form may stand in the line: two colons among digits, or six digits at its beginning."""
    inside = below(end - begin)
    digits = within(data, begin, _DIGIT, _NINE) & inside
    colons = within(data, begin, _COLON, _COLON) & inside
    pairs = digits & (digits >> np.uint64(1))
    clock = pairs & (colons >> np.uint64(2)) & (pairs >> np.uint64(3)) & (colons >> np.uint64(5))
    clock &= pairs >> np.uint64(6)
    return clock != _NONE or digits & _SIX == _SIX or (digits >> np.uint64(2)) & _SIX == _SIX


@inlined
def is_digit(byte: Any) -> Any:
    """Whether a byte is a digit."""
    return 48 <= byte <= 57


@compiled
def _fraction_end(data: Any, i: int, end: int) -> int:
    """Where a fraction of up to nine digits that begins at i ends; i where there is none."""
    if i + 1 >= end or (data[i] != 46 and data[i] != 44) or not is_digit(data[i + 1]):
        return i
    stop = min(i + 10, end)
    i += 2
    while i < stop and is_digit(data[i]):
        i += 1
    return i


@compiled
def _tail_length(data: Any, i: int, end: int, kind: int) -> int:
    """Bytes of the zone, year or space at i; -1 where one is wanting."""
    if kind == 0:
        return 0
    if kind == 4:
        return 0 if i < end and data[i] == 32 else -1
    if kind == 3:
        if i + 5 > end or data[i] != 32:
            return -1
        for j in range(i + 1, i + 5):
            if not is_digit(data[j]):
                return -1
        return 5
    if i < end and data[i] == 90:
        return 1
    j = i + 1 if i < end and data[i] == 32 else i
    if j + 5 > end or (data[j] != 43 and data[j] != 45) or not (is_digit(data[j + 1]) and is_digit(data[j + 2])):
        return 0
    j += 4 if data[j + 3] == 58 else 3
    if j + 2 > end or not (is_digit(data[j]) and is_digit(data[j + 1])):
        return 0
    return j + 2 - i


@compiled
def times(
    data: Any,
    begins: Any,
    stops: Any,
    first: int,
    form: Any,
    columns: Any,
    fixed: Any,
    minute: Any,
    stamps: Any,
    lengths: Any,
) -> int:
    """Stamps of the documents from ``first`` on, up to one whose time comparing does not tell.

    Args:
        data: the chunk.
        begins: where each document's text begins.
        stops: where it ends.
        first: the document to begin at.
        form: width, bytes of the key, tail, fraction, bytes of the minute's tail, bytes of its text; a width of 0
            stands for no form.
        columns: a bit for each column at which the form stood.
        fixed: masks of the form's signs and of its digits.
        minute: rows of 128 bytes: the form's pattern, the minute's key, its tail, its text.
        stamps: takes ROW bytes each: the stamp before the first document, then that of each.
        lengths: of the stamps, beside them.

    Returns:
        The document at which it stopped, or the number of documents.
    """
    width, key, kind, may_have_fraction, tail, shown = form[0], form[1], form[2], form[3], form[4], form[5]
    keys = below(key)
    pattern, known, known_tail, text = minute[0], minute[1], minute[2], minute[3]
    tails = below(tail)
    for k in range(first, len(begins)):
        begin, end = begins[k], stops[k]
        left = columns if width > 0 else _NONE
        done = False
        while left and not done:
            p = begin + lowest(left)
            left &= left - _ONE
            q = p + width
            if q > end:
                break
            if tail < 0 or alike(data, p, known) & keys != keys:
                if alike(data, p, pattern) & fixed[0] == fixed[0] and (
                    within(data, p, _DIGIT, _NINE) & fixed[1] == fixed[1]
                ):
                    return k
                continue
            if key < width and not (48 <= data[q - 2] <= 53 and is_digit(data[q - 1])):
                return k
            after = _fraction_end(data, q, end) if may_have_fraction else q
            if _tail_length(data, after, end, kind) != tail or alike(data, after, known_tail) & tails != tails:
                return k
            row = (k + 1) * ROW
            copy(text, 0, stamps, row)
            o = row + shown
            if key < width:
                stamps[o] = data[q - 2]
                stamps[o + 1] = data[q - 1]
                o += 2
            if after > q:
                stamps[o] = 46
                for j in range(q + 1, after):
                    stamps[o + j - q] = data[j]
                o += after - q
            stamps[o] = 90
            lengths[k + 1] = o + 1 - row
            done = True
        if not done:
            if _suspect(data, begin, end):
                return k
            copy(stamps, k * ROW, stamps, (k + 1) * ROW)
            lengths[k + 1] = lengths[k]
    return len(begins)
