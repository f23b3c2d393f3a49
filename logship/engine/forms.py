"""The forms of time stamps: fixed columns of digits and signs, then a fraction, then a zone or a year.

A pattern has a letter for each byte: ``Y M D h m s`` digits of year, month, day and time, ``d`` a day's first digit or
a space, ``N`` the month's name, ``W`` that of the weekday, ``K`` the letter of a klog level, ``E`` seconds since 1970.
Every other byte stands for itself.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from logship.stamps import in_utc, zone_of

WINDOW = 64
"""Bytes of a line within which its time must stand, fraction and zone aside."""
NO_TAIL, ZONE, NEEDED_ZONE, YEAR, SPACE = range(5)
"""What follows: nothing, perhaps a zone, a zone, a space and a year, a space."""
_DIGITS = "YMDhmsE"
_CLASSES = {**dict.fromkeys(_DIGITS, r"\d"), "d": r"[ \d]", "N": "[A-Z]", "W": "[A-Z]", "K": "[IWEF]"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LEADING = r"(?:<\d{1,3}>(?:\d )?)?(?:\([^)\n]{1,60}\) )?(?:\[?[A-Z]{4,8}\]?:?[ \t]+)?\[?"
_ACCESS = r"\S+ \S+ \S+ \["
_EPOCH = r"(?:- )?"
_WORD = r"\S+ +"
_NAMED = r"(?:time|ts|timestamp|t)=\"?"
_FIFTH = r"\d{1,9} \S+ \S+ \S+ "


@dataclass(frozen=True, slots=True)
class Form:
    """One form.

    Attributes:
        pattern: its fixed part.
        tail: what follows.
        lead: expression of what may stand before it.
        fraction: whether a fraction of a second may follow.
    """

    pattern: str
    tail: int
    lead: str = _LEADING
    fraction: bool = True

    @property
    def width(self) -> int:
        """Bytes of the fixed part."""
        return len(self.pattern)

    @property
    def key(self) -> int:
        """Bytes of it that tell the minute; where it does not end in seconds, all of them."""
        return self.width - 2 if self.pattern.endswith("ss") else self.width

    @property
    def names_year(self) -> bool:
        """Whether it says of which year it is."""
        return self.tail == YEAR or not {"Y", "E"}.isdisjoint(self.pattern)

    @property
    def expression(self) -> str:
        """A regular expression for the fixed part."""
        text = self.pattern.replace("NNN", "\1").replace("WWW", "\1")
        return "".join("[A-Z][a-z]{2}" if c == "\1" else _CLASSES.get(c, re.escape(c)) for c in text)


_DATED = tuple(f"YYYY{a}MM{a}DD{b}hh:mm:ss" for a in "-/" for b in "T ")
FORMS = (
    *(Form(pattern, ZONE) for pattern in _DATED),
    Form("NNN dD hh:mm:ss", NO_TAIL),
    Form("NNN D hh:mm:ss", NO_TAIL),
    Form("MM-DD hh:mm:ss", NO_TAIL),
    Form("MM.DD hh:mm:ss", NO_TAIL),
    Form("KMMDD hh:mm:ss", NO_TAIL),
    Form("YY/MM/DD hh:mm:ss", NO_TAIL),
    Form("DD/NNN/YYYY:hh:mm:ss", NEEDED_ZONE, _ACCESS, fraction=False),
    Form("WWW NNN dD hh:mm:ss", YEAR),
    Form("EEEEEEEEEE", SPACE, _EPOCH),
    Form("YYMMDD hhmmss", SPACE, ""),
    Form("YYYYMMDD-hh:mm:ss", NO_TAIL),
    Form("DD-NNN-YYYY hh:mm:ss", ZONE),
    *(Form(pattern, ZONE, _NAMED) for pattern in _DATED),
    Form("EEEEEEEEEE", SPACE, _FIFTH),
    *(Form(pattern, ZONE, _WORD) for pattern in _DATED),
)
"""In the order in which they are tried on a line; the last begin behind a word, as a file's name."""
_FINDERS = tuple(re.compile(f"{form.lead}({form.expression})".encode()) for form in FORMS)
_SUSPECT = re.compile(rb"\d\d:\d\d:\d\d|^(?:- )?\d{6}")


def suspect(head: bytes) -> bool:
    """Whether a form may stand in the beginning of a line."""
    return _SUSPECT.search(head) is not None


class Place(NamedTuple):
    """Where a form stands in a line: its number and its column."""

    form: int
    column: int


def find(line: bytes) -> Place | None:
    """The first form that stands where that form begins; None where none does."""
    head = line[:WINDOW]
    if suspect(head):
        for number, finder in enumerate(_FINDERS):
            found = finder.match(head)
            if found:
                return Place(number, found.start(1))
    return None


def minute_of(form: Form, text: bytes, tail: bytes, year: int, zone: tzinfo | None) -> tuple[bytes, bytes] | None:
    """The beginning of an RFC 3339 stamp in UTC, up to the minute's colon, or up to the seconds of an epoch.

    Args:
        form: the form.
        text: its fixed part, or that without the seconds.
        tail: the zone or year behind it.
        year: of a form that names none.
        zone: of stamps that name none; None means the machine's.

    Returns:
        The first and the second time that clocks show it; None where they never do.
    """
    fields: dict[str, str] = {}
    for letter, byte in zip(form.pattern, text.decode("latin-1"), strict=False):
        if letter.isalpha():
            letter = "D" if letter == "d" else letter  # noqa: PLW2901  both are the day
            fields[letter] = fields.get(letter, "") + byte
    try:
        if "E" in fields:
            second = datetime.fromtimestamp(int(fields["E"]), UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
            return second, second
        moment = _local(fields, tail.decode() if form.tail == YEAR else str(year))
        named = tail if form.tail in {ZONE, NEEDED_ZONE} else b""
        if form.tail == NEEDED_ZONE and not named:
            return None
        return in_utc(moment, zone_of(named) if named else zone)
    except (ValueError, OverflowError):
        return None


def _local(fields: dict[str, str], year: str) -> datetime:
    month = _MONTHS.index(fields["N"]) + 1 if "N" in fields else int(fields["M"])
    given = fields.get("Y") or year
    rest = (month, int(fields["D"]), int(fields["h"]), int(fields["m"]))
    return datetime(int(given) + (2000 if len(given) == 2 else 0), *rest)  # noqa: DTZ001  the zone is added later


def masks_of(pattern: str) -> tuple[int, int]:
    """Bits of a pattern's bytes that stand for themselves, and of those that are digits."""
    letters = _DIGITS + "dNWK"
    return (
        sum(1 << i for i, c in enumerate(pattern) if c not in letters),
        sum(1 << i for i, c in enumerate(pattern) if c in _DIGITS),
    )
