"""How good Forewarn has been on this node: every stored forecast scored once its 72 hours are over.

The forecast child works the scores out (``forecast.scoring``), the parent keeps them here: tables of their own in the
state database, each row living as long as its forecast.
"""

import sqlite3
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Any

from forecast.packing import unpack
from forecast.reference import Reference
from forecast.results import decides
from forecast.settings import HORIZON_HOURS
from forewarn.base.clock import DAY, HOUR, rfc3339
from forewarn.base.sqlite import migrate

LOOK_BACK_DAYS = 30
"""A scorecard speaks of forecasts that were made in these days."""
OVERDUE_DAYS = 7
"""A forecast that could not be scored by then stays without."""
AT_ONCE = 2_000
FEWEST_HOURS = 36
"""Measured hours, of 72, from which on a forecast counts."""
_HORIZON_MS = HORIZON_HOURS * HOUR


@dataclass(frozen=True, slots=True)
class Score:
    """How good one forecast was; None where there is nothing to tell.

    Attributes:
        forecast_id: its number in the book.
        hours: how many of its hours were measured.
        mase: mean absolute error in units of same-hour-yesterday's over the 28 days before, 20 at most.
        mase_yesterday: the same of same hour yesterday.
        mase_prophet: the same of Prophet's model, where it was stored.
        coverage_80: share of measured hours in the 80 % band.
        coverage_95: in the 95 % band.
        quantile_score: twice the mean quantile loss in the scale's units.
        warned: whether it expected the limit to be crossed; None without a limit, or where it was crossed already.
        crossed: whether it was.
        rule_warned: whether the plain rule 'it crossed in the last 72 h' would have warned.
        lead_error_hours: hours by which it expected the crossing too late, below 0 too early.
    """

    forecast_id: int
    hours: int
    mase: float | None = None
    mase_yesterday: float | None = None
    mase_prophet: float | None = None
    coverage_80: float | None = None
    coverage_95: float | None = None
    quantile_score: float | None = None
    warned: bool | None = None
    crossed: bool | None = None
    rule_warned: bool | None = None
    lead_error_hours: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As a frame has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Due:
    """A stored forecast whose hours are over.

    Attributes:
        forecast_id: its number in the book.
        series: the target.
        statistic: mean, max or min of each hour.
        start_ms: its first hour.
        quantiles: five rows of 72 values, p2.5, p10, the point forecast, p90, p97.5.
        prophet: Prophet's 72 values, None where they were not stored.
        limit: where the capacity ends, None where that is not asked.
        below: whether it runs out at the lower end.
        breach_ms: when the limit was expected to be crossed.
    """

    forecast_id: int
    series: str
    statistic: str
    start_ms: int
    quantiles: list[list[float]]
    prophet: list[float] | None
    limit: float | None
    below: bool
    breach_ms: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over scored forecasts; None where there is nothing to take a mean of.

    Attributes:
        forecasts: how many were scored.
        mase: see ``Score``.
        mase_yesterday: of same hour yesterday.
        mase_prophet: of Prophet's model, over the forecasts that have it.
        to_yesterday: our error over same hour yesterday's: below 1 is better.
        to_prophet: our error over Prophet's, over the forecasts that have both.
        coverage_80: share of hours in the 80 % band.
        coverage_95: share of hours in the 95 % band.
        quantile_score: see ``Score``.
        came_true: forecasts that expected a crossing which came.
        false_warnings: forecasts that expected one which did not come.
        missed: crossings that were not expected.
        rule_came_true: the same as ``came_true`` for the plain rule 'it crossed in the last 72 h'.
        rule_false_warnings: the plain rule's false ones.
        lead_error_hours: median distance of the expected crossing from the real one.
        lead_bias_hours: median of how much too late it was expected, below 0 too early.
    """

    forecasts: int = 0
    mase: float | None = None
    mase_yesterday: float | None = None
    mase_prophet: float | None = None
    to_yesterday: float | None = None
    to_prophet: float | None = None
    coverage_80: float | None = None
    coverage_95: float | None = None
    quantile_score: float | None = None
    came_true: int = 0
    false_warnings: int = 0
    missed: int = 0
    rule_came_true: int = 0
    rule_false_warnings: int = 0
    lead_error_hours: float | None = None
    lead_bias_hours: float | None = None


@dataclass(frozen=True, slots=True)
class TargetFigures:
    """The figures of one target and statistic."""

    target: str
    statistic: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Scorecard:
    """How good the forecasts made since a moment were.

    Attributes:
        since_ms: only forecasts from then on count; None where there is no card yet.
        overall: of all.
        targets: one by one, the worst beside same hour yesterday first.
    """

    since_ms: int | None = None
    overall: Figures = field(default_factory=Figures)
    targets: tuple[TargetFigures, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        targets = [{"target": one.target, "statistic": one.statistic, **asdict(one.figures)} for one in self.targets]
        since = None if self.since_ms is None else rfc3339(self.since_ms)
        return {"since": since, "overall": asdict(self.overall), "targets": targets}


MIGRATIONS = (
    """
    CREATE TABLE forecast_scores (
        forecast_id INTEGER PRIMARY KEY REFERENCES forecasts (id) ON DELETE CASCADE,
        hours INTEGER NOT NULL,
        mase REAL,
        mase_yesterday REAL,
        mase_prophet REAL,
        coverage_80 REAL,
        coverage_95 REAL,
        quantile_score REAL,
        warned INTEGER,
        crossed INTEGER,
        rule_warned INTEGER,
        lead_error_hours REAL
    )
    """,
)
_COLUMNS = tuple(each.name for each in fields(Score))
_FIGURES = """
    COUNT(*), AVG(mase), AVG(mase_yesterday), AVG(mase_prophet),
    AVG(CASE WHEN mase_yesterday IS NOT NULL THEN mase END) / NULLIF(AVG(mase_yesterday), 0),
    AVG(CASE WHEN mase_prophet IS NOT NULL THEN mase END) / NULLIF(AVG(mase_prophet), 0),
    AVG(coverage_80), AVG(coverage_95), AVG(quantile_score),
    TOTAL(warned AND crossed), TOTAL(warned AND NOT crossed), TOTAL(crossed AND NOT warned),
    TOTAL(rule_warned AND crossed), TOTAL(rule_warned AND NOT crossed)
