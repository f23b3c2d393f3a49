"""The times of a chunk's lines without a compiler: those of the minute before by numpy, the others one by one."""

from bisect import bisect_right
from operator import itemgetter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from logship.engine.documents import Bytes, Int64, Pieces
from logship.engine.forms import FORMS, NO_TAIL, SPACE, WINDOW, YEAR, Form, masks_of, suspect
from logship.engine.times import LOOKED_AT, Carried, Clockwork, Minute, Start

_ALIKE = 8
"""Lines of one minute after which the next ones are compared at once."""
_FEWEST, _MOST = 64, 1 << 14
_FRACTION = 9
_DOT, _COMMA, _SPACE, _PLUS, _MINUS, _ZULU, _COLON = b"., +-Z:"
_Flags = NDArray[np.bool_]


class Words:
    """Eight bytes at each place of a chunk, as numbers."""

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self._last = len(data) - 8
        self._words = np.ndarray((len(data) - 7,), "<u8", cast("Any", data), strides=(1,))

    def at(self, places: Int64) -> NDArray[np.uint64]:
        """Those at some places; further ones than the last give that."""
        return self._words[np.minimum(places, self._last)]

    def are(self, places: Int64, text: bytes) -> _Flags:
        """Where a text stands."""
        found = np.ones(len(places), np.bool_)
        for i in range(0, len(text), 8):
            part = text[i : i + 8]
            wanted, mask = int.from_bytes(part, "little"), (1 << 8 * len(part)) - 1
            found &= (self.at(places + i) & np.uint64(mask)) == np.uint64(wanted)
        return found

    def byte(self, places: Int64) -> Bytes:
        """Single bytes; further ones than there are give the last."""
        return self.data[np.minimum(places, len(self.data) - 1)]

    def bytes_(self, places: Int64, count: int) -> Bytes:
        """Rows of bytes from some places on."""
        return self.byte(places[:, None] + np.arange(count))


class PlainTimes:
    """The stamps of documents, and what is carried on behind each.

    Args:
        data: the chunk.
        pieces: its documents.
        clock: reads single times.
        start: where times begin.
    """

    def __init__(self, data: Bytes, pieces: Pieces, clock: Clockwork, start: Start) -> None:
        self.stamps: list[bytes] = []
        self._start = start
        self._states = [(0, start.carried)]
        clock.begin()
        count = len(pieces.begins)
        read, horizon, look = clock.read, start.horizon, _Look(Words(data), pieces)
        self._asked: list[int] = [-1] if horizon.asked else []
        carried, alike, reach = start.carried, 0, _FEWEST
        begins, stops = pieces.begins.tolist(), pieces.stops.tolist()
        k = 0
        while k < count:
            if alike >= _ALIKE:
                found = look.ahead(k, min(count, k + reach), carried, clock.minute, start.read_at)
                if found:
                    self.stamps += found
                    k += len(found)
                    carried = carried._replace(stamp=found[-1])
                if len(found) == reach:
                    reach = min(4 * reach, _MOST)
                    continue
                reach = _FEWEST
                alike = 0 if len(found) < _ALIKE else _ALIKE
                if k == count:
                    break
            minute = clock.minute.known
            horizon.asked = False
            after = read(data[begins[k] : min(stops[k], begins[k] + LOOKED_AT)].tobytes(), carried, horizon)
            same = after[:2] == carried[:2] and clock.minute.known == minute and after.form >= 0
            alike = alike + 1 if same else 0
            if horizon.asked:
                self._asked.append(k)
            k += 1
            self.stamps.append(after.stamp or start.read_at)
            if not same:
                self._states.append((k, after))
            carried = after

    def settle(self, k: int) -> None:
        """So many documents are written: whether the time of reading decided is said of them alone."""
        self._start.horizon.asked = bool(self._asked) and self._asked[0] < k

    def carried(self, k: int) -> Carried:
        """What is carried on behind so many documents."""
        _, state = self._states[bisect_right(self._states, k, key=itemgetter(0)) - 1]
        return state._replace(stamp=self.stamps[k - 1]) if state.stamp and k else state


