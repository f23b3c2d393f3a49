"""The time of each line: its own, where the source's form stands at a column where it stood, else the one before.

Form, columns and the last stamp are carried from line to line. They follow from the lines alone, however these are
cut into chunks, so a line that is sent again has the time that it had.
"""

import re
from dataclasses import dataclass
from datetime import tzinfo
from typing import NamedTuple

from logship.engine.forms import FORMS, NO_TAIL, SPACE, WINDOW, YEAR, Place, find, minute_of
from logship.engine.horizon import Horizon, month_before, years_down
from logship.stamps import ZONE, turn_of

_FRACTION = re.compile(rb"[.,](\d{1,9})")
_ZONE = re.compile(ZONE.encode())
_YEAR = re.compile(rb" \d{4}")
_FIXED = tuple(re.compile(form.expression.encode()) for form in FORMS)
_NAMES_YEAR = tuple(form.names_year for form in FORMS)
_MOST_MINUTES = 4096
LOOKED_AT = WINDOW + 32
"""Bytes of a line on which its time depends: the window, a fraction, a zone."""


class Carried(NamedTuple):
    """What a source's lines up to an offset say about those behind it.

    Attributes:
        form: number of the form that its stamps have, or -1.
        columns: a bit for each column at which it stood.
        stamp: the last stamp, RFC 3339 in UTC; empty where there was none.
    """

    form: int = -1
    columns: int = 0
    stamp: bytes = b""


class Start(NamedTuple):
    """Where a chunk's times begin.

    Attributes:
        carried: what the lines before it say.
        horizon: which times lines may have.
    """

    carried: Carried
    horizon: Horizon

    @property
    def read_at(self) -> bytes:
        """The time for lines with no stamp at or before them, RFC 3339."""
        return self.horizon.read_at


@dataclass(slots=True)
class Minute:
    """The minute that was read last: lines of the same minute are read by comparing bytes."""

    form: int = -1
    key: bytes = b""
    tail: bytes = b""
    text: bytes = b""

    @property
    def known(self) -> tuple[int, bytes, bytes, bytes]:
        """All of it."""
        return self.form, self.key, self.tail, self.text


class Clockwork:
    """Reads times, line by line.

    Args:
        zone: of stamps that name none; None means the machine's.
    """

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._minutes: dict[tuple[int, bytes, bytes, int], tuple[bytes, bytes] | None] = {}
        self.minute = Minute()

    def begin(self) -> None:
        """Forget the minute before: a year that is not written is told from what is carried."""
        self.minute = Minute()

    def read(self, line: bytes, carried: Carried, horizon: Horizon) -> Carried:
        """What is carried on behind a line.

        Args:
            line: the line, its first LOOKED_AT bytes at least.
            carried: what the lines before it say.
            horizon: which times it may have.
        """
        form, columns, last = carried
        left = columns
        while left:
            column = (left & -left).bit_length() - 1
            left &= left - 1
            stamp = self._at(line, Place(form, column), last, horizon)
            if stamp:
                return Carried(form, columns, stamp)
        place = find(line)
        stamp = self._at(line, place, last, horizon) if place else None
        if place is None or stamp is None:
            return carried
        return Carried(place.form, (columns if place.form == form else 0) | 1 << place.column, stamp)

    def _at(self, line: bytes, place: Place, last: bytes, horizon: Horizon) -> bytes | None:
        """The stamp at a place of a line."""
        number, column = place
        form = FORMS[number]
        end = column + form.width
        minute = self.minute
        key = line[column : column + form.key]
        if (number != minute.form or key != minute.key) and not _FIXED[number].match(line, column):
            return None
        seconds = line[column + form.key : end]
        if seconds and not (len(seconds) == 2 and seconds.isdigit() and seconds < b"60"):
            return None
        fraction = _FRACTION.match(line, end) if form.fraction else None
        tail = _tail(line, fraction.end() if fraction else end, form.tail)
        if tail is None:
            return None
        if number != minute.form or key != minute.key or tail != minute.tail:
            text = self._text(number, key, tail, last, horizon)
            if text is None:
                return None
            minute.form, minute.key, minute.tail, minute.text = number, key, tail, text
        return minute.text + seconds + (b"." + fraction[1] + b"Z" if fraction else b"Z")

    def _text(self, number: int, key: bytes, tail: bytes, last: bytes, horizon: Horizon) -> bytes | None:
        for year in (0,) if _NAMES_YEAR[number] else self._years(number, key, tail, last, horizon):
            minute = self._minute(number, key, tail, year)
            text = turn_of(minute, last) if minute else None
            if text and horizon.holds(text, last):
                return text
        return None

    def _years(self, number: int, key: bytes, tail: bytes, last: bytes, horizon: Horizon) -> range:
        """The years of which a date may be that names none: behind the last stamp, else before that."""
        if not last:
            return years_down(horizon.latest_year())
        day = month_before(last)
        minute = self._minute(number, key, tail, int(day[:4]))
        return years_down(int(day[:4]) + (minute is None or minute[0] < day))

    def _minute(self, number: int, key: bytes, tail: bytes, year: int) -> tuple[bytes, bytes] | None:
        known = (number, key, tail, year)
        if known not in self._minutes:
            if len(self._minutes) >= _MOST_MINUTES:
                self._minutes.clear()
            self._minutes[known] = minute_of(FORMS[number], key, tail, year, self._zone)
        return self._minutes[known]


def _tail(line: bytes, at: int, kind: int) -> bytes | None:
    if kind == NO_TAIL:
        return b""
    if kind == SPACE:
        return b"" if line[at : at + 1] == b" " else None
    found = (_YEAR if kind == YEAR else _ZONE).match(line, at)
    if found is None:
        return None if kind == YEAR else b""
    return found[0]
