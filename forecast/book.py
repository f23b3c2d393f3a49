"""The book that keeps every forecast made, in the state database."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from collector.series import SeriesKey
from forecast.chance import Chance
from forecast.packing import pack, unpack
from forecast.reference import Reference
from forecast.results import POINT_NAMES, Forecast
from forecast.settings import Statistic
from forewarn.base.clock import DAY
from forewarn.base.sqlite import migrate

KEEP_DAYS = 90
THIN_DAYS = 35
"""Older forecasts than these, of which neither scorecard nor bands ask any more, stay one a day."""

MIGRATIONS = (
    """
    CREATE TABLE forecast_targets (
        id INTEGER PRIMARY KEY,
        series TEXT NOT NULL,
        statistic TEXT NOT NULL,
        newest INTEGER NOT NULL DEFAULT 0,
        UNIQUE (series, statistic)
    );
    CREATE TABLE forecasts (
        id INTEGER PRIMARY KEY,
        target_id INTEGER NOT NULL REFERENCES forecast_targets (id),
        kind TEXT NOT NULL,
        unit TEXT NOT NULL,
        made_ms INTEGER NOT NULL,
        as_of_ms INTEGER NOT NULL,
        model TEXT NOT NULL,
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        history_hours REAL NOT NULL,
        step_ms INTEGER NOT NULL,
        start_ms INTEGER NOT NULL,
        points BLOB,
        limit_value REAL,
        below INTEGER NOT NULL,
        breach_ms INTEGER,
        breach_early_ms INTEGER,
        breach_reason TEXT NOT NULL
    );
    CREATE INDEX forecasts_of_target ON forecasts (target_id, made_ms);
    CREATE INDEX forecasts_by_age ON forecasts (made_ms)
    """,
    """
    ALTER TABLE forecasts ADD COLUMN prophet BLOB;
    ALTER TABLE forecasts ADD COLUMN prophet_changepoints TEXT
    """,
    """
    ALTER TABLE forecasts ADD COLUMN chance BLOB;
    ALTER TABLE forecasts ADD COLUMN crossed_lately INTEGER
    """,
    """
    ALTER TABLE forecasts ADD COLUMN widening_95 REAL;
    ALTER TABLE forecasts ADD COLUMN widening_80 REAL;
    ALTER TABLE forecasts ADD COLUMN demand BLOB
    """,
    # what the scorecard asks of every forecast of a month, without reading its points
    """
    DROP INDEX forecasts_by_age;
    CREATE INDEX forecasts_by_age ON forecasts (made_ms, target_id, start_ms)
    """,
)

_COLUMNS = (
    "kind, unit, made_ms, as_of_ms, model, status, reason, history_hours, step_ms, start_ms, points, limit_value,"
    " below, breach_ms, breach_early_ms, breach_reason, prophet, prophet_changepoints, chance,"
    " crossed_lately, widening_95, widening_80, demand"
)


class ForecastBook:
    """Every forecast made, in the state database, for as long as ``keep_days`` says.

    The connection belongs to one writer; call it from one thread at a time.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, *, keep_days: float = KEEP_DAYS) -> None:
        migrate(connection, path, "forecast", MIGRATIONS)
        self._connection = connection
        self._keep_ms = round(keep_days * DAY)

    def store(self, forecasts: Iterable[Forecast]) -> None:
        """Keep these, in one transaction, and let go of those that are too old beside the newest of them.

        Of those older than ``THIN_DAYS`` stay the ones that begin at midnight UTC, and each target's newest.
        """
        kept = list(forecasts)
        if not kept:
            return
        newest_ms = max(forecast.made_ms for forecast in kept)
        with self._connection as connection:
            for forecast in kept:
                target_id = self._target_id(forecast)
                places = ", ".join("?" * (1 + len(_COLUMNS.split(","))))
                row = connection.execute(
                    f"INSERT INTO forecasts (target_id, {_COLUMNS}) VALUES ({places})", (target_id, *_row(forecast))
                )
                connection.execute("UPDATE forecast_targets SET newest = ? WHERE id = ?", (row.lastrowid, target_id))
            connection.execute("DELETE FROM forecasts WHERE made_ms < ?", (newest_ms - self._keep_ms,))
            connection.execute(
                "DELETE FROM forecasts WHERE made_ms < ? AND start_ms % ? != 0"
                " AND id NOT IN (SELECT newest FROM forecast_targets)",
                (newest_ms - THIN_DAYS * DAY, DAY),
            )
            connection.execute(
                "DELETE FROM forecast_targets AS gone"
                " WHERE NOT EXISTS (SELECT 1 FROM forecasts WHERE target_id = gone.id)"
            )

    def latest(self, *, since_ms: int = 0) -> list[Forecast]:
        """The newest forecast of every target and statistic, of those made at ``since_ms`` or later."""
        rows = self._connection.execute(
            f"SELECT series, statistic, {_COLUMNS} FROM forecast_targets JOIN forecasts ON forecasts.id = newest"
            " WHERE made_ms >= ? ORDER BY series, statistic",
            (since_ms,),
        )
        return [_forecast(row) for row in rows]

    def history(self, key: SeriesKey, statistic: Statistic, limit: int = 100) -> list[Forecast]:
        """Up to ``limit`` forecasts of one target, the newest first."""
        rows = self._connection.execute(
            f"SELECT series, statistic, {_COLUMNS} FROM forecasts"
            " JOIN forecast_targets AS target ON target.id = target_id"
            " WHERE series = ? AND statistic = ? ORDER BY made_ms DESC, forecasts.id DESC LIMIT ?",
            (str(key), statistic, limit),
        )
        return [_forecast(row) for row in rows]

    def _target_id(self, forecast: Forecast) -> int:
        identity = (str(forecast.target), forecast.statistic)
        self._connection.execute(
            "INSERT INTO forecast_targets (series, statistic) VALUES (?, ?) ON CONFLICT DO NOTHING", identity
        )
        row = self._connection.execute(
            "SELECT id FROM forecast_targets WHERE series = ? AND statistic = ?", identity
        ).fetchone()
        return int(row[0])


