"""The times that JSON objects name, as RFC 3339 in UTC."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Any

from logship.engine.times import LOOKED_AT, Carried, Clockwork
from logship.stamps import zone_of

_ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:)([0-5]\d)(?:[.,](\d{1,9})\d*)?(Z| ?[+-]\d\d:?\d\d)?")
_EARLIEST, _LATEST = b"1970-01-02", b"2262-01-01"
"""Elasticsearch's date_nanos: https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/date_nanos"""
_UNITS = ((10**11, 0), (10**14, 3), (10**17, 6), (10**20, 9))
"""Numbers below which an epoch is in seconds, milliseconds, microseconds, nanoseconds."""
_MOST_MINUTES = 4096


class Moments:
    """Reads times, by themselves: no other line decides.

    Args:
        zone: of times that name none; None means the machine's.
    """

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._minutes: dict[tuple[str, str | None], bytes | None] = {}
        self._clock = Clockwork(zone)

    def read(self, value: Any, near: bytes) -> bytes | None:
        """The time that a value names; None where it names none.

        Args:
            value: a text, or a number of seconds, milliseconds, microseconds or nanoseconds since 1970.
            near: a time near it, RFC 3339, by which a date without a year is told.
        """
        if value.__class__ is str:
            found = _ISO.fullmatch(value)
            stamp = self._iso(found) if found else self._other(value, near)
        elif value.__class__ is int:
            stamp = _epoch(value)
        elif value.__class__ is float:
            stamp = _fractional(value)
        else:
            return None
        return stamp if stamp is not None and _EARLIEST < stamp < _LATEST else None

    def _iso(self, found: re.Match[str]) -> bytes | None:
        minute, seconds, fraction, zone = found.groups()
        key = (minute, zone)
        if key not in self._minutes:
            if len(self._minutes) >= _MOST_MINUTES:
                self._minutes.clear()
            self._minutes[key] = self._minute(minute, zone)
        known = self._minutes[key]
        if known is None:
            return None
        return known + (f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z").encode()

    def _minute(self, minute: str, zone: str | None) -> bytes | None:
        try:
            moment = datetime.fromisoformat(minute + "00")
            moment = moment.replace(tzinfo=zone_of(zone.encode()) if zone else self._zone).astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        return moment.replace(tzinfo=None).isoformat().encode()[:17]

    def _other(self, text: str, near: bytes) -> bytes | None:
        if text.isdecimal() and text.isascii() and 10 <= len(text) <= 19:
            return _epoch(int(text))
        self._clock.begin()
        line = text.encode()[:LOOKED_AT]
        return self._clock.read(line, Carried(), near).stamp or None


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
