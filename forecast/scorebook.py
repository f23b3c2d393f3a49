"""The scores in the state database, and the scorecard that is read from them.

Tables of their own beside the ``ForecastBook``'s, each row living as long as its forecast.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from forecast.chance import Chance
from forecast.episodes import Bar, Episodes, Outcome, episodes
from forecast.packing import unpack
from forecast.reference import Reference
from forecast.results import decides
from forecast.scorecard import FEWEST_OUTCOMES, Bin, Figures, Score, Scorecard, TargetFigures
from forecast.settings import HORIZON_HOURS
from forewarn.base.clock import DAY, HOUR
from forewarn.base.sqlite import migrate

LOOK_BACK_DAYS = 30
"""A scorecard speaks of forecasts that were made in these days."""
OVERDUE_DAYS = 7
"""A forecast that could not be scored by then stays without."""
AT_ONCE = 2_000
FEWEST_HOURS = 36
"""Measured hours, of 72, from which on a forecast counts."""
_HORIZON_MS = HORIZON_HOURS * HOUR

Bars = Callable[[str], Bar]
"""The probabilities at which warnings about a series begin and end."""


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
        chance: the probabilities; None without a limit, or where it was crossed already.
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
    chance: Chance | None


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
    """
    ALTER TABLE forecast_scores DROP COLUMN warned;
    ALTER TABLE forecast_scores ADD COLUMN p24 REAL;
    ALTER TABLE forecast_scores ADD COLUMN p48 REAL;
    ALTER TABLE forecast_scores ADD COLUMN p72 REAL;
    ALTER TABLE forecast_scores ADD COLUMN crossed_hour INTEGER
    """,
)
_COLUMNS = tuple(each.name for each in fields(Score))
_FIGURES = """
    COUNT(*) AS forecasts,
    AVG(mase) AS mase,
    AVG(mase_yesterday) AS mase_yesterday,
    AVG(mase_prophet) AS mase_prophet,
    AVG(CASE WHEN mase_yesterday IS NOT NULL THEN mase END) / NULLIF(AVG(mase_yesterday), 0) AS to_yesterday,
    AVG(CASE WHEN mase_prophet IS NOT NULL THEN mase END) / NULLIF(AVG(mase_prophet), 0) AS to_prophet,
    AVG(coverage_80) AS coverage_80,
    AVG(coverage_95) AS coverage_95,
    AVG(quantile_score) AS quantile_score,
    COUNT(p72) AS judged,
    COALESCE(SUM(crossed AND p72 IS NOT NULL), 0) AS crossed,
    AVG((p24 - (COALESCE(crossed_hour, 72) < 24)) * (p24 - (COALESCE(crossed_hour, 72) < 24))) AS brier_24,
    AVG((p48 - (COALESCE(crossed_hour, 72) < 48)) * (p48 - (COALESCE(crossed_hour, 72) < 48))) AS brier_48,
    AVG((p72 - crossed) * (p72 - crossed)) AS brier
"""
_OF_RULE = "SUM(rule_warned), SUM(rule_warned AND crossed), SUM(NOT rule_warned), SUM(crossed AND NOT rule_warned)"
_COUNTED = f"""
    FROM forecast_scores JOIN forecasts ON forecasts.id = forecast_id
    JOIN forecast_targets ON forecast_targets.id = target_id
    WHERE hours >= {FEWEST_HOURS} AND made_ms BETWEEN ? AND ?
"""
_NAMED = tuple(line.rpartition(" AS ")[2].strip(" ,") for line in _FIGURES.strip().splitlines())
_Identity = tuple[str, str]
_Between = tuple[int, int]


class ScoreBook:
    """The scores, beside a ``ForecastBook`` on the same connection. One writer, one thread at a time."""

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

    def card(self, now_ms: int, bars: Bars | None = None) -> Scorecard:
        """The scorecard of the last 30 days."""
        return read_card(self._connection, now_ms, bars)


def read_card(
    connection: sqlite3.Connection, now_ms: int, bars: Bars | None = None, *, days: float = LOOK_BACK_DAYS
) -> Scorecard:
    """The scorecard of forecasts made in the last days.

    Args:
        connection: of the state database.
        now_ms: the end of these days.
        bars: at which probabilities warnings begin and end; unless given those of the shipped rules.
        days: how many.
    """
    since_ms = now_ms - round(days * DAY)
    between = (since_ms, now_ms)
    late = _lead_errors(connection, between)
    warned = _warned(connection, between, bars or (lambda _: Bar()))
    rows = connection.execute(
        f"SELECT series, statistic, {_OF_RULE}, {_FIGURES} {_COUNTED} GROUP BY target_id"
        " ORDER BY AVG(mase) / NULLIF(AVG(mase_yesterday), 0) DESC, series, statistic",
        between,
    )
    targets = tuple(
        TargetFigures(series, statistic, _figures(row, warned.get((series, statistic)), late.get((series, statistic))))
        for series, statistic, *row in rows
    )
    together = _Warned.of(warned.values())
    bins = _reliability(connection, between)
    total = connection.execute(f"SELECT {_OF_RULE}, {_FIGURES} {_COUNTED}", between).fetchone()
    overall = _figures(total, together, [hours for some in late.values() for hours in some], bins)
    return Scorecard(since_ms, overall, targets, bins)


def due_forecasts(connection: sqlite3.Connection, now_ms: int) -> list[Due]:
    """Forecasts whose 72 hours are over and that have no score yet, the oldest first, 2,000 at most.

    Those that nobody could score within a week are let be.
    """
    rows = connection.execute(
        "SELECT forecasts.id, series, statistic, start_ms, points, prophet, limit_value, below, breach_ms, kind,"
        " chance, crossed_lately FROM forecasts JOIN forecast_targets ON forecast_targets.id = target_id"
        " WHERE made_ms BETWEEN ? AND ? AND start_ms <= ? AND points IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM forecast_scores WHERE forecast_id = forecasts.id)"
        " ORDER BY made_ms LIMIT ?",
        (now_ms - _HORIZON_MS - OVERDUE_DAYS * DAY, now_ms - _HORIZON_MS + HOUR, now_ms - _HORIZON_MS, AT_ONCE),
    )
    return [_due(row) for row in rows]


def _due(row: tuple[Any, ...]) -> Due:
    forecast_id, series, statistic, start_ms, points, prophet, limit, below, breach_ms, kind, chance, lately = row
    mean, *edges = unpack(points)
    reference = Reference.stored(prophet, None)
    decisive = decides(kind, statistic)
    return Due(
        forecast_id,
        series,
        statistic,
        start_ms,
        [*edges[:2], mean, *edges[2:]],
        reference.points if reference is not None else None,
        limit if decisive else None,
        bool(below),
        breach_ms,
        Chance.stored(chance, lately) if decisive else None,
    )


@dataclass(slots=True)
class _Warned:
    """What became of our warnings, and of the plain rule's."""

    ours: Episodes
    rule: Episodes

    @classmethod
    def of(cls, each: "Iterable[_Warned]") -> "_Warned":
        """All together."""
        whole = cls(Episodes(), Episodes())
        for one in each:
            whole.ours.add(one.ours)
            whole.rule.add(one.rule)
        return whole


