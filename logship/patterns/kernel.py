"""Stage 1 in machine code: the slot of each line's template, by a signature of its message.

A signature is a 64-bit hash of the text between values; what follows the first MOST_TOKENS tokens does not count. An
open-addressed table gives the slot. Where it has none, the masks learned for that number of tokens are tried: a hash of
the tokens, from which single ones can be taken out. Every array of bytes carries 64 bytes of slack.
"""

from typing import Any

import numpy as np

from logship.engine.vectors import copy, fold, highest, keep_looks, lowest, members, ones, pointer, same_looks, word
from logship.patterns.compiled import compiled, inlined
from logship.patterns.kernel_header import FAR, below, fast_shape, fast_start
from logship.patterns.stage import MASKS, MOST_TOKENS
from logship.patterns.table import find

PLACES = 4
"""Tokens that one mask leaves out."""
UNSEEN, SHAPE = 1, 2
"""Why a scan stops: no template for a line; no header for its leading shape, or lines of it are wanted."""

_ONE = np.uint64(1)
_NONE = np.uint64(0)
_ALL = ~_NONE
_STEP = np.uint64(0xD6E8FEB86659FD93)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_VALUE = np.uint64(0x8CB92BA72F3D8DD7)
_MASKED = np.uint64(0x2D358DCCAA6C78A5)
_SEED = np.uint64(0xA0761D6478BD642F)
_INNER = np.uint64(0xE7037ED1A0B428DB)
_LAST = np.uint64(0x8EBC6AF09C88C6E3)
_WORD = 8
_BEGIN = np.int64(0)
"""Not a literal, for which everything would be compiled once more."""

_control = members((0, 31))
_blank = members((32, 32))
_soft = members((44, 44), (58, 59))
_hard = members((34, 34), (39, 41), (60, 62), (91, 91), (93, 93), (123, 125))
_digits = members((48, 57))
_slashes = members((47, 47))
_letters = members((65, 90), (97, 122))


def powers() -> Any:
    """The factor of each token's place."""
    with np.errstate(over="ignore"):
        return np.cumprod(np.full(MOST_TOKENS + 1, _STEP, np.uint64))


@inlined
def _span(start: Any, stop: Any) -> Any:
    """The mask of the bytes from start up to stop, of which the first is below 64."""
    return below(stop) & ~((_ONE << np.uint64(start)) - _ONE)


@inlined
def _hashed(state: Any, data: Any, i: Any, end: Any) -> Any:
    """A hash that goes on with the text from i up to end."""
    while end - i > 2 * _WORD:
        state = fold(word(data, i) ^ _INNER, word(data, i + _WORD) ^ state)
        i += 2 * _WORD
    left = end - i
    first = word(data, i) & below(8 * left)
    second = word(data, i + _WORD) & below(8 * max(left - _WORD, 0))
    return fold(first ^ _LAST, second ^ state)


@compiled
def is_odd(data: Any, i: int, end: int) -> Any:
    """Whether a text begins with a blank or holds blanks in a row or other than spaces."""
    before = _ONE
    while i < end:
        blank = _blank(data, i)
        if (_control(data, i) | (blank & ((blank << _ONE) | before))) & below(end - i):
            return True
        before = blank >> np.uint64(63)
        i += 64
    return False


@compiled
def squeezed(data: Any, i: int, end: int, out: Any) -> int:
    """Write a text with one space for each run of blanks, none at its beginning; its length."""
    o = 0
    while i < end:
        copy(data, i, out, o)
        blank = _blank(data, i)
        before = _ONE if o == 0 or out[o - 1] == 32 else _NONE
        step = min(lowest((_control(data, i) | (blank & ((blank << _ONE) | before))) & below(end - i)), end - i)
        i += step
        o += step
        if step < 64 and i < end:
            if o > 0 and out[o - 1] != 32:
                out[o] = 32
                o += 1
            while i < end and data[i] <= 32:
                i += 1
    return o


