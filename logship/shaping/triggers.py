"""Texts of which a chunk may hold one, in any case, and the closer look where one of them may stand.

Each function runs as it stands, on bytes, and compiled, on an array of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from logship.engine.documents import Bytes, Int64
from logship.patterns.compiled import compiled, inlined
from logship.shaping.buckets import SMALL, WIDTH, Buckets, small

_SMALL_ONES = int.from_bytes(bytes([SMALL] * WIDTH), "little")
_SLOTS = 2048
_SPREAD = 0x9E3779B1
_BEHIND_SLASH = 64
"""Bytes behind a slash in which a byte that must follow may still stand."""
_REST = 20
"""Bytes of a name behind the text by which it is found, at most."""
_FIRST, _LENGTH, _PLACE, _LOOKED, _BITS, _ALONE, _THEN, _VALUED, _NUMBER, _ROW = range(10)
"""What is known of each text that is looked for: its row."""
FOUND = 3
"""What is noted of each that is found: where it begins and ends, its number."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A text.

    Attributes:
        text: three bytes at least, found in any case.
        alone: whether no letter, digit or underscore may stand before it.
        then: a byte that must follow within the same word, 0 for none; the word ends at a blank or a quote, or some
            bytes behind a slash.
        valued: whether it must be a name with a value: a colon or an equals sign follows, perhaps after the rest of the
            name, backslashes, a quote and blanks; or it goes on after a hyphen or a letter, and a blank follows, as in
            an option.
    """

    text: bytes
    alone: bool = False
    then: int = 0
    valued: bool = False


class Tables:
    """What is looked for, as arrays.

    Args:
        triggers: the texts; each is named by its number among them.

    Attributes:
        halves: for each of four bytes in a row, a bucket's bit where it may have this lower half, and this upper half.
        whole: the same by whole bytes: the bits of the first byte lowest.
        heads: where the texts begin whose three bytes have the same slot.
        texts: their letters, small.
        rows: where in these each begins, its length, and the rest of what is known of it.
    """

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        choice = Buckets([trigger.text for trigger in triggers])
        letters = [small(trigger.text) for trigger in triggers]
        self.halves = np.zeros((WIDTH, 2, 16), np.uint8)
        bits = np.zeros((256, WIDTH), np.uint8)
        slots, words = [], []
        for text, place, bucket in zip(letters, choice.places, choice.numbers, strict=True):
            looked = text[place : place + WIDTH].tolist()
            slots.append(slot_of(int.from_bytes(looked[:3], "little")))
            words.append((int.from_bytes(looked, "little"), (1 << 8 * len(looked)) - 1))
            for k in range(WIDTH):
                same = [looked[k], looked[k] & ~SMALL] if k < len(looked) else range(256)
                for byte in same:
                    self.halves[k, (0, 1), (byte & 15, byte >> 4)] |= 1 << bucket
                    bits[byte, k] |= 1 << bucket
        self.whole = bits.view(np.uint32).ravel()
        order = np.argsort(slots, kind="stable")
        self.heads = np.searchsorted(np.sort(slots), np.arange(_SLOTS + 1)).astype(np.int16)
        self.texts = np.concatenate([letters[k] for k in order])
        ends = np.cumsum([len(letters[k]) for k in order])
        rows = []
        for k, end in zip(order, ends, strict=True):
            text, one = letters[k], triggers[k]
            rows.append((end - len(text), len(text), choice.places[k], *words[k], one.alone, one.then, one.valued, k))
        self.rows = np.array(rows, np.int64).ravel()

    def likely(self, chunk: Bytes, spots: Int64) -> Any:
        """At which spots of a chunk a text's own bytes stand."""
        looked = np.full(len(spots), _SMALL_ONES)
        for k in range(WIDTH):
            looked |= chunk[spots + k].astype(np.int64) << 8 * k
        words, bits = self.rows.reshape(-1, _ROW)[:, (_LOOKED, _BITS)].T
        return np.logical_or.reduce([np.isin(looked & one, words[bits == one]) for one in np.unique(bits)])


