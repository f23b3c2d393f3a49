"""Documents in machine code: levels, escapes, numbers. Every array carries 64 bytes of slack."""

from typing import Any

import numpy as np

from logship.engine.kernel_times import ROW, below, is_digit
from logship.engine.vectors import copy, lowest, specials, store, within, word
from logship.patterns.compiled import compiled, inlined

_ONE = np.uint64(1)
_NONE = np.uint64(0)
_DIGIT, _NINE = np.uint8(48), np.uint8(57)
_LEVEL_KEY = np.uint64(int.from_bytes(b"level", "little"))
_LEVEL_BITS = np.uint64((1 << 40) - 1)
_LOWER = np.uint64(0x2020202020202020)
LEVEL_WITHIN = 128


@inlined
def _letter(byte: Any) -> Any:
    return 97 <= (byte | 32) <= 122


@inlined
def _named(names: Any, lengths: Any, key: Any, length: int) -> int:
    for n in range(len(names)):
        if names[n] == key and lengths[n] == length:
            return n
    return -1


@inlined
def _wordlike(data: Any, i: int) -> Any:
    upper = within(data, i, np.uint8(65), np.uint8(90))
    rest = within(data, i, np.uint8(97), np.uint8(122)) | within(data, i, _DIGIT, _NINE)
    return upper, upper | rest | within(data, i, np.uint8(95), np.uint8(95))


@compiled
def level_of(data: Any, begin: int, stop: int, names: Any, lengths: Any) -> int:
    """The number of the level that a text names in its first 128 bytes; -1 for none, -2 for one that is unknown."""
    end = min(stop, begin + LEVEL_WITHIN)
    before = _NONE
    for base in range(begin, end, 64):
        inside = below(end - base)
        upper, words = _wordlike(data, base)
        words &= inside
        found = upper & words & ~((words << _ONE) | before)
        before = words >> np.uint64(63)
        signs = within(data, base, np.uint8(61), np.uint8(61)) & inside
        found |= signs
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
                    level = _named(names, lengths, word(data, i) & ~_LOWER & below(8 * (j - i)), j - i)
                    return level if level >= 0 else -2
                continue
            j = p + lowest(~(words >> np.uint64(at)))
            while (
                j >= base + 64 and j < end and j <= p + 8 and (_letter(data[j]) or is_digit(data[j]) or data[j] == 95)
            ):
                j += 1
            if 3 <= j - p <= 8:
                level = _named(names, lengths, word(data, p) & below(8 * (j - p)), j - p)
                if level >= 0:
                    return level
    return -1


@compiled
def _klog(data: Any, begin: int, end: int) -> Any:
    """The letter of a klog line, or 0."""
    letter = data[begin] if begin < end else 0
    known = letter == 73 or letter == 87 or letter == 69 or letter == 70  # noqa: PLR1714  compiled as it stands
    if not known or begin + 14 > end:
        return 0
    for i in range(begin + 1, begin + 5):
        if not is_digit(data[i]):
            return 0
    i = begin + 5
    if data[i] != 32:
        return 0
    while i < end and data[i] == 32:
        i += 1
    if i + 8 > end or data[i + 2] != 58 or data[i + 5] != 58:
        return 0
    for j in range(8):
        if j % 3 != 2 and not is_digit(data[i + j]):
            return 0
    return letter


@inlined
def _put(text: Any, bounds: Any, n: int, out: Any, o: int) -> Any:
    """Copy constant n to out[o]; one past it."""
    begin, end = bounds[n], bounds[n + 1]
    i = begin
    while i < end:
        copy(text, i, out, o + i - begin)
        i += 64
    return o + end - begin


@inlined
def _digits(number: int, width: int, out: Any, o: int) -> Any:
    """Write a number in so many digits; one past it."""
    left = np.uint64(number)
    for i in range(o + width - 1, o - 1, -1):
        rest = left // np.uint64(10)
        out[i] = np.uint8(left - rest * np.uint64(10) + np.uint64(48))
        left = rest
    return o + width


@inlined
def _decimal(number: int, out: Any, o: int) -> Any:
    """Write a number of 0 or more; one past it."""
    width = 1
    limit = 10
    while number >= limit and width < 18:
        limit *= 10
        width += 1
    return _digits(number, width, out, o)


@inlined
def _hexadecimal(number: int, out: Any, o: int) -> Any:
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
def _message(data: Any, i: int, end: int, out: Any, o: int, escapes: Any, widths: Any) -> Any:
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


@compiled
def write(
    data: Any,
    begins: Any,
    stops: Any,
    origins: Any,
    split: Any,
    line_of: Any,
    templates: Any,
    stamps: Any,
    lengths: Any,
    offset: int,
    text: Any,
    bounds: Any,
    escapes: Any,
    widths: Any,
    names: Any,
    name_lengths: Any,
    name_levels: Any,
    letters: Any,
    out: Any,
    cap: int,
    about: Any,
) -> int:
    """Write documents up to the cap, one at least; how many.

    Args:
        data: the chunk.
        begins: where each document's text begins.
        stops: where it ends.
        origins: where it begins with the NULs before its text.
        split: whether its line goes on behind it.
        line_of: its line.
        templates: of each line, negative for none; may be empty.
        stamps: ROW bytes each, from the second on.
        lengths: of the stamps.
        offset: of the chunk in the file.
        text: the constants one after the other.
        bounds: where each of them begins.
        escapes: what JSON writes for a byte.
        widths: bytes of that, 0 for itself.
        names: words that name levels.
        name_lengths: their bytes.
        name_levels: the constant that each of them stands for.
        letters: the constant that each klog letter stands for.
        out: takes the body.
        cap: bytes of it, at most.
        about: takes the bytes written.
    """
    o = 0
    width = 1
    limit = 10
    for k in range(len(begins)):
        before = o
        begin, stop = begins[k], stops[k]
        at = offset + origins[k]
        o = _put(text, bounds, 0, out, o)
        o = _hexadecimal(at, out, o)
        o = _put(text, bounds, 1, out, o)
        copy(stamps, (k + 1) * ROW, out, o)
        o += lengths[k + 1]
        o = _put(text, bounds, 2, out, o)
        o = _message(data, begin, stop, out, o, escapes, widths)
        o = _put(text, bounds, 3, out, o)
        while at >= limit and width < 18:  # offsets grow, and so do their digits
            limit *= 10
            width += 1
        o = _digits(at, width, out, o)
        level = level_of(data, begin, stop, names, name_lengths)
        if level >= 0:
            o = _put(text, bounds, name_levels[level], out, o)
        elif level == -1:
            letter = _klog(data, begin, stop)
            if letter:
                o = _put(text, bounds, letters[letter], out, o)
        if split[k]:
            o = _put(text, bounds, 4, out, o)
        if len(templates) > 0 and templates[line_of[k]] >= 0:
            o = _put(text, bounds, 5, out, o)
            o = _decimal(templates[line_of[k]], out, o)
        o = _put(text, bounds, 6, out, o)
        if o > cap and k > 0:
            about[0] = before
            return k
        if o >= cap:
            about[0] = o
            return k + 1
    about[0] = o
    return len(begins)