@compiled
def _listed(data: Any, i: int, end: int) -> Any:
    """Whether only blanks, commas, colons and semicolons stand between two values."""
    for k in range(i, end):
        c = data[k]
        if c > 32 and c != 44 and c != 58 and c != 59:  # noqa: PLR1714  compiled as it stands
            return False
    return True


@inlined
def _gaps(data: Any, i: Any) -> Any:
    return _control(data, i) | _blank(data, i) | _soft(data, i) | _hard(data, i)


@compiled
def _token_end(data: Any, i: int, end: int) -> int:
    while i < end:
        length = lowest(_gaps(data, i))
        if length < 64:
            return int(min(i + length, end))
        i += 64
    return end


@compiled
def _token_start(data: Any, i: int, end: int) -> int:
    while i < end:
        length = lowest(~_gaps(data, i))
        if length < 64:
            return int(min(i + length, end))
        i += 64
    return end


@compiled
def _is_value(data: Any, start: int, stop: int) -> Any:
    """Whether a token is a value by its looks: it holds a digit or is a path; eth0 is not."""
    digits = 0
    slashes = 0
    letters = 0
    for k in range(start, stop):
        c = data[k]
        digits += 48 <= c <= 57
        slashes += c == 47
        letters += 97 <= (c | 32) <= 122
    length = stop - start
    if digits > 0:
        return not (digits == 1 and 3 <= length <= 7 and letters == length - 1 and 48 <= data[stop - 1] <= 57)
    return slashes > 1 or data[start] == 47


@compiled
def signature(data: Any, i: int, end: int) -> Any:
    """The signature of data[i:end], in which no blanks stand in a row, and where the text ends that it covers."""
    state = _SEED
    since = i
    valued: Any = False
    left = MOST_TOKENS
    while i < end:
        hard, gaps = _hard(data, i), _gaps(data, i)
        tokens = ~gaps & below(end - i)
        after = i + 63
        if end - i > 64 and tokens >> np.uint64(63):
            cut = highest(gaps)
            after = i + cut
            tokens &= (_ONE << np.uint64(cut)) - _ONE
            if cut == 0:
                after = _token_end(data, i, end)
                left -= 1
                if _is_value(data, i, after):
                    if not (valued and _listed(data, since, i)):
                        state = _hashed(state, data, since, i)
                    since = after
                    valued = True
        starts = tokens & ~(tokens << _ONE)
        left -= ones(starts)
        if left <= 0:
            while left < 0:
                starts &= ~(_ONE << np.uint64(highest(starts) - 1))
                left += 1
            if starts:
                last = highest(starts) - 1
                end = i + min(last + lowest(~tokens >> np.uint64(last)), 64)
                tokens &= below(end - i)
            else:
                end = min(after, end) if tokens == _NONE and gaps == _NONE else i
        digits, slashes = _digits(data, i), _slashes(data, i)
        marks = (digits | slashes) & tokens
        while marks:
            at = lowest(marks)
            start = highest(gaps & ((_ONE << np.uint64(at)) - _ONE))
            stop = at + lowest(~tokens >> np.uint64(at))
            token = _span(start, stop)
            marks &= ~token
            numbers, paths = digits & token, slashes & token
            value = bool(numbers) or bool(paths & ((paths - _ONE) | (_ONE << np.uint64(start))))
            if numbers and 3 <= stop - start <= 7 and token & ~_letters(data, i) == numbers:
                value = numbers != _ONE << np.uint64(stop - 1)
            if value:
                here = i + start
                if valued and since >= i:
                    listed = not (tokens | hard) & _span(since - i, start)
                else:
                    listed = valued and _listed(data, since, here)
                if not listed:
                    state = _hashed(state, data, since, here)
                since = i + stop
                valued = True
        i = min(after, end)
    return _hashed(state, data, since, end), end


@inlined
def _mixed(number: Any) -> Any:
    return (number ^ (number >> np.uint64(29))) * _MIX