def _row(forecast: Forecast) -> tuple[Any, ...]:
    return (
        forecast.kind,
        forecast.unit,
        forecast.made_ms,
        forecast.as_of_ms,
        forecast.model,
        forecast.status,
        forecast.reason,
        forecast.history_hours,
        forecast.step_ms,
        forecast.start_ms,
        pack([forecast.points[name] for name in POINT_NAMES]) if forecast.points else None,
        forecast.limit,
        forecast.below,
        forecast.breach_ms,
        forecast.breach_early_ms,
        forecast.breach_reason,
        forecast.prophet.packed if forecast.prophet is not None else None,
        forecast.prophet.changepoints_text if forecast.prophet is not None else None,
        forecast.chance.packed if forecast.chance is not None else None,
        forecast.chance.crossed_lately if forecast.chance is not None else None,
        *forecast.widening,
        pack([forecast.demand]) if forecast.demand else None,
    )


def _forecast(row: tuple[Any, ...]) -> Forecast:
    series, statistic, kind, unit, made, as_of, model, status, reason, hours, step, start, points, *rest = row
    limit, below, breach, early, why, prophet, changepoints, chance, crossed_lately, *adapted = rest
    widening_95, widening_80, demand = adapted
    return Forecast(
        target=SeriesKey.parse(series),
        statistic=statistic,
        kind=kind,
        unit=unit,
        made_ms=made,
        as_of_ms=as_of,
        model=model,
        status=status,
        reason=reason,
        history_hours=hours,
        step_ms=step,
        start_ms=start,
        points=dict(zip(POINT_NAMES, unpack(points), strict=True)) if points is not None else {},
        limit=limit,
        below=bool(below),
        breach_ms=breach,
        breach_early_ms=early,
        breach_reason=why,
        prophet=Reference.stored(prophet, changepoints),
        chance=Chance.stored(chance, crossed_lately),
        widening=(widening_95 or 1.0, widening_80 or 1.0),
        demand=tuple(unpack(demand)[0]) if demand is not None else (),
    )
