"""Stage 1 in machine code: a line's signature and the slot of its template.

A signature is a 64-bit polynomial over the message's tokens and what stands between them, values left out. An
open-addressed table gives the slot; where it has none, the masks learned for that number of tokens are tried.
"""

from typing import Any

import numpy as np

from logship.patterns.compiled import compiled
from logship.patterns.lines import message_start, shape_of
from logship.patterns.tokens import DELIMITERS

MOST_TOKENS = 128
"""Tokens of a message that its signature covers."""
MASKS = 8
"""Masks for one number of tokens."""
PLACES = 4
"""Tokens that one mask leaves out."""
UNSEEN, NEW_SHAPE = 1, 2
"""Why a scan stops: no template for a line, no header for its leading shape."""

LETTER, SLASH, DIGIT = 1 << 40, 1 << 20, 1
BLANK, DELIMITER, SOFT = -1, -2, -3
"""Bytes between tokens: blanks, delimiters, and those of them that stand in lists of values."""

_BASE = np.uint64(0x100000001B3)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0xD6E8FEB86659FD93)
_VALUE = np.uint64(0x8CB92BA72F3D8DD7)
_MASKED = np.uint64(0x2D358DCCAA6C78A5)
_FIRST_GAP = np.uint64(1)
_SPACE = np.uint64(33)


