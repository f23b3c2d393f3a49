"""A line's leading shape and where its message begins, 64 bytes at once.

The same numbers as logship.patterns.lines gives, which is asked where a column does not end within a vector.
"""

from typing import Any

import numpy as np

from logship.engine.vectors import lowest, members
from logship.patterns.compiled import compiled, inlined
from logship.patterns.lines import (
    COLON,
    MOST_MORE,
    MOST_PATTERN,
    SHAPE_COLUMNS,
    column_end,
    next_column,
    shape_of,
)

_ONE = np.uint64(1)
_ALL = ~np.uint64(0)
FAR = 1 << 40
_REACH = 24
"""Bytes into a vector behind which a column is looked at in a new one."""

_separators = members((9, 9), (32, 32), (124, 124))
_blanks = members((9, 9), (32, 32))
_opening = members((91, 91))
_closing = members((93, 93))
_digits = members((48, 57))
_letters = members((65, 90), (97, 122))


@inlined
def below(count: Any) -> Any:
    """The mask of the first bytes, as many as are given."""
    return _ALL if count >= 64 else (_ONE << np.uint64(count)) - _ONE


@inlined
def _shift(mask: Any, places: Any) -> Any:
    return mask >> np.uint64(places)


@compiled
def _looks(data: Any, i: int, k: int, stop: int, digits: Any, letters: Any) -> int:
    """What lines.shape_of() makes of the column from k up to stop of the vector at i, not one in brackets."""
    column = below(stop) & ~below(k)
    digits &= column
    letters &= column
    length = stop - k
    if not letters:
        if not digits & (_ONE << np.uint64(k)) or length > MOST_PATTERN:
            return 8
        looks = 7
        runs = digits & ~(digits << _ONE)
        left = (column & ~digits) | runs
        while left:
            at = lowest(left)
            left &= left - _ONE
            looks = (looks * 31 + (1 if _shift(digits, at) & _ONE else data[i + at])) & 0xFFFFFFF
        return looks
    if digits:
        return 3
    if letters != column:
        return 6
    capital = length == 3 and data[i + k] <= 90 and data[i + k + 1] >= 97
    return 5 if capital else 4


@compiled
def fast_shape(data: Any, start: int, end: int) -> Any:
    """As lines.shape_of(), and the bytes that it follows from, FAR where these are many."""
    inside = below(end - start)
    separators = _separators(data, start) | ~inside
    shape = 1
    k = lowest(~separators)
    if k == 64:
        return shape_of(data, start, end), FAR
    digits, letters = _digits(data, start), _letters(data, start)
    stop = 0
    for _ in range(SHAPE_COLUMNS):
        if data[start + k] == 91:
            length = lowest(_shift(_closing(data, start) & inside, k)) + 1
            if length > 64 or lowest(_shift(_opening(data, start), k) & ~_ONE) < length:
                return shape_of(data, start, end), FAR
            looks = 91
        else:
            length = lowest(_shift(separators, k))
            if length == 64:
                return shape_of(data, start, end), FAR
            looks = _looks(data, start, k, k + length, digits, letters)
        shape = (shape * 131 + looks) & 0xFFFFFFFFFF
        stop = k + length
        if stop >= 63 or start + stop >= end:
            return shape_of(data, start, end), FAR
        k = stop + lowest(_shift(~separators, stop))
        if k >= 64:
            return shape_of(data, start, end), FAR
    return shape, k + 1


@compiled
def _column_end(data: Any, i: int, end: int) -> int:
    """As lines.column_end()."""
    grouped = data[i] == 91
    for base in range(i, end, 64):
        opening = _opening(data, base) & ~_ONE if base == i else _opening(data, base)
        length = lowest(_closing(data, base) if grouped else _separators(data, base))
        if grouped and lowest(opening) < length:
            return int(column_end(data, i, end))
        if length < 64:
            stop = base + length + (1 if grouped else 0)
            if grouped and stop > end:
                return int(column_end(data, i, end))
            return int(min(stop, end))
    return int(column_end(data, i, end)) if grouped else end


@compiled
def fast_start(data: Any, start: int, end: int, columns: int, rule: int) -> int:
    """As lines.message_start()."""
    i = start if data[start] > 32 and data[start] != 124 and start < end else next_column(data, start, end)
    if columns == 0:
        return i
    base = i
    separators, opening, closing = _masks(data, base, end)
    for _ in range(columns):
        if i >= end:
            return start
        k = _next(separators, opening, closing, i - base)
        if k >= 64 and i > base:
            base = i
            separators, opening, closing = _masks(data, base, end)
            k = _next(separators, opening, closing, 0)
        i = base + k if k < 64 else next_column(data, _column_end(data, i, end), end)
    if rule == 0:
        return i
    return _behind(data, i, end, rule)


@inlined
def _masks(data: Any, base: int, end: int) -> Any:
    return _separators(data, base) | ~below(end - base), _opening(data, base), _closing(data, base)


@inlined
def _next(separators: Any, opening: Any, closing: Any, k: int) -> Any:
    """Where the column behind that at k begins, 64 or more where the vector does not tell."""
    if _shift(opening, k) & _ONE:
        length = lowest(_shift(closing, k)) + 1
        if lowest(_shift(opening, k) & ~_ONE) < length:
            return 64
    else:
        length = lowest(_shift(separators, k))
    stop = k + length
    if stop >= 64:
        return 64
    return stop + lowest(_shift(~separators, stop))


@inlined
def _behind(data: Any, i: int, end: int, rule: int) -> int:
    """One past the first token that ends as the rule says, or i."""
    base = j = i
    blanks = _blanks(data, base)
    for _ in range(MOST_MORE + 1):
        if j >= end or data[j] == 34 or data[j] == 91:
            return i
        if j - base > _REACH:
            base = j
            blanks = _blanks(data, base)
        length = lowest(_shift(blanks, j - base))
        stop = min(j + length, end)
        if length == 64:
            while stop < end and data[stop] != 32 and data[stop] != 9:
                stop += 1
        found = data[stop - 1] == 58 if rule == COLON else stop == j + 1 and data[j] == 45
        if stop + 1 < end and data[stop + 1] > 32 and data[stop + 1] != 124:
            j = stop + 1
        else:
            j = next_column(data, stop, end)
        if found:
            return j
    return i
