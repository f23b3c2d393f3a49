"""The times that JSON objects name, as RFC 3339 in UTC."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Any

from logship.engine.times import LOOKED_AT, Carried, Clockwork, Start
from logship.stamps import ZONE, in_utc, turn_of, zone_of

_ISO = re.compile(rf"(\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:)([0-5]\d)(?:[.,](\d{{1,9}})\d*)?({ZONE})?")
_UNITS = ((10**11, 0), (10**14, 3), (10**17, 6), (10**20, 9))
"""Numbers below which an epoch is in seconds, milliseconds, microseconds, nanoseconds."""
_MOST_MINUTES = 4096


class Moments:
    """Reads times.

    Args:
        zone: of times that name none; None means the machine's.
    """

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._minutes: dict[tuple[str, str | None], tuple[bytes, bytes] | None] = {}
        self._clock = Clockwork(zone)

    def read(self, value: Any, start: Start) -> bytes | None:
        """The time that a value names; None where it names none, or one that a line cannot have.

        Args:
            value: a text, or a number of seconds, milliseconds, microseconds or nanoseconds since 1970.
            start: what is known of times before it.
        """
        last = start.carried.stamp
        if value.__class__ is str:
            found = _ISO.fullmatch(value)
            stamp = self._iso(found, last) if found else self._other(value, start)
        elif value.__class__ is int:
            stamp = _epoch(value)
        elif value.__class__ is float:
            stamp = _fractional(value)
        else:
            return None
        return stamp if stamp is not None and start.horizon.holds(stamp, last) else None

    def _iso(self, found: re.Match[str], last: bytes) -> bytes | None:
        minute, seconds, fraction, zone = found.groups()
        key = (minute, zone)
        if key not in self._minutes:
            if len(self._minutes) >= _MOST_MINUTES:
                self._minutes.clear()
            self._minutes[key] = self._minute(minute, zone)
        known = self._minutes[key]
        if known is None:
            return None
        return turn_of(known, last) + (f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z").encode()

    def _minute(self, minute: str, zone: str | None) -> tuple[bytes, bytes] | None:
        try:
            return in_utc(datetime.fromisoformat(minute + "00"), zone_of(zone.encode()) if zone else self._zone)
        except (ValueError, OverflowError):
            return None

    def _other(self, text: str, start: Start) -> bytes | None:
        if text.isdecimal() and text.isascii() and 10 <= len(text) <= 19:
            return _epoch(int(text))
        self._clock.begin()
        before = Carried(stamp=start.carried.stamp)
        after = self._clock.read(text.encode()[:LOOKED_AT], before, start.horizon)
        return None if after is before else after.stamp


def _epoch(number: int) -> bytes | None:
    """Of a whole number."""
    if number <= 0:
        return None
    for limit, digits in _UNITS:
        if number < limit:
            seconds, rest = divmod(number, 10**digits)
            fraction = f".{rest:0{digits}d}" if digits else ""
            return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z".encode()
    return None


def _fractional(number: float) -> bytes | None:
    """Of a number of seconds or milliseconds with a fraction, to the microsecond."""
    if 0 < number < _UNITS[0][0]:
        return _epoch_of(round(number * 1e6))
    return _epoch_of(round(number * 1e3)) if 0 < number < _UNITS[1][0] else None


def _epoch_of(microseconds: int) -> bytes:
    seconds, rest = divmod(microseconds, 10**6)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z".encode()
