"""Background work of the store, in slices that keep the writer free: rows to chunks, retention, size, vacuum."""

import sqlite3

import numpy as np

from collector.store.columns import merge
from collector.store.registry import Registry
from collector.store.rows import Batch, Layouts, oldest_rows
from collector.store.schema import FIVE_MINUTES, HOURLY, WINDOW_MS, Tier
from collector.store.settings import StoreSettings
from forewarn.base.clock import Clock

_SLICE_SECONDS = 0.03
_BATCH_BYTES = 2 * 2**20
_MAX_ROWS = 4_000
_ROWS_A_SLICE = 200
_CHUNKS_A_SLICE = 200
_PAGES_A_SLICE = 256
_EXPIRE_EVERY_SECONDS = 600.0
_FULL_SHARE = 0.9
_FREE_PAGES = 1_024


class Upkeep:
    """What is left to do in the background; each ``step`` is one transaction of bounded length.

    Attributes:
        late: samples dropped because their window's raw samples are gone.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        layouts: Layouts,
        registry: Registry,
        settings: StoreSettings,
        clock: Clock,
    ) -> None:
        self.late = 0
        self._connection = connection
        self._layouts = layouts
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self._batch: Batch | None = None
        self._position = 0
        self._expire_at = 0.0
        self._vacuuming = False
        self._page_bytes = self._pragma("page_size")

    def step(self) -> bool:
        """Do one slice, inside the caller's transaction handling; False when there was nothing to do."""
        return self._shrink() or self._move_rows() or self._expire() or self._vacuum()

    def forget_batch(self) -> None:
        """Read the rows again before going on: some were changed. What was moved already is not moved twice."""
        self._batch = None

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._page_bytes

    def _move_rows(self) -> bool:
        if self._batch is None:
            if not self._rows_are_due():
                return False
            rows = oldest_rows(self._connection, _BATCH_BYTES)
            self._batch, self._position = Batch(rows, self._layouts.all(self._connection)), 0
        batch = self._batch
        if self._position < len(batch.series):
            self._merge_some(batch)
        elif self._delete_some(batch):
            self._connection.execute("DELETE FROM layouts WHERE id NOT IN (SELECT layout FROM scrapes)")
            self._registry.forget_plans()
            self._batch = None
        return True

    def _rows_are_due(self) -> bool:
        row = self._connection.execute("SELECT id, time_ms FROM scrapes ORDER BY id LIMIT 1").fetchone()
        if row is None:
            return False
        oldest, time_ms = (int(cell) for cell in row)
        newest = int(self._connection.execute("SELECT max(id) FROM scrapes").fetchone()[0])
        # A row far in the future is due as well: the clock was set back.
        return abs(self._clock.now_ms() - time_ms) >= self._settings.row_age * 1000 or newest - oldest >= _MAX_ROWS

    def _merge_some(self, batch: Batch) -> None:
        counters = self._registry.counters()
        end = self._clock.monotonic() + _SLICE_SECONDS
        while self._position < len(batch.series) and self._clock.monotonic() < end:
            series = batch.series[self._position]
            times, values = batch.samples(series)
            now_ms = self._clock.now_ms()
            merged = merge(self._connection, series, times, values, counter=series in counters, now_ms=now_ms)
            self.late += merged.late
            self._position += 1

    def _delete_some(self, batch: Batch) -> bool:
        """Whether all rows of the batch are gone; asked in this transaction, for an empty table counts anew from 1."""
        self._connection.execute(
            "DELETE FROM scrapes WHERE id IN (SELECT id FROM scrapes WHERE id <= ? ORDER BY id LIMIT ?)",
            (batch.last_row, _ROWS_A_SLICE),
        )
        rest = self._connection.execute("SELECT 1 FROM scrapes WHERE id <= ? LIMIT 1", (batch.last_row,)).fetchone()
        return rest is None

    def _expire(self) -> bool:
        if self._clock.monotonic() < self._expire_at:
            return False
        now_ms, settings = self._clock.now_ms(), self._settings
        if (
            self._drop_chunks(now_ms - int(settings.raw_retention * 1000))
            or self._drop_blocks(FIVE_MINUTES, now_ms - int(settings.five_minute_retention * 1000))
            or self._drop_blocks(HOURLY, now_ms - int(settings.hourly_retention * 1000))
            or self._drop_series()
        ):
            return True
        self._expire_at = self._clock.monotonic() + _EXPIRE_EVERY_SECONDS
        return False

    def _shrink(self) -> bool:
        """Near the size limit the oldest goes: raw samples first, then the finer roll-ups."""
        if self.used_bytes() < self._settings.max_size * _FULL_SHARE:
            return False
        # Chunks that are still being written stay: their windows would count as settled, and refuse what comes next.
        if self._drop_chunks(self._clock.now_ms() - 2 * WINDOW_MS):
            return True
        return any(self._drop_blocks(tier, self._clock.now_ms() - 2 * tier.block_ms) for tier in (FIVE_MINUTES, HOURLY))

    def _drop_chunks(self, written_before_ms: int) -> bool:
        gone = self._connection.execute(
            "DELETE FROM chunks WHERE id IN"
            " (SELECT id FROM chunks WHERE written_ms < ? ORDER BY written_ms, window LIMIT ?)",
            (written_before_ms, _CHUNKS_A_SLICE),
        )
        return gone.rowcount > 0

    def _drop_blocks(self, tier: Tier, before_ms: int) -> bool:
        gone = self._connection.execute(
            "DELETE FROM rollups WHERE id IN"
            " (SELECT id FROM rollups WHERE tier = ? AND block < ? ORDER BY block LIMIT ?)",
            (tier.level, before_ms // tier.block_ms, _CHUNKS_A_SLICE),
        )
        return gone.rowcount > 0

    def _drop_series(self) -> bool:
        """Forget series of which nothing is left, so that others get their place."""
        empty = self._connection.execute(
            "SELECT id FROM series WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE series = series.id) AND NOT EXISTS"
            " (SELECT 1 FROM rollups WHERE tier = ? AND series = series.id)",
            (HOURLY.level,),
        ).fetchall()
        if not empty:
            return False
        in_rows = np.unique(np.concatenate([np.empty(0, np.int64), *self._layouts.all(self._connection).values()]))
        gone = [row for row in empty if row[0] not in in_rows]
        for table in ("rollups", "series"):
            column = "id" if table == "series" else "series"
            self._connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", gone)
        if gone:
            self._registry.reload()
        return bool(gone)

    def _vacuum(self) -> bool:
        """Give free pages back to the filesystem once there are many; a few are kept, for they are used again soon."""
        free, pages = self._pragma("freelist_count"), self._pragma("page_count")
        least = max(_FREE_PAGES, pages // 20)
        self._vacuuming = free > (least if self._vacuuming else 2 * least)
        if self._vacuuming:
            # A pragma outside of transactions; execute() would take its first step only, which frees one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_A_SLICE})")
        return self._vacuuming

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
