"""What the daemon stands on while its configuration may change: both databases and their writer threads."""

import logging
import sqlite3
from pathlib import Path
from typing import Self

from collector.store import Store
from forecast.results import ForecastBook
from forewarn.base.clock import Clock
from forewarn.base.sqlite import open_writer
from forewarn.config import Config
from forewarn.datadir import DataDir
from forewarn.writer import WriterThread

log = logging.getLogger(__name__)


class Foundation:
    """The open databases of one data directory, which must be locked.

    Attributes:
        store: the series (metrics.db); written on ``series_writer`` only.
        state: the connection to state.db; used on ``state_writer`` only.
        book: the forecasts in state.db.
    """

    def __init__(self, data: DataDir, clock: Clock, store: Store, state: sqlite3.Connection) -> None:
        self.data = data
        self.clock = clock
        self.store = store
        self.state = state
        self.book = ForecastBook(state, data.state)
        self.series_writer = WriterThread("series-writer")
        self.state_writer = WriterThread("state-writer")

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
        return cls(data, clock, store, open_writer(data.state))

    @property
    def state_path(self) -> Path:
        """Where state.db is."""
        return self.data.state

    def close(self) -> bool:
        """Write what is queued and close both files; False where a write did not come back."""
        written = self.state_writer.close()
        written = self.series_writer.close() and written
        if written:
            self.store.close()
            self.state.close()
        return written
