"""The book of anomalies in the state database."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from collector.series import SeriesKey
from forecast.anomalies.events import Anomaly
from forewarn.base.clock import DAY
from forewarn.base.sqlite import migrate

KEEP_DAYS = 90
MOST = 10_000
RECENT = 200

MIGRATIONS = (
    """
    CREATE TABLE anomalies (
        id INTEGER PRIMARY KEY,
        series TEXT NOT NULL,
        started_ms INTEGER NOT NULL,
        kind TEXT NOT NULL,
        unit TEXT NOT NULL,
        seen_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        score REAL NOT NULL,
        reason TEXT NOT NULL,
        UNIQUE (series, started_ms)
    );
    CREATE INDEX anomalies_by_start ON anomalies (started_ms)
    """,
)
_COLUMNS = "series, kind, unit, started_ms, seen_ms, ended_ms, score, reason"


class AnomalyBook:
    """Every anomaly of the last 90 days, 10,000 at most.

    The connection belongs to one writer; call it from one thread at a time.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        migrate(connection, path, "anomalies", MIGRATIONS)
        self._connection = connection

    def store(self, anomalies: Iterable[Anomaly], now_ms: int) -> None:
        """Keep these as they are now, in one transaction, and let go of what is too old or too much."""
        with self._connection as connection:
            connection.executemany(
                f"INSERT INTO anomalies ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (series, started_ms) DO UPDATE SET kind = excluded.kind, seen_ms = excluded.seen_ms,"
                " ended_ms = excluded.ended_ms, score = excluded.score, reason = excluded.reason",
                [_row(each) for each in anomalies],
            )
            connection.execute("DELETE FROM anomalies WHERE started_ms < ?", (now_ms - KEEP_DAYS * DAY,))
            connection.execute(
                "DELETE FROM anomalies WHERE id IN"
                " (SELECT id FROM anomalies ORDER BY started_ms DESC, id DESC LIMIT -1 OFFSET ?)",
                (MOST,),
            )

    def recent(self, limit: int = RECENT) -> list[Anomaly]:
        """Up to so many anomalies, the newest first, and all that had not ended when they were last looked at."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM anomalies WHERE ended_ms IS NULL OR id IN"
            " (SELECT id FROM anomalies ORDER BY started_ms DESC, id DESC LIMIT ?) ORDER BY started_ms DESC, id DESC",
            (limit,),
        )
        return [_anomaly(row) for row in rows]


def _row(each: Anomaly) -> tuple[Any, ...]:
    return (
        str(each.target),
        each.kind,
        each.unit,
        each.started_ms,
        each.seen_ms,
        each.ended_ms,
        each.score,
        each.reason,
    )


def _anomaly(row: tuple[Any, ...]) -> Anomaly:
    series, kind, unit, started_ms, seen_ms, ended_ms, score, reason = row
    return Anomaly(SeriesKey.parse(series), kind, unit, started_ms, seen_ms, ended_ms, score, reason)
