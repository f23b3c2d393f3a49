"""The engine in machine code: line ends, times by comparing with the minute before, documents.

Every array carries 64 bytes of slack. Python is asked about a line only where comparing does not tell.
"""

from typing import Any

import numpy as np

from logship.engine.vectors import alike, copy, lowest, specials, store, within, word
from logship.patterns.compiled import compiled, inlined

_ONE = np.uint64(1)
_NONE = np.uint64(0)
_DIGIT, _NINE, _COLON = np.uint8(48), np.uint8(57), np.uint8(58)
_NEWLINE = np.uint8(10)
_SIX = np.uint64(0x3F)
_LEVEL_KEY = np.uint64(int.from_bytes(b"level", "little"))
_LEVEL_BITS = np.uint64((1 << 40) - 1)
_LOWER = np.uint64(0x2020202020202020)
LEVEL_WITHIN = 128
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
def _digit(byte: Any) -> Any:
    return 48 <= byte <= 57


@compiled
def _fraction_end(data: Any, i: int, end: int) -> int:
    """Where a fraction of up to nine digits that begins at i ends; i where there is none."""
    if i + 1 >= end or (data[i] != 46 and data[i] != 44) or not _digit(data[i + 1]):
        return i
    stop = min(i + 10, end)
    i += 2
    while i < stop and _digit(data[i]):
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
            if not _digit(data[j]):
                return -1
        return 5
    if i < end and data[i] == 90:
        return 1
    j = i + 1 if i < end and data[i] == 32 else i
    if j + 5 > end or (data[j] != 43 and data[j] != 45) or not (_digit(data[j + 1]) and _digit(data[j + 2])):
        return 0
    j += 4 if data[j + 3] == 58 else 3
    if j + 2 > end or not (_digit(data[j]) and _digit(data[j + 1])):
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
            if key < width and not (48 <= data[q - 2] <= 53 and _digit(data[q - 1])):
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
            while j >= base + 64 and j < end and j <= p + 8 and (_letter(data[j]) or _digit(data[j]) or data[j] == 95):
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
        if not _digit(data[i]):
            return 0
    i = begin + 5
    if data[i] != 32:
        return 0
    while i < end and data[i] == 32:
        i += 1
    if i + 8 > end or data[i + 2] != 58 or data[i + 5] != 58:
        return 0
    for j in range(8):
        if j % 3 != 2 and not _digit(data[i + j]):
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
