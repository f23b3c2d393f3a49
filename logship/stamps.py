"""Time stamps and levels in log lines, as a pure function of the line, a reference time and the zone.

What a line gives must not depend on when it was read, or a line that is sent again would differ from itself.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
    )
}
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = rb"\d\d:\d\d:\d\d"
_ZONE = rb"(Z| ?[+-]\d\d:?\d\d)?"
_CACHE = 4096


def _iso(text: bytes, _: datetime) -> datetime:
    return datetime(*(int(part) for part in re.split(rb"[-/T :]", text)))  # type: ignore[arg-type]  # noqa: DTZ001  the zone is added later


def nearest(reference: datetime, *rest: int) -> datetime:
    """The moment of month, day, hour and what follows, without a zone, in the year in which it is nearest to another.

    Raises:
        ValueError: there is no such day.
    """
    candidates = []
    for year in (reference.year - 1, reference.year, reference.year + 1):
        try:
            candidates.append(datetime(year, *rest))  # type: ignore[arg-type]  # noqa: DTZ001  the zone is added later
        except ValueError:
            continue  # 29 February
    if not candidates:
        raise ValueError("no such day")
    naive = reference.replace(tzinfo=None)
    return min(candidates, key=lambda moment: abs(moment - naive))


def _of_no_year(month: int, day: int, clock: bytes, reference: datetime) -> datetime:
    return nearest(reference, month, day, *(int(part) for part in clock.split(b":")))


def _syslog(text: bytes, reference: datetime) -> datetime:
    month, day, clock = text.split()
    return _of_no_year(_MONTHS[month], int(day), clock, reference)


def _month_day(text: bytes, reference: datetime) -> datetime:
    return _of_no_year(int(text[:2]), int(text[3:5]), text[6:], reference)


def _klog(text: bytes, reference: datetime) -> datetime:
    return _of_no_year(int(text[1:3]), int(text[3:5]), text.split()[1], reference)


def _access(text: bytes, _: datetime) -> datetime:
    day, month, rest = text.split(b"/")
    year, hour, minute, second = (int(part) for part in rest.split(b":"))
    return datetime(year, _MONTHS[month], int(day), hour, minute, second)  # noqa: DTZ001  the zone is added later


def _ctime(text: bytes, _: datetime) -> datetime:
    month, day, clock, year = text.split()[1:]
    return _of_no_year(_MONTHS[month], int(day), clock[:8], datetime(int(year), _MONTHS[month], 15, tzinfo=UTC))


def _short_year(text: bytes, reference: datetime) -> datetime:
    return _iso(b"20" + text, reference)


def _epoch(text: bytes, _: datetime) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)


# Name, expression with exactly three groups (whole seconds, fraction, zone), reader of the first group.
_FORMATS: tuple[tuple[str, bytes, Callable[[bytes, datetime], datetime]], ...] = (
    ("iso", rb"(\d{4}[-/]\d\d[-/]\d\d[T ]" + _CLOCK + rb")([.,]\d{1,9})?" + _ZONE, _iso),
    ("syslog", rb"(" + _MONTH + rb" {1,2}\d{1,2} " + _CLOCK + rb")(\.\d{1,9})?()", _syslog),
    ("month_day", rb"(\d\d-\d\d " + _CLOCK + rb")([.,]\d{1,9})?()", _month_day),
    ("klog", rb"([IWEF]\d{4} +" + _CLOCK + rb")(\.\d{1,9})?()", _klog),
    ("short_year", rb"(\d\d/\d\d/\d\d " + _CLOCK + rb")([.,]\d{1,9})?()", _short_year),
    ("access", rb"\S+ \S+ \S+ \[(\d\d/" + _MONTH + rb"/\d{4}:" + _CLOCK + rb")()( [+-]\d{4})", _access),
    ("ctime", rb"([A-Z][a-z]{2} " + _MONTH + rb" [ \d]\d " + _CLOCK + rb"(?:\.\d+)? \d{4})()()", _ctime),
    ("epoch", rb"(\d{10})(\.\d{1,9})?()(?= )", _epoch),
)
_ENDS_IN_SECONDS = frozenset({"iso", "syslog", "month_day", "klog", "short_year", "access"})
_READERS = {name: read for name, _, read in _FORMATS}
_PREFIX = rb"(?:\([^)\n]{1,60}\) )?(?:\[?[A-Z]{4,8}\]?:?[ \t]+)?\[?"
_STAMP = re.compile(
    _PREFIX + rb"(?:" + rb"|".join(b"(?P<%s>%s)" % (name.encode(), text) for name, text, _ in _FORMATS) + rb")"
)

LEVEL_NAMES = {
    "TRACE": "trace",
    "DEBUG": "debug",
    "INFO": "info",
    "NOTICE": "notice",
    "WARN": "warning",
    "WARNING": "warning",
    "ERROR": "error",
    "ERR": "error",
    "CRITICAL": "critical",
    "CRIT": "critical",
    "FATAL": "critical",
    "EMERG": "critical",
    "ALERT": "critical",
    "PANIC": "critical",
}
_UPPER = "|".join(LEVEL_NAMES).encode()
_LEVEL = re.compile(
    rb"(?<![A-Za-z0-9_])(%s)(?![A-Za-z0-9_])|level=\"?([A-Za-z]{3,8})|\[(?:[a-z_]{1,12}:)?(%s)\]|\t(%s)\t"
    % (_UPPER, _UPPER.lower(), _UPPER.lower())
)
"""In capitals, as logfmt has it, as nginx and Apache, as zap's console."""
_LEVEL_WITHIN = 128
_BY_BYTES = {name.encode(): level.encode() for name, level in LEVEL_NAMES.items()}
KLOG_LEVELS = {b"I": b"info", b"W": b"warning", b"E": b"error", b"F": b"critical"}
_KLOG_LINE = re.compile(rb"([IWEF])\d{4} +\d\d:\d\d:\d\d")


