"""The moments at which a back-test asks for a forecast: rolling ones, or those of a file."""

import csv
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collector.csv_history import time_of
from forecast.backtest.hourly import HourlySeries
from forecast.settings import HORIZON_HOURS
from forewarn.base.clock import HOUR, rfc3339
from forewarn.base.errors import UsageError

LONG_HOURS, SHORT_HOURS = 240, 24
"""History that the first rolling origin has where the series is long enough, and where it is not."""
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Origin:
    """A question: what will this series do from this hour on.

    Attributes:
        series: its name in the file.
        hour: hours since the epoch.
    """

    series: str
    hour: int


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a series will be at or above a threshold after an origin.

    Attributes:
        origin: its place among the origins.
        threshold: in the series' unit.
    """

    origin: int
    threshold: float


def rolling(series: Mapping[str, HourlySeries], count: int) -> list[Origin]:
    """Up to ``count`` origins a series, evenly apart, the last 72 hours before its end.

    The first has ten days of history, a day where the series is short; a series with no room even for that has one
    origin in its middle.

    Raises:
        UsageError: ``count`` is no positive number.
    """
    if count < 1:
        raise UsageError(f"--origins: {count} origins are none", hint="give a number from 1 on, or a file of origins")
    found = []
    for name, one in series.items():
        begin, end = int(one.hours[0]), int(one.hours[-1]) + 1
        first, last = begin + LONG_HOURS, end - HORIZON_HOURS
        if last < first:
            first = begin + SHORT_HOURS
        if last < first:
            first = last = begin + (end - begin + 1) // 2
        hours = np.unique(np.rint(np.linspace(first, last, count)).astype(np.int64)) if count > 1 else [last]
        found += [Origin(name, int(hour)) for hour in hours]
    return found


def read_origins(path: Path, series: Mapping[str, HourlySeries]) -> tuple[list[Origin], list[Question]]:
    """The origins that a CSV file asks for, each once and in its order, and its thresholds.

    Raises:
        UsageError: the file cannot be read, or a line asks for no whole hour of a known series; the message names it.
    """
    places: dict[Origin, int] = {}
    questions = []
    for line, row in _rows(path):
        name, stamp, threshold = (row.get(column, "") for column in ("series", "origin", "threshold"))
        if name not in series:
            raise UsageError(f"{path}:{line}: no series {name!r} in the file", hint="names must be alike to the letter")
        place = places.setdefault(Origin(name, _hour(path, line, stamp)), len(places))
        if threshold.strip():
            questions.append(Question(place, _number(path, line, threshold)))
    if not places:
        raise UsageError(f"{path} asks for no origins")
    return list(places), questions


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and cells of every line that is not empty."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    lines = csv.reader(text.splitlines(), strict=True)
    header = [name.strip() for name in next(lines, [])]
    if "series" not in header or "origin" not in header:
        raise UsageError(f"{path}:1: no columns series and origin", hint="begin with 'series,origin,threshold'")
    try:
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise UsageError(f"{path}:{lines.line_num}: it has {len(cells)} columns instead of {len(header)}")
            yield lines.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise UsageError(f"{path}:{lines.line_num}: {error}") from error


def _hour(path: Path, line: int, text: str) -> int:
    try:
        time_ms = time_of(text)
        rfc3339(time_ms + HORIZON_HOURS * HOUR)
        rfc3339(time_ms)
    except ValueError:  # also where the calendar ends before the forecast
        raise UsageError(f"{path}:{line}: {text!r} is no time", hint="write it like 2026-01-31T12:00:00Z") from None
    if time_ms % HOUR:
        raise UsageError(f"{path}:{line}: {text!r} is no whole hour", hint="origins are whole hours, UTC")
    return time_ms // HOUR


def _number(path: Path, line: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise UsageError(f"{path}:{line}: {text!r} is no threshold", hint="thresholds are numbers in the series' unit")
    return value