class _Look:
    def __init__(self, words: Words, pieces: Pieces) -> None:
        self._words = words
        self._pieces = pieces

    def ahead(self, first: int, stop: int, carried: Carried, minute: Minute, read_at: bytes) -> list[bytes]:
        """The stamps of documents from the first on, up to one whose time comparing does not tell."""
        form, before = FORMS[carried.form], carried.stamp or read_at
        begins, stops = self._pieces.begins[first:stop], self._pieces.stops[first:stop]
        found, asked = np.zeros((2, len(begins)), np.bool_)
        ends, fractions = np.zeros((2, len(begins)), np.int64)
        if minute.form != carried.form:
            return []
        left = carried.columns
        while left:
            column = (left & -left).bit_length() - 1
            left &= left - 1
            rows = np.flatnonzero(~(found | asked) & (begins + column + form.width <= stops))
            places = begins[rows] + column
            same = self._words.are(places, minute.key)
            asked[rows[~same]] = self._formed(places[~same], form)
            rows = rows[same]
            ends[rows] = places[same] + form.width
            fractions[rows], good = self._rest(ends[rows], stops[rows], form, minute)
            found[rows], asked[rows] = good, ~good
        open_ = ~(found | asked)
        asked[open_] = [
            suspect(self._words.data[begin : min(begin + WINDOW, end)].tobytes())
            for begin, end in zip(begins[open_].tolist(), stops[open_].tolist(), strict=True)
        ]
        count = int(asked.argmax()) if asked.any() else len(begins)
        seconds = form.width - form.key
        lengths = np.where(found, seconds + fractions, -1)[:count]
        return self._stamps(ends[:count] - seconds, lengths, seconds, minute.text, before)

    def _formed(self, places: Int64, form: Form) -> _Flags:
        """Where the form stands, of another minute."""
        signs, digits = masks_of(form.pattern)
        rows = self._words.bytes_(places, form.width)
        good = np.ones(len(places), np.bool_)
        for i, sign in enumerate(form.pattern.encode()):
            if signs >> i & 1:
                good &= rows[:, i] == sign
            elif digits >> i & 1:
                good &= _digit(rows[:, i])
        return good

    def _rest(self, ends: Int64, stops: Int64, form: Form, minute: Minute) -> tuple[Int64, _Flags]:
        """Bytes of each fraction, and whether seconds and tail are such that the minute's text fits."""
        words = self._words
        good = np.ones(len(ends), np.bool_)
        if form.key < form.width:
            tens = words.byte(ends - 2)
            good &= (tens >= ord("0")) & (tens <= ord("5")) & _digit(words.byte(ends - 1))
        lengths = np.zeros(len(ends), np.int64)
        if form.fraction:
            sign = words.byte(ends)
            digits = np.ones((len(ends), _FRACTION + 1), np.bool_)
            digits[:, :-1] = _digit(words.bytes_(ends + 1, _FRACTION))
            digits[:, -1] = False
            run = np.minimum(digits.argmin(1), stops - ends - 1)
            lengths = np.where(((sign == _DOT) | (sign == _COMMA)) & (run > 0), run + 1, 0)
        return lengths, good & self._tail(ends + lengths, stops, form, minute.tail)

    def _tail(self, after: Int64, stops: Int64, form: Form, tail: bytes) -> _Flags:
        words = self._words
        spaced = words.byte(after) == _SPACE
        if form.tail == NO_TAIL:
            good = np.ones(len(after), np.bool_)
        elif form.tail == SPACE:
            good = (after < stops) & spaced
        elif form.tail == YEAR:
            good = (after + len(tail) <= stops) & words.are(after, tail)
        elif tail:
            good = (after + len(tail) <= stops) & words.are(after, tail) & self._no_more(after + len(tail), stops)
        else:
            good = (after >= stops) | ~self._zone_may_begin(after + spaced)
        return good

    def _no_more(self, after: Int64, stops: Int64) -> _Flags:
        """Where a zone is surely at its end."""
        byte = self._words.byte(after)
        letter = (byte | np.uint8(0x20)) - np.uint8(ord("a")) < 26
        more: _Flags = letter | _digit(byte) | (byte == _COLON)
        return (after >= stops) | ~more

    def _zone_may_begin(self, places: Int64) -> _Flags:
        words = self._words
        first = words.byte(places)
        signed = _sign(first) & _digit(words.byte(places + 1))
        found: _Flags = signed | (first == _ZULU) | words.are(places, b"UTC") | words.are(places, b"GMT")
        return found

    def _stamps(self, places: Int64, lengths: Int64, seconds: int, minute: bytes, before: bytes) -> list[bytes]:
        """The minute's text with what stands at each place; the stamp before where nothing does."""
        stamps = np.empty(len(places) + 1, object)
        stamps[0] = before
        begin, found = len(minute), lengths >= 0
        for length in np.unique(lengths[found]).tolist():
            rows = np.flatnonzero(found & (lengths == length))
            lines = np.empty((len(rows), begin + length + 1), np.uint8)
            lines[:, :begin] = np.frombuffer(minute, np.uint8)
            lines[:, begin:-1] = self._words.bytes_(places[rows], length)
            if length > seconds:
                lines[:, begin + seconds] = _DOT
            lines[:, -1] = _ZULU
            stamps[rows + 1] = lines.view(f"S{lines.shape[1]}").ravel()
        last = np.maximum.accumulate(np.where(found, np.arange(1, len(places) + 1), 0))
        return cast("list[bytes]", stamps[last].tolist())


def _digit(bytes_: Bytes) -> _Flags:
    found: _Flags = (bytes_ - np.uint8(ord("0"))) < 10
    return found


def _sign(bytes_: Bytes) -> _Flags:
    found: _Flags = (bytes_ == _PLUS) | (bytes_ == _MINUS)
    return found