def level_of(line: bytes) -> bytes | None:
    """The level that a line names near its beginning, in lower case; None where it names none."""
    found = _LEVEL.search(line, 0, _LEVEL_WITHIN)
    if found is not None:
        return _BY_BYTES.get(found[found.lastindex or 0].upper())
    found = _KLOG_LINE.match(line)
    return KLOG_LEVELS[found[1]] if found else None


def level_within(beginning: bytes) -> bytes | None:
    """The level that a line names, told from its beginning alone: None where that takes more, b"" for none."""
    found = _LEVEL.search(beginning)
    if found is None or found.end() == len(beginning):
        return None
    return _BY_BYTES.get(found[found.lastindex or 0].upper(), b"")


class Stamper:
    """Reads the time stamps of one file's lines.

    Args:
        zone: zone of time stamps that name none; None means the zone of the machine.
    """

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._minutes: dict[tuple[str, bytes, bytes | None, int], bytes] = {}

    def stamp(self, line: bytes, reference: datetime) -> bytes | None:
        """The line's time, RFC 3339 in UTC, or None where it has none of a known form.

        Args:
            line: the line.
            reference: a time near it (UTC); a date without a year means the nearest such day.
        """
        found = _STAMP.match(line)
        if found is None or found.lastindex is None or found.lastgroup is None:
            return None
        name, first = found.lastgroup, found.lastindex
        zone = found[first + 3]
        text, fraction = found[first + 1], found[first + 2]
        key = (name, text[:-2], zone, reference.toordinal())
        minute = self._minutes.get(key)
        known = minute is not None and text[-2:] < b"60"
        moment = minute + text[-2:] if minute is not None and known else self._read(name, text, zone, reference)
        if moment is None:
            return None
        if not known and name in _ENDS_IN_SECONDS and moment[-2:] == text[-2:]:
            if len(self._minutes) >= _CACHE:
                self._minutes.clear()
            self._minutes[key] = moment[:-2]
        return moment + (b"." + fraction[1:] + b"Z" if fraction else b"Z")

    def _read(self, name: str, text: bytes, zone: bytes | None, reference: datetime) -> bytes | None:
        try:
            moment = _READERS[name](text, reference)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone_of(zone) if zone else self._zone)
            return moment.astimezone(UTC).replace(tzinfo=None).isoformat().encode()
        except (ValueError, OverflowError, KeyError):
            return None


def zone_of(text: bytes) -> tzinfo:
    """The zone of ``Z``, ``+0200`` or ``+02:00``."""
    text = text.strip()
    if text == b"Z":
        return UTC
    digits = text[1:].replace(b":", b"")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[:1] == b"-" else offset)