@compiled
def split(data: Any, i: int, end: int, factors: Any, elements: Any, starts: Any, stops: Any) -> Any:
    """A hash of the tokens of a text that signature() has cut, and their number; numbers for them go to elements."""
    whole = _NONE
    count = 0
    while True:
        start = _token_start(data, i, end)
        gap = _mixed(_hashed(_SEED, data, i, start))
        if start == end:
            return whole + gap * factors[count], count
        stop = _token_end(data, start, end)
        value = _is_value(data, start, stop)
        if value and count > 0 and elements[count - 1] == _VALUE and _listed(data, i, start):
            i = stop
            continue
        token = _VALUE if value else _hashed(_SEED, data, start, stop)
        elements[count], starts[count], stops[count] = token, start, stop
        whole += (token * _MIX + gap) * factors[count]
        count += 1
        i = stop


@compiled
def masked(whole: Any, elements: Any, factors: Any, places: Any, first: int) -> Any:
    """A hash of tokens without those at some places; these begin at places[first] and end at -1."""
    for i in range(first, first + PLACES):
        place = places[i]
        if place < 0:
            break
        whole += (_MASKED - elements[place]) * _MIX * factors[place]
    return whole


@compiled
def _failure(data: Any, start: int, stop: int) -> Any:
    """Whether a token ends in Error or Exception."""
    if stop - start >= 5 and data[stop - 1] == 114:
        return data[stop - 5] == 69 and data[stop - 4] == 114 and data[stop - 3] == 114 and data[stop - 2] == 111
    if stop - start < 9 or data[stop - 1] != 110 or data[stop - 9] != 69:
        return False
    return data[stop - 8] == 120 and data[stop - 7] == 99 and data[stop - 6] == 101 and data[stop - 5] == 112


@compiled
def _try_masks(
    data: Any,
    whole: Any,
    count: int,
    elements: Any,
    starts: Any,
    stops: Any,
    factors: Any,
    keys: Any,
    cells: int,
    values: Any,
    masks: Any,
) -> int:
    """The slot that a mask gives, or -1."""
    for first in range(count * MASKS * PLACES, (count + 1) * MASKS * PLACES, PLACES):
        if masks[first] < 0:
            return -1
        fits = True
        for i in range(first, first + PLACES):
            place = masks[i]
            if place >= 0 and elements[place] != _VALUE and _failure(data, starts[place], stops[place]):
                fits = False
        if fits:
            key = masked(whole, elements, factors, masks, first)
            cell = find(keys, cells - 1, key)
            if keys[cell] == key:
                return int(values[cell])
    return -1


@compiled
def _slot(
    data: Any,
    begin: Any,
    end: int,
    keys: Any,
    cells: int,
    values: Any,
    masks: Any,
    factors: Any,
    elements: Any,
    starts: Any,
    stops: Any,
    about: Any,
) -> int:
    """The slot of a message without blanks in a row, or -1."""
    key, stop = signature(data, begin, end)
    cell = find(keys, cells - 1, key)
    if keys[cell] == key:
        return int(values[cell])
    whole, count = split(data, begin, stop, factors, elements, starts, stops)
    about[1] = count
    about[5] = np.int64(key)
    about[6] = np.int64(whole)
    return _try_masks(data, whole, count, elements, starts, stops, factors, keys, cells, values, masks)


@compiled
def _squeezed_slot(
    data: Any,
    begin: int,
    end: int,
    keys: Any,
    cells: int,
    values: Any,
    masks: Any,
    factors: Any,
    elements: Any,
    starts: Any,
    stops: Any,
    about: Any,
) -> int:
    """The slot of any message, or -1."""
    text = np.empty(end - begin + 64, np.uint8)
    size = squeezed(data, begin, end, pointer(text))
    slot = _slot(pointer(text), _BEGIN, size, keys, cells, values, masks, factors, elements, starts, stops, about)
    text[0] = 0  # an address does not keep its array
    return slot


