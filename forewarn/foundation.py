"""What the daemon stands on while its configuration may change: both databases and their writer threads."""

import dataclasses
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from collector.series import Sample, Scrape, SeriesKey
from collector.store import IntegrityCheck, Store
from forecast.anomalies.book import AnomalyBook
from forecast.book import ForecastBook
from forecast.scorebook import ScoreBook
from forewarn.base.clock import Clock, rfc3339
from forewarn.base.crew import Crew
from forewarn.base.errors import StoreError
from forewarn.config import Config
from forewarn.datadir import DataDir
from forewarn.statefile import open_state

log = logging.getLogger(__name__)

T = TypeVar("T")
STALLED_SECONDS = 10.0
"""A change of state.db that takes longer counts as one that fails."""


class Foundation:
    """The open databases of one data directory, which must be locked.

    Attributes:
        store: the series (metrics.db); written on ``series_writer`` only.
        state: the connection to state.db; used on ``state_writer`` only.
        book: the forecasts in state.db.
        anomalies: those of the last 90 days, in state.db.
        scores: how good those were whose hours are over.
        stats: the store's health as of the last scrape.
        writable: whether the last scrape could be kept.
        config_good: whether the configuration was right when it was last read.
        state_aside: where a damaged state.db went at the start, None where all was well.
        integrity: reads metrics.db once, in the background.
        evaluated_ms: when the alert rules were last evaluated and the outcome kept, None before the first time.
    """

    def __init__(
        self, data: DataDir, clock: Clock, store: Store, state: sqlite3.Connection, state_aside: Path | None
    ) -> None:
        self.data = data
        self.clock = clock
        self.store = store
        self.state = state
        self.book = ForecastBook(state, data.state)
        self.anomalies = AnomalyBook(state, data.state)
        self.scores = ScoreBook(state, data.state)
        self.stats = store.stats()
        self.writable = True
        self.config_good = True
        self.state_aside = state_aside
        self.evaluated_ms: int | None = None
        self.integrity = IntegrityCheck(data.metrics)
        self._state_good = True
        self._changes: list[float] = []
        self.series_writer = Crew("series-writer")
        self.state_writer = Crew("state-writer")

    @classmethod
    def open(cls, data: DataDir, config: Config, clock: Clock) -> Self:
        """Open both databases, migrating older ones.

        Raises:
            StoreError: one was written by a newer Forewarn, or cannot be opened.
        """
        store = Store.open(data.metrics, config.store, clock)
        if store.set_aside is not None:
            log.error(
                "metrics.db was damaged: set aside, a new one begun",
                extra={"kept_as": str(store.set_aside), "hint": "history before now is in that file"},
            )
        try:
            return cls(data, clock, store, *open_state(data.state, clock))
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot open {data.state}: {error}",
                hint="move it away: alert states and forecasts begin anew, the series stay",
            ) from error

    async def keep(self, scrape: Scrape) -> None:
        """Store a scrape; it is on the disk when this returns.

        Raises:
            StoreFullError: the disk or the size limit is full.
            StoreError: the file cannot be written.
        """
        await self.series_writer.submit(self._append, scrape)

    def _append(self, scrape: Scrape) -> None:
        self.store.append(scrape)
        self.stats = self.store.stats()

    async def change_state(self, function: Callable[..., T], *args: Any) -> T:
        """The result of ``function(*args)``, which changes state.db.

        Raises:
            StoreError: the file cannot be written.
        """
        self._changes.append(started := self.clock.monotonic())
        try:
            result = await self.state_writer.submit(function, *args)
        except sqlite3.Error as error:
            self._state_good = False
            raise StoreError(f"cannot use {self.data.state}: {error}", hint="is there room on the disk?") from error
        except StoreError:
            self._state_good = False
            raise
        finally:
            self._changes.remove(started)
        self._state_good = True
        return result

    def probe_state(self) -> None:
        """Write to state.db: an evaluation that changed nothing has not tried to."""
        self.state.execute("PRAGMA user_version = 1")

    @property
    def state_writable(self) -> bool:
        """Whether the last change of state.db was kept, and none has been under way for ten seconds."""
        stalled = bool(self._changes) and self.clock.monotonic() - self._changes[0] > STALLED_SECONDS
        return self._state_good and not stalled

    def samples(self) -> list[Sample]:
        """The databases' health as metrics."""
        stats = self.stats
        gauges: dict[str, float] = {
            "forewarn_store_writable": self.writable,
            "forewarn_store_damage_set_aside": self.store.set_aside is not None,
            "forewarn_store_damaged_entries": self.integrity.damaged,
            "forewarn_state_writable": self.state_writable,
            "forewarn_state_damage_set_aside": self.state_aside is not None,
            "forewarn_store_series": stats.series,
            "forewarn_store_used_bytes": stats.used_bytes,
            "forewarn_store_max_bytes": stats.max_bytes,
            "forewarn_store_pending_scrapes": stats.pending_rows,
            "forewarn_config_last_reload_successful": self.config_good,
        }
        if self.evaluated_ms is not None:
            gauges["forewarn_alerts_last_evaluation_timestamp_seconds"] = self.evaluated_ms / 1000
        counters = {
            "forewarn_store_refused_samples_total": stats.refused_samples,
            "forewarn_store_late_samples_total": stats.late_samples,
        }
        return [
            *(Sample(SeriesKey(name), float(value)) for name, value in gauges.items()),
            *(Sample(SeriesKey(name), float(value), counter=True) for name, value in counters.items()),
        ]

    def store_report(self) -> dict[str, Any]:
        """The store's health as JSON."""
        stats = dataclasses.asdict(self.stats)
        newest = stats.pop("newest_ms")
        set_aside = self.store.set_aside
        return {
            **stats,
            "newest": None if newest is None else rfc3339(newest),
            "writable": self.writable,
            "damaged_entries": self.integrity.damaged,
            "set_aside": None if set_aside is None else str(set_aside),
        }

    def close(self) -> bool:
        """Write what is queued and close both files; False where a write did not come back."""
        self.integrity.close()
        written = self.state_writer.close()
        written = self.series_writer.close() and written
        if written:
            self.store.close()
            self.state.close()
        return written
