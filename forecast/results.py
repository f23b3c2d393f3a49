"""What a forecast says, as one value that is stored, sent and shown; and the book that keeps every one made."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from collector.catalogue import Kind
from collector.series import SeriesKey, labels_of
from forecast.chance import Chance
from forecast.packing import pack, unpack
from forecast.reference import Reference
from forecast.settings import Statistic
from forewarn.base import words
from forewarn.base.clock import DAY, HOUR, parse_time, rfc3339
from forewarn.base.sqlite import migrate

Status = Literal["ok", "not_enough_history", "no_data", "failed"]
POINT_NAMES = ("mean", "p2.5", "p10", "p90", "p97.5")
KEEP_DAYS = 90


def decides(kind: str, statistic: str) -> bool:
    """Whether a statistic says when a capacity ends: peaks of a level that is capped at full touch the cap any day."""
    return kind != "saturated" or statistic == "mean"


@dataclass(frozen=True, slots=True)
class Forecast:
    """One statistic of one capacity, 72 hours ahead.

    Attributes:
        target: the series; for a histogram its family's name.
        statistic: mean, max or min of each hour.
        kind: how the capacity is used up.
        unit: base unit of points and limit.
        made_ms: when it was made.
        as_of_ms: the moment whose knowledge it uses.
        model: combiner, prophet, prophet_map, snaive24 or fill; empty where there is no forecast.
        status: ok, not_enough_history, no_data or failed.
        reason: why there is none, or why it is not the model that was to be expected; empty otherwise.
        history_hours: length of the history that was there.
        step_ms: time between points.
        start_ms: start of the first point's hour.
        points: by name (mean, and the edges p2.5, p10, p90, p97.5) one value an hour; empty where there is none.
            ``mean`` is the point forecast, of the combiner the median.
        limit: where the capacity ends, or None.
        below: whether it runs out at the lower end.
        breach_ms: start of the hour by whose end it is as likely as not that the limit was reached; a time in the past
            where it is crossed already; None where it stays less likely than that for 72 hours.
        breach_early_ms: the same for one chance in ten.
        breach_reason: why no breach is expected, or since when there is one.
        prophet: what Prophet's model says of the same series; None where it has nothing to say.
        chance: the probability to reach the limit; None without one, or where it is crossed already.
        widening: what the 95 % and the 80 % band were multiplied by, for how earlier ones held.
        demand: of a level that is capped and stood at its cap, the demand expected at each hour; empty otherwise.
    """

    target: SeriesKey
    statistic: Statistic
    kind: Kind
    unit: str
    made_ms: int
    as_of_ms: int
    model: str
    status: Status
    reason: str
    history_hours: float
    step_ms: int
    start_ms: int
    points: dict[str, list[float]] = field(default_factory=dict)
    limit: float | None = None
    below: bool = False
    breach_ms: int | None = None
    breach_early_ms: int | None = None
    breach_reason: str = ""
    prophet: Reference | None = None
    chance: Chance | None = None
    widening: tuple[float, float] = (1.0, 1.0)
    demand: tuple[float, ...] = ()

    @property
    def decisive(self) -> bool:
        """Whether it says when the capacity ends."""
        return decides(self.kind, self.statistic)

    @property
    def crossed(self) -> bool:
        """Whether the limit was crossed already when it was made."""
        return self.chance is None and self.breach_ms is not None and self.breach_ms < self.start_ms

    def probability(self, from_ms: int, window_ms: int) -> float:
        """The probability to reach the limit between the forecast's start and the end of a window that begins later.

        1 where it is crossed already, 0 where there is no limit. The window is cut at the forecast's end.
        """
        if self.chance is None:
            return float(self.crossed)
        return self.chance.within((from_ms - self.start_ms + window_ms) / HOUR)

    @property
    def outlook(self) -> str:
        """What it says, in one sentence."""
        if self.status != "ok":
            return self.reason
        if self.breach_ms is None or self.breach_ms < self.start_ms or self.limit is None:
            return self.breach_reason
        verb = "falls to" if self.below else "reaches"
        text = f"{verb} {words.quantity(self.limit, self.unit)} on {words.moment(self.breach_ms)}"
        if self.breach_early_ms is not None and self.breach_early_ms < self.breach_ms:
            text += f", possibly as early as {words.moment(self.breach_early_ms)}"
        return text

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the series as text and as name and labels, times as RFC 3339, ``outlook`` added."""
        return {
            "target": str(self.target),
            "name": self.target.name,
            "labels": dict(self.target.labels),
            "statistic": self.statistic,
            "kind": self.kind,
            "unit": self.unit,
            "made": rfc3339(self.made_ms),
            "as_of": rfc3339(self.as_of_ms),
            "model": self.model,
            "status": self.status,
            "reason": self.reason,
            "history_hours": self.history_hours,
            "step_seconds": self.step_ms / 1000,
            "start": rfc3339(self.start_ms),
            "points": self.points,
            "limit": self.limit,
            "below": self.below,
            "breach": _time_out(self.breach_ms),
            "breach_early": _time_out(self.breach_early_ms),
            "breach_reason": self.breach_reason,
            "outlook": self.outlook,
            "prophet": self.prophet.to_dict() if self.prophet is not None else None,
            "chance": self.chance.to_dict() if self.chance is not None else None,
            "widening": self.widening,
            "demand": self.demand,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Forecast":
        """The forecast that ``to_dict`` wrote.

        Raises:
            ValueError: the series or a time is not of its form.
            KeyError: a field is missing.
        """
        return cls(
            target=SeriesKey(data["name"], labels_of(data["labels"])),
            statistic=data["statistic"],
            kind=data["kind"],
            unit=data["unit"],
            made_ms=parse_time(data["made"]),
            as_of_ms=parse_time(data["as_of"]),
            model=data["model"],
            status=data["status"],
            reason=data["reason"],
            history_hours=data["history_hours"],
            step_ms=round(data["step_seconds"] * 1000),
            start_ms=parse_time(data["start"]),
            points=data["points"],
            limit=data["limit"],
            below=data["below"],
            breach_ms=_time_in(data["breach"]),
            breach_early_ms=_time_in(data["breach_early"]),
            breach_reason=data["breach_reason"],
            prophet=Reference.from_dict(data["prophet"]) if data.get("prophet") is not None else None,
            chance=Chance.from_dict(data["chance"]) if data.get("chance") is not None else None,
            widening=tuple(data["widening"]) if "widening" in data else (1.0, 1.0),
            demand=tuple(data.get("demand", ())),
        )


def _time_out(time_ms: int | None) -> str | None:
    return None if time_ms is None else rfc3339(time_ms)


def _time_in(text: str | None) -> int | None:
    return None if text is None else parse_time(text)


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
        """Keep these, in one transaction, and let go of those that are too old beside the newest of them."""
        kept = list(forecasts)
        if not kept:
            return
        oldest_ms = max(forecast.made_ms for forecast in kept) - self._keep_ms
        with self._connection as connection:
            for forecast in kept:
                target_id = self._target_id(forecast)
                places = ", ".join("?" * (1 + len(_COLUMNS.split(","))))
                row = connection.execute(
                    f"INSERT INTO forecasts (target_id, {_COLUMNS}) VALUES ({places})", (target_id, *_row(forecast))
                )
                connection.execute("UPDATE forecast_targets SET newest = ? WHERE id = ?", (row.lastrowid, target_id))
            connection.execute("DELETE FROM forecasts WHERE made_ms < ?", (oldest_ms,))
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
