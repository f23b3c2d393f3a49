"""Where a line's message begins: its leading shape, its columns, the cut behind them.

Each function runs as it stands, on bytes, and compiled, on an array of them: only numbers, indices and loops.
"""

from typing import Any

from logship.patterns.compiled import compiled

COLON, DASH = 1, 2
"""How a header ends behind its columns: at a token that ends in a colon, at a lone hyphen."""
MOST_MORE = 4
"""Tokens behind the last column in which that end is looked for."""
SHAPE_COLUMNS = 2
MOST_PATTERN = 32
"""Characters of a column of digits whose punctuation tells formats apart."""


@compiled
def column_end(data: Any, i: int, end: int) -> int:
    """One past the column that begins at i; a group in brackets is one column."""
    if data[i] == 91:
        depth = 0
        j = i
        while j < end:
            if data[j] == 91:
                depth += 1
            elif data[j] == 93:
                depth -= 1
                if depth == 0:
                    return j + 1
            j += 1
    while i < end and data[i] != 32 and data[i] != 9 and data[i] != 124:
        i += 1
    return i


@compiled
def next_column(data: Any, i: int, end: int) -> int:
    """Past the blanks or bars at i."""
    while i < end and (data[i] == 32 or data[i] == 9 or data[i] == 124):
        i += 1
    return i


@compiled
def _looks(data: Any, i: int, stop: int) -> int:
    if data[i] == 91:
        return 91
    letters = 0
    digits = 0
    looks = 7
    before = 0
    length = stop - i
    first = data[i]
    for j in range(i, stop):
        c = data[j]
        if 48 <= c <= 57:
            digits += 1
            if before != 1:
                looks = (looks * 31 + 1) & 0xFFFFFFF
            before = 1
        else:
            before = 0
            if (97 <= c <= 122) or (65 <= c <= 90):
                letters += 1
            else:
                looks = (looks * 31 + c) & 0xFFFFFFF
    if letters == 0:
        return looks if 48 <= first <= 57 and length <= MOST_PATTERN else 8
    if digits > 0:
        return 3
    if letters == length and length == 3 and 65 <= first <= 90 and 97 <= data[i + 1] <= 122:
        return 5
    if letters == length:
        return 4
    return 6


@compiled
def shape_of(data: Any, start: int, end: int) -> int:
    """A number for the looks of a line's first two columns: equal for lines of one format."""
    shape = 1
    i = next_column(data, start, end)
    for _ in range(SHAPE_COLUMNS):
        if i >= end:
            break
        stop = column_end(data, i, end)
        shape = (shape * 131 + _looks(data, i, stop)) & 0xFFFFFFFFFF
        i = next_column(data, stop, end)
    return shape


@compiled
def message_start(data: Any, start: int, end: int, columns: int, rule: int) -> int:
    """Where the message begins behind so many columns and the end that the rule names; start where there are fewer."""
    i = next_column(data, start, end)
    if columns == 0:
        return i
    for _ in range(columns):
        if i >= end:
            return start
        i = next_column(data, column_end(data, i, end), end)
    if rule == 0:
        return i
    j = i
    for _ in range(MOST_MORE + 1):
        if j >= end or data[j] == 34 or data[j] == 91:
            return i
        stop = j
        while stop < end and data[stop] != 32 and data[stop] != 9:
            stop += 1
        if (rule == COLON and data[stop - 1] == 58) or (rule == DASH and stop == j + 1 and data[j] == 45):
            return next_column(data, stop, end)
        j = next_column(data, stop, end)
    return i
