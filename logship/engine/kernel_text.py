"""Parts of documents in machine code: constants, numbers, texts, levels. Every array carries 64 bytes of slack."""

from typing import Any

import numpy as np

from logship.engine.kernel_times import below, is_digit
from logship.engine.vectors import copy, lowest, members, specials, store, word
from logship.patterns.compiled import compiled, inlined
from logship.patterns.table import find

_ONE = np.uint64(1)
_NONE = np.uint64(0)
_LEVEL_KEY = np.uint64(int.from_bytes(b"level", "little"))
_LEVEL_BITS = np.uint64((1 << 40) - 1)
_LOWER = np.uint64(0x2020202020202020)
LEVEL_WITHIN = 128
LEVEL_CELLS = 64
"""Of the table of names of levels."""
_ZEROS = np.uint64(0x3030303030303030)
_EIGHT_DIGITS = np.uint64(100_000_000)

_capitals = members((65, 90))
_wordlike = members((48, 57), (65, 90), (95, 95), (97, 122))
_signs = members((9, 9), (61, 61), (91, 91))


@inlined
def _letter(byte: Any) -> Any:
    return 97 <= (byte | 32) <= 122


@inlined
def _named(names: Any, levels: Any, key: Any) -> int:
    """The level of a name, of up to eight bytes with zeros behind it; -1 where it is none."""
    cell = find(names, LEVEL_CELLS - 1, key)
    return int(levels[cell]) if names[cell] == key else -1


@compiled
def _enclosed(data: Any, p: int, end: int, names: Any, levels: Any) -> int:
    """The level that stands in small letters behind a bracket or a tab, up to the next; -1 where none does."""
    closing = 93 if data[p] == 91 else 9
    i = p + 1
    j = i
    while j < end and j <= i + 12 and (97 <= data[j] <= 122 or data[j] == 95):
        j += 1
    if closing == 93 and i < j <= i + 12 and j < end and data[j] == 58:
        i = j + 1
        j = i
        while j < end and j <= i + 8 and 97 <= data[j] <= 122:
            j += 1
    if 3 <= j - i <= 8 and j < end and data[j] == closing:
        return _named(names, levels, word(data, i) & ~_LOWER & below(8 * (j - i)))
    return -1


@compiled
def level_of(data: Any, begin: int, stop: int, names: Any, levels: Any) -> int:
    """The level that a text names in its first 128 bytes; -1 for none, -2 for one that is unknown.

    Args:
        data: holds the text.
        begin: where it begins.
        stop: where it ends.
        names: a table of the names of levels.
        levels: their numbers, beside names.
    """
    end = min(stop, begin + LEVEL_WITHIN)
    before = _NONE
    for base in range(begin, end, 64):
        inside = below(end - base)
        words = _wordlike(data, base) & inside
        found = (_capitals(data, base) & words & ~((words << _ONE) | before)) | (_signs(data, base) & inside)
        before = words >> np.uint64(63)
        while found:
            at = lowest(found)
            found &= found - _ONE
            p = base + at
            if data[p] == 61:
                if p - begin < 5 or word(data, p - 5) & _LEVEL_BITS != _LEVEL_KEY:
                    continue
                i = p + 1
                if i < end and data[i] == 34:
                    i += 1
                j = i
                while j < end and j < i + 8 and _letter(data[j]):
                    j += 1
                if j - i >= 3:
                    level = _named(names, levels, word(data, i) & ~_LOWER & below(8 * (j - i)))
                    return level if level >= 0 else -2
                continue
            if data[p] == 9 or data[p] == 91:
                level = _enclosed(data, p, end, names, levels)
                if level >= 0:
                    return level
                continue
            j = p + lowest(~(words >> np.uint64(at)))
            while (
                j >= base + 64 and j < end and j <= p + 8 and (_letter(data[j]) or is_digit(data[j]) or data[j] == 95)
            ):
                j += 1
            if 3 <= j - p <= 8:
                level = _named(names, levels, word(data, p) & below(8 * (j - p)))
                if level >= 0:
                    return level
    return -1


@inlined
def constant(text: Any, bounds: Any, n: Any, out: Any, o: int) -> Any:
    """Copy constant n to out[o]; one past it."""
    begin, end = bounds[n], bounds[n + 1]
    i = begin
    while i < end:
        copy(text, i, out, o + i - begin)
        i += 64
    return o + end - begin


@inlined
def digits(number: int, width: int, out: Any, o: int) -> Any:
    """Write a number in so many digits; one past it."""
    left = np.uint64(number)
    for i in range(o + width - 1, o - 1, -1):
        rest = left // np.uint64(10)
        out[i] = np.uint8(left - rest * np.uint64(10) + np.uint64(48))
        left = rest
    return o + width


