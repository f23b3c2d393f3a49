"""Which times lines may have: a number that looks like one, or a date of another year, is none.

A line that is read again must have the time that it had. What is known whenever it is read (when its file was first
seen, the stamp before it) therefore comes first; where that does not suffice, the time of reading decides and is kept.
"""

from datetime import date, timedelta
from functools import lru_cache

EARLIEST, LATEST = b"2000-01-01", b"2262-01-01"
"""Earlier ones come from clocks that were never set; LATEST is Elasticsearch's:
https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/date_nanos"""
_AHEAD, _BACK = timedelta(days=1), timedelta(days=-30)
_LEAP_YEARS = 4
_MINUTE = 16
"""Bytes of an RFC 3339 time up to the minute."""


class Horizon:
    """How far ahead times may lie: a day beyond what is known of now.

    Args:
        seen: when the file was first seen, RFC 3339.
        read_at: the time of reading, RFC 3339; also that of lines with no stamp at or before them.

    Attributes:
        asked: whether the time of reading decided about a stamp.
    """

    __slots__ = ("asked", "read_at", "seen")

    def __init__(self, seen: bytes, read_at: bytes) -> None:
        self.seen, self.read_at = seen, read_at
        self.asked = False

    def holds(self, stamp: bytes, last: bytes) -> bool:
        """Whether a line may have a time.

        Args:
            stamp: RFC 3339 in UTC, up to the minute at least.
            last: the stamp before it; may be empty.
        """
        if stamp < EARLIEST:
            return False
        known = last if self.seen < last < LATEST else self.seen
        if stamp <= known or _is_by(stamp, known):
            return True
        self.asked = True
        if self.read_at < EARLIEST:  # this machine's clock was never set
            return stamp < LATEST
        return _is_by(stamp, self.read_at)

    def latest_year(self) -> int:
        """The year in which the time of reading ends what may be."""
        self.asked = True
        return int(_moved(self.read_at[:10], _AHEAD)[:4])


def years_down(year: int) -> range:
    """A year and those before it, until there has been every day."""
    return range(year, year - 1 - _LEAP_YEARS, -1)


def month_before(last: bytes) -> bytes:
    """The day from which lines behind a stamp are likely to be: their order in a file is not strict."""
    return _moved(last[:10], _BACK)


def _is_by(stamp: bytes, known: bytes) -> bool:
    return stamp[:_MINUTE] <= _moved(known[:10], _AHEAD) + known[10:_MINUTE]


@lru_cache(maxsize=1024)
def _moved(day: bytes, by: timedelta) -> bytes:
    return (date.fromisoformat(day.decode()) + by).isoformat().encode()
