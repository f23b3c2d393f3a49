"""What the daemon stands on while its configuration may change: both databases and their writer threads."""

import dataclasses
import logging
import sqlite3
from typing import Any, Self

from collector.series import Sample, Scrape, SeriesKey
from collector.store import Store
from forecast.results import ForecastBook
from forewarn.base.clock import Clock, rfc3339
from forewarn.base.crew import Crew
from forewarn.base.errors import StoreError
from forewarn.base.sqlite import open_writer
from forewarn.config import Config
from forewarn.datadir import DataDir

log = logging.getLogger(__name__)


class Foundation:
    """The open databases of one data directory, which must be locked.

    Attributes:
        store: the series (metrics.db); written on ``series_writer`` only.
        state: the connection to state.db; used on ``state_writer`` only.
        book: the forecasts in state.db.
        stats: the store's health as of the last scrape.
        writable: whether the last scrape could be kept.
        config_good: whether the configuration was right when it was last read.
    """

    def __init__(self, data: DataDir, clock: Clock, store: Store, state: sqlite3.Connection) -> None:
        self.data = data
        self.clock = clock
        self.store = store
        self.state = state
        self.book = ForecastBook(state, data.state)
        self.stats = store.stats()
        self.writable = True
        self.config_good = True
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
            return cls(data, clock, store, open_writer(data.state))
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot open {data.state}: {error}",
                hint="where it is damaged, move it away: alert states and forecasts begin anew, the series stay",
            ) from error

    async def keep(self, scrape: Scrape) -> None:
        """Store a scrape; it is on the disk when this returns.

        Raises:
            StoreFullError: the disk or the size limit is full.
            StoreError: the file cannot be written.
        """
        await self.series_writer.submit(self.store.append, scrape)
        self.stats = await self.series_writer.submit(self.store.stats)

    def samples(self) -> list[Sample]:
        """The store's health as metrics."""
        stats = self.stats
        gauges = {
            "forewarn_store_writable": self.writable,
            "forewarn_store_damage_set_aside": self.store.set_aside is not None,
            "forewarn_store_series": stats.series,
            "forewarn_store_used_bytes": stats.used_bytes,
            "forewarn_store_max_bytes": stats.max_bytes,
            "forewarn_store_pending_scrapes": stats.pending_rows,
            "forewarn_config_last_reload_successful": self.config_good,
        }
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
            "set_aside": None if set_aside is None else str(set_aside),
        }

    def close(self) -> bool:
        """Write what is queued and close both files; False where a write did not come back."""
        written = self.state_writer.close()
        written = self.series_writer.close() and written
        if written:
            self.store.close()
            self.state.close()
        return written
