"""A format's header, found from lines of it: columns that hold a time, a number, a level in nearly every line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from logship.patterns.lines import COLON, DASH, MOST_MORE, column_end, message_start, next_column

SAMPLE = 500
"""Lines that a header is learned from, at most."""
SURE = 20
"""Lines below which only the columns are cut, and a header is learned again when there are more."""
NEARLY_ALL = 0.97
MOST_COLUMNS = 16
MOST_CAPITALS = 4

_TYPED = re.compile(
    rb"""
      [+-]?\d[\d:.,/_+-]*(?:T[\d:.,+-]+)?Z?[:,;]?
    | 0x[0-9a-fA-F]+
    | (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}
    | (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},?
    | (?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|CRIT|CRITICAL|FATAL|FAILURE|ALERT|EMERG|PANIC)[:,]?
    | (?:trace|debug|info|notice|warn|warning|error|err|severe|crit|critical|fatal|alert|emerg|panic)
    | (?:Trace|Debug|Info|Notice|Warn|Warning|Error|Severe|Critical|Fatal|Alert)
    | [VDIWEF]
    | \[.*\]:?
    | -
    """,
    re.VERBOSE,
)
_TIME = re.compile(rb".*\d:\d\d.*|\d{9,}[\d.]*|\d{4}-\d\d-\d\d.*")
_CAPITALS = re.compile(rb"[A-Z][A-Z_]+")


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the message.

    Attributes:
        columns: how many columns are cut off.
        rule: how it ends behind them: 0 at once, else lines.COLON or lines.DASH.
        lines: how many lines it was learned from.
    """

    columns: int
    rule: int
    lines: int


NO_HEADER = Header(0, 0, 0)


def learn(lines: Sequence[bytes]) -> Header:
    """The header of lines that look alike at their beginning."""
    rows = [_columns(line) for line in lines[:SAMPLE]]
    count = len(rows)
    columns = last = before = 0
    rules = (COLON, DASH)
    timed = spoken = False
    while columns < MOST_COLUMNS:
        cells = [row[columns] for row in rows if len(row) > columns]
        typed = len(cells) >= NEARLY_ALL * count and (
            _nearly_all(cells, count) or (last == columns > 0 and _few(cells))
        )
        time = typed and _nearly_all(cells, count, _TIME)
        timed = timed or time or (typed and columns == 0)
        spoken = not time and (spoken or (not typed and _sentence(cells)))
        columns += 1
        if typed and not spoken:
            last, before = columns, last
            rules = (DASH, COLON) if cells.count(b"-") >= NEARLY_ALL * count else (COLON, DASH)
        elif columns - last > MOST_MORE:
            break
    if not timed:
        return Header(0, 0, count)
    if count < SURE:
        return Header(last, 0, count)
    if rules[0] == DASH and before:
        last = before
    for rule in rules:
        if sum(_ends(line, last, rule) for line in lines[:SAMPLE]) >= NEARLY_ALL * count:
            return Header(last, rule, count)
    return Header(last, 0, count)


def _columns(line: bytes) -> list[bytes]:
    """The first columns; a quoted one ends the search."""
    found: list[bytes] = []
    i, end = next_column(line, 0, len(line)), len(line)
    while i < end and line[i] != 34 and len(found) < MOST_COLUMNS:
        stop = column_end(line, i, end)
        found.append(line[i:stop])
        i = next_column(line, stop, end)
    return found


def _nearly_all(cells: list[bytes], count: int, kind: re.Pattern[bytes] = _TYPED) -> bool:
    return sum(kind.fullmatch(cell) is not None for cell in cells) >= NEARLY_ALL * count


def _sentence(cells: list[bytes]) -> bool:
    """Whether a column is the same plain word in all lines: up to a time behind it, the message has begun."""
    return len(set(cells)) == 1 and cells[0].isalpha() and cells[0].islower()


def _few(cells: list[bytes]) -> bool:
    return len(set(cells)) <= MOST_CAPITALS and all(_CAPITALS.fullmatch(cell) for cell in cells)


def _ends(line: bytes, last: int, rule: int) -> bool:
    return message_start(line, 0, len(line), last, rule) > message_start(line, 0, len(line), last, 0)