"""
_MEANS = 9
_COUNTED = f"""
    FROM forecast_scores JOIN forecasts ON forecasts.id = forecast_id
    JOIN forecast_targets ON forecast_targets.id = target_id
    WHERE hours >= {FEWEST_HOURS} AND made_ms BETWEEN ? AND ?
"""


class ScoreBook:
    """The scores in the state database, beside a ``ForecastBook``. One writer, one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        migrate(connection, path, "scorecard", MIGRATIONS)
        self._connection = connection

    def store(self, scores: Iterable[Score]) -> None:
        """Keep these, in one transaction; what was scored before stays, what has gone from the book is left out."""
        places = ", ".join("?" * len(_COLUMNS))
        with self._connection as connection:
            connection.executemany(
                f"INSERT OR IGNORE INTO forecast_scores ({', '.join(_COLUMNS)})"
                f" SELECT {places} WHERE EXISTS (SELECT 1 FROM forecasts WHERE id = ?)",
                [(*astuple(score), score.forecast_id) for score in scores],
            )

    def card(self, now_ms: int) -> Scorecard:
        """The scorecard of the last 30 days."""
        return read_card(self._connection, now_ms)


def read_card(connection: sqlite3.Connection, now_ms: int, days: float = LOOK_BACK_DAYS) -> Scorecard:
    """The scorecard of forecasts made in the last days."""
    since_ms = now_ms - round(days * DAY)
    between = (since_ms, now_ms)
    late = _lead_errors(connection, between)
    overall = connection.execute(f"SELECT {_FIGURES} {_COUNTED}", between).fetchone()
    rows = connection.execute(
        f"SELECT series, statistic, {_FIGURES} {_COUNTED} GROUP BY target_id"
        " ORDER BY AVG(mase) / NULLIF(AVG(mase_yesterday), 0) DESC, series, statistic",
        between,
    )
    targets = tuple(
        TargetFigures(series, statistic, _figures(row, late.get((series, statistic), [])))
        for series, statistic, *row in rows
    )
    everything = [hours for some in late.values() for hours in some]
    return Scorecard(since_ms, _figures(overall, everything), targets)


def due_forecasts(connection: sqlite3.Connection, now_ms: int) -> list[Due]:
    """Forecasts whose 72 hours are over and that have no score yet, the oldest first, 2,000 at most.

    Those that nobody could score within a week are let be.
    """
    rows = connection.execute(
        "SELECT forecasts.id, series, statistic, start_ms, points, prophet, limit_value, below, breach_ms, kind"
        " FROM forecasts JOIN forecast_targets ON forecast_targets.id = target_id"
        " WHERE made_ms BETWEEN ? AND ? AND start_ms <= ? AND points IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM forecast_scores WHERE forecast_id = forecasts.id)"
        " ORDER BY made_ms LIMIT ?",
        (now_ms - _HORIZON_MS - OVERDUE_DAYS * DAY, now_ms - _HORIZON_MS + HOUR, now_ms - _HORIZON_MS, AT_ONCE),
    )
    return [_due(row) for row in rows]


def _due(row: tuple[Any, ...]) -> Due:
    forecast_id, series, statistic, start_ms, points, prophet, limit, below, breach_ms, kind = row
    mean, *edges = unpack(points)
    reference = Reference.stored(prophet, None)
    return Due(
        forecast_id,
        series,
        statistic,
        start_ms,
        [*edges[:2], mean, *edges[2:]],
        reference.points if reference is not None else None,
        limit if decides(kind, statistic) else None,
        bool(below),
        breach_ms,
    )


def _lead_errors(connection: sqlite3.Connection, between: tuple[int, int]) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = {}
    query = f"SELECT series, statistic, lead_error_hours {_COUNTED} AND lead_error_hours IS NOT NULL"
    for series, statistic, hours in connection.execute(query, between):
        found.setdefault((series, statistic), []).append(hours)
    return found


def _figures(row: Sequence[Any], late: list[float]) -> Figures:
    means, outcomes = row[:_MEANS], [int(total) for total in row[_MEANS:]]
    error = statistics.median(map(abs, late)) if late else None
    values = (*means, *outcomes, error, statistics.median(late) if late else None)
    return Figures(**dict(zip((each.name for each in fields(Figures)), values, strict=True)))
