"""Line ends and times in machine code: a line's time by comparing it with the minute before.

Every array carries 64 bytes of slack. Python is asked about a line only where comparing does not tell.
"""

from typing import Any

import numpy as np

from logship.engine.vectors import alike, copy, lowest, members, store, word
from logship.patterns.compiled import brief, compiled, inlined

_ONE = np.uint64(1)
_NONE = np.uint64(0)
_SIX = np.uint64(0x3F)
ROW = 64
PATTERN, KEY, TAIL, TEXT, CARRIED = (ROW * n for n in range(5))
"""What lines are compared with: the form's pattern, the minute's key, its tail, its text, the stamp carried on."""
ASK = -1
_THREE = np.uint64(0xFFFFFF)
_UTC, _GMT = (np.uint64(int.from_bytes(name, "little")) for name in (b"UTC", b"GMT"))

_newlines = members((10, 10))
_digits = members((48, 57))
_colons = members((58, 58))


@inlined
def below(count: Any) -> Any:
    """The mask of the first bytes, as many as are given."""
    return ~_NONE if count >= 64 else (_ONE << np.uint64(count)) - _ONE


@brief
def line_ends(data: Any, size: int, ends: Any) -> int:
    """Where the line ends of data[:size] are; how many there are, of which those that find room are noted."""
    count = 0
    i = 0
    while i < size:
        found = _newlines(data, i) & below(size - i)
        while found:
            if count < len(ends):
                ends[count] = i + lowest(found)
            count += 1
            found &= found - _ONE
        i += 64
    return count


@brief
def texts(data: Any, ends: Any, longest: int, starts: Any, stops: Any) -> bool:
    """Where the text of each line begins and stops; whether there are lines that are more or less than that.

    Args:
        data: the chunk.
        ends: where its line ends are.
        longest: bytes of a text in one document.
        starts: takes where each begins.
        stops: takes where each stops, a carriage return before its end left out.
    """
    odd = False
    start = 0
    for k in range(len(ends)):
        end = ends[k]
        stop = end - 1 if end > start and data[end - 1] == 13 else end
        starts[k] = start
        stops[k] = stop
        odd |= (data[start] == 0 and stop > start) or end - start > longest
        start = end + 1
    return odd


@compiled
def _suspect(data: Any, begin: int, end: int) -> Any:
    """Whether a form may stand in the line: two colons among digits, or six digits at its beginning."""
    inside = below(end - begin)
    digits = _digits(data, begin) & inside
    colons = _colons(data, begin) & inside
    pairs = digits & (digits >> np.uint64(1))
    clock = pairs & (colons >> np.uint64(2)) & (pairs >> np.uint64(3)) & (colons >> np.uint64(5))
    clock &= pairs >> np.uint64(6)
    return clock != _NONE or digits & _SIX == _SIX or (digits >> np.uint64(2)) & _SIX == _SIX


@inlined
def is_digit(byte: Any) -> Any:
    """Whether a byte is a digit."""
    return 48 <= byte <= 57


@inlined
def _fraction_end(data: Any, i: int, end: int) -> int:
    """Where a fraction of up to nine digits that begins at i ends; i where there is none."""
    if i + 1 >= end or (data[i] != 46 and data[i] != 44):
        return i
    digits = min(lowest(~_digits(data, i + 1)), 9, end - i - 1)
    return i + 1 + digits if digits > 0 else i


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
    j = _zone_end(data, i + 1 if i < end and data[i] == 32 else i, end)
    return 0 if j < end and _is_alphanumeric(data[j]) else max(j - i, 0)


@compiled
def _zone_end(data: Any, i: int, end: int) -> int:
    """Where the zone that begins at i ends, see stamps.ZONE; 0 where none does."""
    if i < end and data[i] == 90:
        return i + 1
    if i + 3 > end:
        return 0
    if data[i] != 43 and data[i] != 45:
        three = word(data, i) & _THREE
        return i + 3 if three == _UTC or three == _GMT else 0  # noqa: PLR1714, SIM109  compiled as it stands
    tens, ones = data[i + 1], data[i + 2]
    if not (is_digit(ones) and (tens == 48 or (tens == 49 and ones <= 52))):
        return 0
    j = i + 4 if i + 3 < end and data[i + 3] == 58 else i + 3
    minutes = j + 2 <= end and 48 <= data[j] <= 53 and is_digit(data[j + 1])
    return j + 2 if minutes else i + 3


@inlined
def _is_alphanumeric(byte: Any) -> Any:
    """Whether a byte is a digit or a letter of ASCII."""
    return is_digit(byte) or 65 <= byte <= 90 or 97 <= byte <= 122


@inlined
def stamp(data: Any, begin: int, end: int, form: Any, columns: Any, fixed: Any, minute: Any, out: Any, o: int) -> int:
    """Write the time of a line, RFC 3339 in UTC; its bytes, 0 where the line has none, ASK where Python is asked.

    Args:
        data: the chunk.
        begin: where the line begins.
        end: where it ends.
        form: width, bytes of the key, tail, fraction, bytes of the minute's tail, bytes of its text; a width of 0
            stands for no form.
        columns: a bit for each column at which the form stood.
        fixed: masks of the form's signs and of its digits.
        minute: ROW bytes each: the form's pattern, the minute's key, its tail, its text.
        out: takes the stamp.
        o: where.
    """
    width, key, tail = form[0], form[1], form[4]
    left = columns if width > 0 else _NONE
    while left:
        p = begin + lowest(left)
        left &= left - _ONE
        q = p + width
        if q > end:
            break
        keys = below(key)
        if tail < 0 or alike(data, p, minute, KEY) & keys != keys:
            if alike(data, p, minute, PATTERN) & fixed[0] == fixed[0] and _digits(data, p) & fixed[1] == fixed[1]:
                return ASK
            continue
        if key < width and not (48 <= data[q - 2] <= 53 and is_digit(data[q - 1])):
            return ASK
        after = _fraction_end(data, q, end) if form[3] else q
        if form[2] and not _tail_is(data, after, end, form[2], minute, tail):
            return ASK
        copy(minute, TEXT, out, o)
        length = form[5]
        if key < width:
            out[o + length] = data[q - 2]
            out[o + length + 1] = data[q - 1]
            length += 2
        if after > q:
            store(out, o + length, word(data, q))
            store(out, o + length + 8, word(data, q + 8))
            out[o + length] = 46
            length += after - q
        out[o + length] = 90
        return int(length + 1)
    return ASK if _suspect(data, begin, end) else 0


@compiled
def _tail_is(data: Any, i: int, end: int, kind: int, minute: Any, tail: int) -> Any:
    """Whether the zone, year or space at i is the one that is known."""
    tails = below(tail)
    return _tail_length(data, i, end, kind) == tail and alike(data, i, minute, TAIL) & tails == tails