def byte_classes() -> Any:
    """The class of each byte, as the scan adds them up over a token."""
    classes = np.zeros(256, np.int64)
    classes[:33] = BLANK
    classes[list(DELIMITERS.encode())] = DELIMITER
    classes[list(b",;:")] = SOFT
    classes[list(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] = LETTER
    classes[list(b"0123456789")] = DIGIT
    classes[ord("/")] = SLASH
    return classes


def powers() -> Any:
    """The factor of each token's place."""
    with np.errstate(over="ignore"):
        return np.cumprod(np.full(MOST_TOKENS + 1, _STEP, np.uint64))


@compiled
def _find(keys: Any, key: Any) -> Any:
    """The table's cell that holds a key, or the empty one where it belongs."""
    mask = len(keys) - 1
    cell = np.int64((key * _SPREAD) >> np.uint64(32)) & mask
    while keys[cell] != key and keys[cell] != np.uint64(0):
        cell = (cell + 1) & mask
    return cell


@compiled
def store(keys: Any, values: Any, key: Any, value: Any) -> None:
    """Set what the table gives for a key."""
    cell = _find(keys, key)
    keys[cell] = key
    values[cell] = value


@compiled
def keep(keys: Any, values: Any, dropped: Any, kept_keys: Any, kept_values: Any) -> int:
    """Copy a table without the slots that are dropped; how many keys are left."""
    count = 0
    for cell in range(len(keys)):
        if keys[cell] != np.uint64(0) and not dropped[values[cell]]:
            store(kept_keys, kept_values, keys[cell], values[cell])
            count += 1
    return count


@compiled
def _failure(data: Any, stop: int) -> Any:
    """Whether the token before ``stop`` ends in Error or Exception."""
    if data[stop - 1] == 114:
        return data[stop - 5] == 69 and data[stop - 4] == 114 and data[stop - 3] == 114 and data[stop - 2] == 111
    if data[stop - 1] != 110 or data[stop - 9] != 69:
        return False
    return data[stop - 8] == 120 and data[stop - 7] == 99 and data[stop - 6] == 101 and data[stop - 5] == 112


@compiled
def _signature(data: Any, i: int, end: int, classes: Any, factors: Any, elements: Any, stops: Any) -> Any:
    """The signature of data[i:end] and its number of tokens; the tokens go to elements, their ends to stops."""
    whole = np.uint64(0)
    count = 0
    value_before: Any = False
    gap = _FIRST_GAP
    hard = False
    while count < MOST_TOKENS:
        blank = False
        while i < end:
            kind = classes[data[i]]
            if kind >= 0:
                break
            if kind == BLANK:
                blank = bool(count > 0 or gap != _FIRST_GAP)
            else:
                if blank:
                    gap = gap * _BASE + _SPACE
                    blank = False
                gap = gap * _BASE + np.uint64(data[i])
                if kind == DELIMITER:
                    hard = True
            i += 1
        if i >= end:
            whole += gap * factors[count]
            break
        if blank:
            gap = gap * _BASE + _SPACE
        start = i
        token = np.uint64(0)
        seen = np.int64(0)
        while i < end:
            c = data[i]
            kind = classes[c]
            if kind < 0:
                break
            token = token * _BASE + np.uint64(c)
            seen += kind
            i += 1
        length = i - start
        digits = seen & 0xFFFFF
        slashes = (seen >> 20) & 0xFFFFF
        value: Any = False
        if digits > 0:
            last = data[i - 1]
            value = not (
                digits == 1 and 3 <= length <= 7 and (seen >> 40) == length - 1 and slashes == 0 and 48 <= last <= 57
            )
        else:
            value = slashes > 1 or data[start] == 47
        if value:
            if value_before and not hard:
                gap = _FIRST_GAP
                continue
            token = _VALUE
        else:
            token = (token ^ (token >> np.uint64(29))) * _MIX
        value_before = value
        elements[count] = token
        stops[count] = i
        whole += (token * _MIX + gap) * factors[count]
        gap = _FIRST_GAP
        hard = False
        count += 1
    return whole, count


@compiled
def masked(whole: Any, elements: Any, factors: Any, places: Any) -> Any:
    """A signature with the tokens at some places left out; places ends at -1."""
    for place in places:
        if place < 0:
            break
        whole += (_MASKED - elements[place]) * _MIX * factors[place]
    return whole


@compiled
def _try_masks(
    data: Any, whole: Any, count: int, elements: Any, stops: Any, factors: Any, keys: Any, values: Any, masks: Any
) -> Any:
    """The slot that a mask gives, or -1."""
    for m in range(MASKS):
        places = masks[count, m]
        if places[0] < 0:
            return -1
        fits = True
        for place in places:
            if place >= 0 and elements[place] != _VALUE and _failure(data, stops[place]):
                fits = False
        if fits:
            key = masked(whole, elements, factors, places)
            cell = _find(keys, key)
            if keys[cell] == key:
                return values[cell]
    return -1


@compiled
def scan(
    data: Any,
    starts: Any,
    first: int,
    slots: Any,
    shapes: Any,
    cuts: Any,
    closed: bool,
    keys: Any,
    values: Any,
    masks: Any,
    classes: Any,
    factors: Any,
    elements: Any,
    stops: Any,
    about: Any,
    counts: Any,
    latest: Any,
    number: int,
) -> int:
    """Slots of the lines from ``first`` on, up to one that Python must look at.

    Args:
        data: bytes of whole lines, with slack of 16 in front of the first.
        starts: where each line begins, and the end of the last.
        first: the line to begin at.
        slots: takes the slot of each line.
        shapes: table of the leading shapes that have a header.
        cuts: columns and rule of each header, beside shapes.
        closed: whether shapes that are not among them have none.
        keys: table of signatures.
        values: their slots, beside keys.
        masks: places of each mask, by number of tokens.
        classes: byte_classes().
        factors: powers().
        elements: takes the tokens of the line at which the scan stops.
        stops: takes where each of them ends.
        about: takes why it stops, the number of tokens, where the message begins and ends.
        counts: lines of each slot.
        latest: number of each slot's latest line.
        number: number of the line at starts[0].

    Returns:
        The line at which it stopped, or the number of lines.
    """
    for i in range(first, len(starts) - 1):
        start = starts[i]
        end = starts[i + 1]
        while end > start and data[end - 1] <= 32:
            end -= 1
        shape = np.uint64(shape_of(data, start, end))
        cell = _find(shapes, shape)
        about[4] = np.int64(shape)
        if shapes[cell] != shape and not closed:
            about[0] = NEW_SHAPE
            return i
        begin = message_start(data, start, end, cuts[cell, 0], cuts[cell, 1])
        whole, count = _signature(data, begin, end, classes, factors, elements, stops)
        cell = _find(keys, whole)
        slot = values[cell]
        if keys[cell] != whole:
            slot = _try_masks(data, whole, count, elements, stops, factors, keys, values, masks)
            if slot < 0:
                about[0] = UNSEEN
                about[1] = count
                about[2] = begin
                about[3] = end
                about[5] = np.int64(whole)
                return i
        slots[i] = slot
        counts[slot] += 1
        latest[slot] = number + i
    return len(starts) - 1