@lru_cache(maxsize=8)
def tables_of(triggers: tuple[Trigger, ...]) -> Tables:
    """The tables of some texts, kept: choosing takes some 20 ms."""
    return Tables(triggers)


@inlined
def slot_of(looked: int) -> int:
    """Of three small letters, the first lowest."""
    return ((looked & 0xFFFFFF) * _SPREAD >> 12) & (_SLOTS - 1)


@inlined
def _wordlike(byte: Any) -> Any:
    return 97 <= (byte | 32) <= 122 or 48 <= byte <= 57 or byte == 95


@compiled
def _follows(data: Any, i: int, size: int, then: Any) -> Any:
    """Whether a byte stands in the word that goes on at i, or a little behind its first slash."""
    slash = False
    while i < size:
        byte = data[i]
        if byte == then:
            return True
        if byte <= 32 or byte == 34 or byte == 39:
            return False
        if byte == 47 and not slash:
            slash = True
            size = min(size, i + _BEHIND_SLASH)
        i += 1
    return False


@compiled
def _valued(data: Any, begin: Any, i: Any, size: int) -> Any:
    """Whether a name that begins before i has a value, or may be an option that has one."""
    end = min(size, i + _REST)
    while i < end and (_wordlike(data[i]) or data[i] == 45):
        i += 1
    if i < size and (data[i] == 32 or data[i] == 9) and begin > 0:
        before = data[begin - 1]
        if _wordlike(before) or before == 45:
            return True
    while i < size and data[i] == 92:
        i += 1
    if i < size and (data[i] == 34 or data[i] == 39):
        i += 1
    while i < size and (data[i] == 32 or 9 <= data[i] <= 13):
        i += 1
    return i < size and (data[i] == 58 or data[i] == 61)


@inlined
def _stands(data: Any, begin: Any, size: int, texts: Any, rows: Any, row: int) -> Any:
    """Whether a text stands at a place."""
    first, length, then = rows[row + _FIRST], rows[row + _LENGTH], rows[row + _THEN]
    if begin < 0 or begin + length > size:
        return False
    for i in range(length):
        if data[begin + i] | SMALL != texts[first + i]:
            return False
    if rows[row + _ALONE] and begin > 0 and _wordlike(data[begin - 1]):
        return False
    if rows[row + _VALUED] and not _valued(data, begin, begin + length, size):
        return False
    return then == 0 or _follows(data, begin + length, size, then)


@inlined
def _note(found: Any, count: int, begin: Any, length: Any, number: Any) -> None:
    """Put what was found in its place: in order of its begins, then of numbers."""
    k = FOUND * count
    while k and (found[k - 3] > begin or (found[k - 3] == begin and found[k - 1] > number)):
        found[k], found[k + 1], found[k + 2] = found[k - 3], found[k - 2], found[k - 1]
        k -= FOUND
    found[k], found[k + 1], found[k + 2] = begin, begin + length, number


@inlined
def look(data: Any, spot: int, size: int, heads: Any, texts: Any, rows: Any, found: Any, room: int, count: int) -> int:
    """Note which texts stand about a spot; how many were found by now, also those that found no room.

    Args:
        data: the chunk.
        spot: in it; what is behind its end does not matter.
        size: its bytes.
        heads: see Tables, as texts and rows.
        texts: likewise.
        rows: likewise.
        found: takes what is found, in order.
        room: for how many there is room.
        count: how many were found before.
    """
    looked = _SMALL_ONES
    for k in range(WIDTH):
        looked |= int(data[spot + k]) << 8 * k
    slot = slot_of(looked)
    for n in range(heads[slot], heads[slot + 1]):
        row = _ROW * n
        if looked & rows[row + _BITS] != rows[row + _LOOKED]:
            continue
        begin = spot - rows[row + _PLACE]
        if _stands(data, begin, size, texts, rows, row):
            if count < room:
                _note(found, count, begin, rows[row + _LENGTH], rows[row + _NUMBER])
            count += 1
    return count
