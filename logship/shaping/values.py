"""The texts of a value, as deep as they may stand in it: JSON, JSON within a text, Python's objects.

Whatever is not well formed is read so that rather too much is a text than too little. Each function runs as it stands,
on bytes, and compiled, on an array of them.
"""

from typing import Any

import numpy as np

from logship.engine.documents import Int64
from logship.patterns.compiled import AVAILABLE, brief, inlined

_QUOTE, _APOSTROPHE, _BACKSLASH, _BRACKET, _COLON, _EQUALS = b"\"'\\[:="
_DEEPEST = 63
"""Backslashes before a quote beyond which depths are not told apart: objects in texts in texts."""
_LONGEST_KIND = 40
_OPEN, _CLOSE, _OTHER = 1, 2, 3
_SIGNS = np.zeros(256, np.uint8)
"""What may begin at a byte: a bracket, its end, something else."""
_SIGNS[list(b"[{(")] = _OPEN
_SIGNS[list(b"]})")] = _CLOSE
_SIGNS[list(b"\"'\\tr")] = _OTHER
_SIGN_OF = _SIGNS if AVAILABLE else _SIGNS.tobytes()


@inlined
def _wordlike(byte: Any) -> Any:
    return 97 <= (byte | 32) <= 122 or 48 <= byte <= 57 or byte == 95


@inlined
def _blank(byte: Any) -> Any:
    return byte == 32 or 9 <= byte <= 13


@inlined
def _quote(data: Any, i: int, size: int) -> Any:
    return i < size and (data[i] == _QUOTE or data[i] == _APOSTROPHE)


@inlined
def _past_backslashes(data: Any, i: int, size: int) -> int:
    while i < size and data[i] == _BACKSLASH:
        i += 1
    return i


@inlined
def _past_blanks(data: Any, i: int, size: int) -> int:
    while i < size and _blank(data[i]):
        i += 1
    return i


@inlined
def _kind_end(data: Any, i: int, size: int) -> int:
    """Where ``type="text"`` or ``"role": "user"`` ends whose first letter is at i, -1 where there is none."""
    if i + 4 > size or (i > 0 and _wordlike(data[i - 1])):
        return -1
    first, second, third = data[i], data[i + 1], data[i + 2]
    if data[i + 3] != 101 or not (
        (first == 116 and second == 121 and third == 112) or (first == 114 and second == 111 and third == 108)
    ):
        return -1
    i = _past_backslashes(data, i + 4, size)
    if _quote(data, i, size):
        i += 1
    i = _past_blanks(data, i, size)
    if i >= size or (data[i] != _COLON and data[i] != _EQUALS):
        return -1
    i = _past_backslashes(data, _past_blanks(data, i + 1, size), size)
    if not _quote(data, i, size):
        return -1
    i += 1
    end = min(size, i + _LONGEST_KIND)
    while i < end and (_wordlike(data[i]) or data[i] == 45 or data[i] == 46):
        i += 1
    i = _past_backslashes(data, i, size)
    return i + 1 if _quote(data, i, size) else -1


@inlined
def _text_end(data: Any, i: int, size: int, depth: int, quote: Any) -> int:
    r"""Where a text ends: at a closing quote, with as many backslashes before it as before the opening one.

    A text within it has 2 * depth + 1 before its quotes: ``"``, ``\"``, ``\\\"``; a backslash at its end is written as
    2 * (depth + 1). A quote with a letter behind it closes nothing: writers that escape none leave ``'it's'``.
    """
    step = 2 * (depth + 1)
    while i < size:
        if data[i] != quote and data[i] != _BACKSLASH:
            i += 1
            continue
        n = _past_backslashes(data, i, size)
        if n >= size or data[n] != quote:
            i = n
        elif (n - i) % step == step - 1 or (n + 1 < size and _wordlike(data[n + 1])):
            i = n + 1
        else:
            return i
    return size


@inlined
def _is_key(data: Any, i: int, size: int) -> Any:
    """Whether a text that ends at i is the name of a field."""
    i = _past_backslashes(data, i, size)
    if _quote(data, i, size):
        i += 1
    i = _past_blanks(data, i, size)
    return i < size and data[i] == _COLON


@inlined
def _numbers_end(data: Any, i: int, size: int) -> int:
    """Where a list of numbers ends whose first may be at i; i where it is none."""
    end = i
    while i < size and (_blank(data[i]) or 44 <= data[i] <= 46 or 48 <= data[i] <= 57):
        i += 1
        if 48 <= data[i - 1] <= 57:
            end = i
    return end


@brief
def find_texts(data: Any, begin: int, size: int, spans: Any, count: int) -> tuple[int, int]:
    """Note where the texts of a value are, numbers in lists too; names of fields are none.

    Args:
        data: the line that holds it.
        begin: where the value does: at a quote, with backslashes before it, or at a bracket.
        size: of the line.
        spans: takes begin and end of each text.
        count: how many are there already.

    Returns:
        how many are there now, and where the value ends.
    """
    nested, i = 0, begin
    while i < size:
        sign = _SIGN_OF[data[i]]
        if sign == 0:
            i += 1
            continue
        if sign == _OPEN:
            nested += 1
            i += 1
            end = _numbers_end(data, i, size) if data[i - 1] == _BRACKET else i
            if end > i:
                spans[count, 0], spans[count, 1] = i, end
                count += 1
                i = end
            continue
        if sign == _CLOSE:
            nested -= 1
            i += 1
        else:
            if i > 0 and data[i - 1] == _BACKSLASH:
                i += 1
                continue
            n = _past_backslashes(data, i, size)
            quoted = _quote(data, n, size)
            end = _kind_end(data, n + 1 if quoted else n, size)
            if end >= 0:
                i = end
            elif quoted:
                end = _text_end(data, n + 1, size, min(n - i, _DEEPEST), data[n])
                if nested == 0 or not _is_key(data, end, size):
                    spans[count, 0], spans[count, 1] = n + 1, end
                    count += 1
                if end == size:
                    break
                i = _past_backslashes(data, end, size) + 1
            else:
                i = max(n, i + 1)
                continue
        if nested <= 0:
            return count, i
    return count, size


def texts_of(line: bytes, begin: int) -> tuple[list[tuple[int, int]], int]:
    """Where the texts of a value are, and where it ends; see ``find_texts``."""
    spans = room_for(line)
    count, end = find_texts(readable(line), begin, len(line), spans, 0)
    return [(first, last) for first, last in spans[:count].tolist()], end


def room_for(line: bytes) -> Int64:
    """Room for all the texts that a line can have."""
    return np.empty((len(line) // 2 + 1, 2), np.int64)


def readable(line: bytes) -> Any:
    """A line as the functions read it fastest."""
    return np.frombuffer(line, np.uint8) if AVAILABLE else line