def _warned(connection: sqlite3.Connection, between: _Between, bars: Bars) -> dict[_Identity, _Warned]:
    """By target, of those that had a warning or a crossing."""
    named = {series: bars(series) for (series,) in connection.execute("SELECT DISTINCT series FROM forecast_targets")}
    lowest = min((bar.begin for bar in named.values()), default=1.0)
    rows = connection.execute(
        f"SELECT series, statistic, start_ms, p72, crossed_hour, rule_warned {_COUNTED} AND p72 IS NOT NULL"
        f" AND target_id IN (SELECT target_id {_COUNTED} GROUP BY target_id"
        " HAVING MAX(p72) >= ? OR MAX(crossed) OR MAX(rule_warned)) ORDER BY series, statistic, start_ms",
        (*between, *between, lowest),
    )
    return {
        (series, statistic): _warnings(group, named[series])
        for (series, statistic), group in groupby(rows, lambda row: (row[0], row[1]))
    }


def _warnings(rows: Iterable[tuple[Any, ...]], bar: Bar) -> _Warned:
    ours, rule = [], []
    for _, _, start_ms, p72, crossed_hour, rule_warned in rows:
        crossed_ms = None if crossed_hour is None else start_ms + crossed_hour * HOUR
        ours.append(Outcome(start_ms, p72, crossed_ms))
        rule.append(Outcome(start_ms, float(rule_warned), crossed_ms))
    return _Warned(episodes(ours, bar), episodes(rule, bar))


def _lead_errors(connection: sqlite3.Connection, between: _Between) -> dict[_Identity, list[float]]:
    found: dict[_Identity, list[float]] = {}
    query = f"SELECT series, statistic, lead_error_hours {_COUNTED} AND lead_error_hours IS NOT NULL"
    for series, statistic, hours in connection.execute(query, between):
        found.setdefault((series, statistic), []).append(hours)
    return found


def _reliability(connection: sqlite3.Connection, between: _Between) -> tuple[Bin, ...]:
    rows = connection.execute(
        f"SELECT MIN(CAST(p72 * 10 AS INTEGER), 9) AS tenth, COUNT(*), AVG(p72), AVG(crossed) {_COUNTED}"
        " AND p72 IS NOT NULL GROUP BY tenth ORDER BY tenth",
        between,
    )
    return tuple(Bin(*row) for row in rows)


def _figures(row: Sequence[Any], warned: _Warned | None, late: list[float] | None, bins: Sequence[Bin] = ()) -> Figures:
    known: dict[str, Any] = dict(zip(_NAMED, row[4:], strict=True))
    if warned is not None:
        ours, rule = warned.ours, warned.rule
        known |= {"came_true": ours.came_true, "false_warnings": ours.false, "missed": ours.missed}
        known |= {"rule_came_true": rule.came_true, "rule_false_warnings": rule.false, "rule_missed": rule.missed}
        known["lead_hours"] = median(ours.lead_hours) if ours.lead_hours else None
    if late:
        known |= {"lead_error_hours": median(map(abs, late)), "lead_bias_hours": median(late)}
    if min(known["crossed"], known["judged"] - known["crossed"]) >= FEWEST_OUTCOMES and bins:
        known["calibration_error"] = sum(one.forecasts * abs(one.stated - one.seen) for one in bins) / known["judged"]
    return Figures(**known, brier_rule=_brier_rule(row[:4]))


def _brier_rule(counts: Sequence[int | None]) -> float | None:
    """Of the plain rule's yes and no, each given the share that came: k (n - k) / n is the sum of their squares."""
    yes, yes_came, no, no_came = (count or 0 for count in counts)
    if not yes + no:
        return None
    squares = [came * (count - came) / count for count, came in ((yes, yes_came), (no, no_came)) if count]
    return sum(squares) / (yes + no)
