"""Zones of time stamps and levels in log lines, as pure functions of the text.

What a line gives must not depend on when it was read, or a line that is sent again would differ from itself.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

ZONE = r"(?> ?(?:Z|UTC|GMT|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?))(?![0-9A-Za-z])"
"""What names a zone behind a time."""
_DISORDER = timedelta(minutes=2)
"""A minute, and another in which lines of several writers may stand in another order."""

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


def zone_of(text: bytes) -> tzinfo:
    """The zone that ZONE found: ``Z``, ``UTC``, ``GMT``, ``+02``, ``+0200`` or ``+02:00``."""
    text = text.strip()
    if text[:1] not in {b"+", b"-"}:
        return UTC
    digits = text[1:].replace(b":", b"")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-offset if text[:1] == b"-" else offset)


def in_utc(minute: datetime, zone: tzinfo | None) -> tuple[bytes, bytes]:
    """A minute's RFC 3339 stamp up to the colon, of the first and of the second time that clocks show it.

    Args:
        minute: as clocks show it, without a zone.
        zone: theirs; None means the machine's.

    Raises:
        ValueError: out of range.
        OverflowError: out of range.
    """
    first, second = (minute.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return _text(first), _text(second)


def turn_of(minute: tuple[bytes, bytes], last: bytes) -> bytes:
    """Which of a minute's two turns comes behind the last stamp: where clocks are put back, an hour comes twice."""
    first, second = minute
    if second <= first or not last:
        return first
    gone = datetime.fromisoformat(last[:19].decode()) - datetime.fromisoformat(first.decode() + "00")
    return second if gone > _DISORDER else first


def _text(moment: datetime) -> bytes:
    return moment.replace(tzinfo=None).isoformat().encode()[:17]