@inlined
def _text_end(data: Any, start: Any, end: Any) -> Any:
    """Where a line ends without the blanks behind it."""
    while end > start and data[end - 1] <= 32:
        end -= 1
    return end


@compiled
def shapes(data: Any, lines: Any, found: Any) -> None:
    """The leading shape of each line."""
    _shapes(pointer(data), pointer(lines), pointer(found), len(found))


@compiled
def _shapes(data: Any, lines: Any, found: Any, count: int) -> None:
    for i in range(count):
        found[i] = fast_shape(data, lines[i], _text_end(data, lines[i], lines[i + 1]))[0]


@compiled
def scan(
    data: Any,
    lines: Any,
    first: int,
    slots: Any,
    shapes: Any,
    cuts: Any,
    closed: bool,
    keys: Any,
    values: Any,
    masks: Any,
    factors: Any,
    elements: Any,
    starts: Any,
    stops: Any,
    looks: Any,
    about: Any,
    counts: Any,
    latest: Any,
    number: int,
) -> int:
    """Slots of the lines from ``first`` on, up to one that Python must look at.

    Args:
        data: bytes of whole lines.
        lines: where each line begins, and the end of the last.
        first: the line to begin at.
        slots: takes the slot of each line.
        shapes: table of the leading shapes that have a header.
        cuts: columns and rule of each header and whether its lines are wanted, beside shapes.
        closed: whether shapes that are not among them have none.
        keys: table of signatures.
        values: their slots, beside keys.
        masks: places of each mask, by number of tokens.
        factors: powers().
        elements: takes the tokens of the line at which the scan stops.
        starts: takes where each of them begins.
        stops: takes where each of them ends.
        looks: 64 bytes, for the beginning of the line before.
        about: takes why it stops, the number of tokens, where the message begins and ends, shape, signature, hash
            of the tokens.
        counts: lines of each slot.
        latest: number of each slot's latest line.
        number: number of the line at lines[0].

    Returns:
        The line at which it stopped, or the number of lines.
    """
    return _scan(
        pointer(data), pointer(lines), first, len(lines) - 1, pointer(slots), pointer(shapes), len(shapes),
        pointer(cuts), closed, pointer(keys), len(keys), pointer(values), pointer(masks), pointer(factors),
        pointer(elements), pointer(starts), pointer(stops), pointer(looks), pointer(about), pointer(counts),
        pointer(latest), number,
    )  # fmt: skip


@compiled
def _scan(
    data: Any,
    lines: Any,
    first: int,
    count: int,
    slots: Any,
    shapes: Any,
    formats: int,
    cuts: Any,
    closed: bool,
    keys: Any,
    cells: int,
    values: Any,
    masks: Any,
    factors: Any,
    elements: Any,
    starts: Any,
    stops: Any,
    looks: Any,
    about: Any,
    counts: Any,
    latest: Any,
    number: int,
) -> int:
    known = _ALL
    extent = FAR
    header = 0
    for i in range(first, count):
        start = lines[i]
        end = _text_end(data, start, lines[i + 1])
        if same_looks(data, start, looks) & known != known or end - start < extent:
            number_of, extent = fast_shape(data, start, end)
            shape = np.uint64(number_of)
            cell = find(shapes, formats - 1, shape)
            if (shapes[cell] != shape and not closed) or cuts[3 * cell + 2]:
                about[0] = SHAPE
                about[4] = np.int64(shape)
                return i
            keep_looks(data, start, looks)
            known = below(extent)
            header = cell
        begin = fast_start(data, start, end, cuts[3 * header], cuts[3 * header + 1])
        if is_odd(data, begin, end):
            slot = _squeezed_slot(data, begin, end, keys, cells, values, masks, factors, elements, starts, stops, about)
        else:
            slot = _slot(data, begin, end, keys, cells, values, masks, factors, elements, starts, stops, about)
        if slot < 0:
            about[0] = UNSEEN
            about[2] = begin
            about[3] = end
            return i
        slots[i] = slot
        counts[slot] += 1
        latest[slot] = number + i
    return count