@inlined
def _eight_digits(number: Any) -> Any:
    """The digits of a number below 10 ** 8, a byte each, the highest in the lowest byte: halves of halves of halves."""
    fours = (number // np.uint64(10_000)) | ((number % np.uint64(10_000)) << np.uint64(32))
    hundreds = ((fours * np.uint64(10_486)) >> np.uint64(20)) & np.uint64(0x0000007F0000007F)
    twos = hundreds | ((fours - np.uint64(100) * hundreds) << np.uint64(16))
    tens = ((twos * np.uint64(103)) >> np.uint64(10)) & np.uint64(0x000F000F000F000F)
    return tens | ((twos - np.uint64(10) * tens) << np.uint64(8))


@inlined
def _short_decimal(number: Any, out: Any, o: int) -> Any:
    """Write a number below 10 ** 8; one past it."""
    digits = _eight_digits(number)
    left_out = lowest(digits | (_ONE << np.uint64(56))) & 56
    store(out, o, (digits | _ZEROS) >> np.uint64(left_out))
    return o + 8 - left_out // 8


@inlined
def decimal(number: int, out: Any, o: int) -> Any:
    """Write a number of 0 or more; one past it."""
    low = np.uint64(number)
    if low < _EIGHT_DIGITS:
        return _short_decimal(low, out, o)
    high = low // _EIGHT_DIGITS
    if high < _EIGHT_DIGITS:
        o = _short_decimal(high, out, o)
    else:
        o = _short_decimal(high // _EIGHT_DIGITS, out, o)
        store(out, o, _eight_digits(high % _EIGHT_DIGITS) | _ZEROS)
        o += 8
    store(out, o, _eight_digits(low % _EIGHT_DIGITS) | _ZEROS)
    return o + 8


@inlined
def hexadecimal(number: int, out: Any, o: int) -> Any:
    """Write a number in twelve digits; one past it. Eight digits at a time, a byte each, as sums of a word."""
    store(out, o, _nibbles(np.uint64(number) >> np.uint64(16)))
    store(out, o + 8, _nibbles((np.uint64(number) & np.uint64(0xFFFF)) << np.uint64(16)))
    return o + 12


@inlined
def _nibbles(number: Any) -> Any:
    """Eight hexadecimal digits of the lower 32 bits, the highest in the lowest byte."""
    spread = ((number & np.uint64(0xFFFF)) << np.uint64(32)) | (number >> np.uint64(16))
    spread = ((spread & np.uint64(0x000000FF000000FF)) << np.uint64(16)) | (
        (spread & np.uint64(0x0000FF000000FF00)) >> np.uint64(8)
    )
    spread = ((spread & np.uint64(0x000F000F000F000F)) << np.uint64(8)) | (
        (spread & np.uint64(0x00F000F000F000F0)) >> np.uint64(4)
    )
    letters = ((spread + np.uint64(0x0606060606060606)) >> np.uint64(4)) & np.uint64(0x0101010101010101)
    return spread + np.uint64(0x3030303030303030) + letters * np.uint64(39)


@compiled
def _character(data: Any, i: int, end: int) -> int:
    """Bytes of the UTF-8 character at i; where it is not one, less 0 by those that are replaced together.

    As CPython's: the longest beginning of a character becomes one replacement (Unicode 16, table 3-8).
    """
    lead = data[i]
    if lead < 0xC2 or lead > 0xF4:
        return -1
    length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    low = 0xA0 if lead == 0xE0 else 0x90 if lead == 0xF0 else 0x80
    high = 0x9F if lead == 0xED else 0x8F if lead == 0xF4 else 0xBF
    for k in range(1, length):
        if i + k >= end or data[i + k] < low or data[i + k] > high:
            return -k
        low, high = 0x80, 0xBF
    return length


@compiled
def message(data: Any, i: int, end: int, out: Any, o: int, escapes: Any, widths: Any) -> Any:
    """Write a text as JSON without its quotes; one past it."""
    while i < end:
        found = specials(data, i, out, o) & below(end - i)
        if not found:
            step = min(64, end - i)
            i += step
            o += step
            continue
        step = lowest(found)
        i += step
        o += step
        while i < end:
            byte = data[i]
            if byte >= 0x80:
                length = _character(data, i, end)
                if length > 0:
                    store(out, o, word(data, i))
                    i += length
                    o += length
                else:
                    out[o], out[o + 1], out[o + 2] = 0xEF, 0xBF, 0xBD
                    i -= length
                    o += 3
            elif widths[byte]:
                store(out, o, escapes[byte])
                o += widths[byte]
                i += 1
            else:
                break
    return o
