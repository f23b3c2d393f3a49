"""Background work of the store, in slices that keep the writer free: rows to chunks, retention, size, vacuum."""

import sqlite3

import numpy as np

from collector.store import chunks, rollups
from collector.store.batch import Batch
from collector.store.leaps import Leaps
from collector.store.merge import merge
from collector.store.registry import Registry
from collector.store.rows import Layouts
from collector.store.schema import FIVE_MINUTES, HOURLY, TIERS, WINDOW_MS, Tier
from collector.store.settings import StoreSettings
from forewarn.base.clock import DAY, HOUR, MINUTE, Clock

_SLICE_SECONDS = 0.004
_MAX_ROWS = 4_000
_DELETED_BYTES = 2**20
_CHUNKS_A_SLICE = 50
_BLOCKS_A_SLICE = 200
_DAYS_A_SLICE = 1
_SETTLED_A_SLICE = 3
_SERIES_A_SLICE = 1_000
_PAGES_A_SLICE = 256
_EXPIRE_EVERY_SECONDS = 600.0
_FULL_SHARE = 0.9
_FREE_PAGES = 64
_SETTLE_EVERY_MS = 10 * MINUTE
_SETTLE_AFTER_MS = 6 * HOUR  # after the end of a day or block: by then, what comes late has come
_FOREVER_MS = 2**62
_LATE_MS = DAY  # how long samples older than raw retention stay: history comes in pieces, and roll-ups need all of them


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
        self._counters: set[int] = set()
        self._expire_at = 0.0
        self._leaps = Leaps(clock, self._last_written())
        self._settled_ms = -_FOREVER_MS
        self._checked_series = 0
        self._vacuuming = False
        self._page_bytes = self._pragma("page_size")

    def step(self) -> bool:
        """Do one slice, inside the caller's transaction handling; False when there was nothing to do."""
        return self._shrink() or self._move_rows() or self._expire() or self._settle() or self._vacuum()

    def forget_batch(self) -> None:
        """Begin the batch again: what was moved may not have come through; what has is not moved twice."""
        self._batch = None

    def forget_cells(self) -> None:
        """Read the batch's cells again before going on: some were changed."""
        if self._batch is not None:
            self._batch.forget()

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._page_bytes

    def _move_rows(self) -> bool:
        if self._batch is None:
            if not self._rows_are_due():
                return False
            self._batch = Batch(self._connection, self._layouts.all(self._connection), _MAX_ROWS)
            self._position, self._counters = 0, self._registry.counters()
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
        end = self._clock.monotonic() + _SLICE_SECONDS
        now_ms = self._clock.now_ms()
        while self._position < len(batch.series):
            series = batch.series[self._position]
            times, values = batch.samples(self._connection, self._position)
            counter = series in self._counters
            self.late += merge(self._connection, series, times, values, counter=counter, now_ms=now_ms).late
            self._position += 1
            if self._clock.monotonic() >= end:
                break

    def _delete_some(self, batch: Batch) -> bool:
        """Whether all rows of the batch are gone; asked in this transaction, for an empty table counts anew from 1."""
        self._connection.execute(
            "DELETE FROM scrapes WHERE id IN (SELECT id FROM scrapes WHERE id <= ? ORDER BY id LIMIT ?)",
            (batch.last_row, 1 + _DELETED_BYTES // batch.row_bytes),
        )
        rest = self._connection.execute("SELECT 1 FROM scrapes WHERE id <= ? LIMIT 1", (batch.last_row,)).fetchone()
        return rest is None

    def _expire(self) -> bool:
        if not self._leaps.believed() or self._clock.monotonic() < self._expire_at:
            return False
        now_ms, settings = self._clock.now_ms(), self._settings
        if (
            self._drop_chunks(now_ms - int(settings.raw_retention * 1000), now_ms - _LATE_MS)
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
        if self._drop_chunks(_FOREVER_MS, self._clock.now_ms() - 2 * WINDOW_MS):
            return True
        return any(self._drop_blocks(tier, self._clock.now_ms() - 2 * tier.block_ms) for tier in (FIVE_MINUTES, HOURLY))

    def _settle(self) -> bool:
        """For a few series: one chunk of a day's, and blocks of roll-ups that are not going to change made small."""
        now_ms = self._clock.now_ms()
        if abs(now_ms - self._settled_ms) < _SETTLE_EVERY_MS:
            return False
        days = chunks.days_to_join(self._connection, now_ms - _SETTLE_AFTER_MS, _DAYS_A_SLICE)
        for series, first in days:
            chunks.join_day(self._connection, series, first, now_ms)
        before_ms = now_ms - _SETTLE_AFTER_MS
        if days or any(rollups.settle(self._connection, tier, before_ms, _SETTLED_A_SLICE) for tier in TIERS):
            return True
        self._settled_ms = now_ms
        return False

    def _drop_chunks(self, newest_before_ms: int, written_before_ms: int) -> bool:
        gone = self._connection.execute(
            "DELETE FROM chunks WHERE id IN"
            " (SELECT id FROM chunks WHERE last_ms < ? AND written_ms < ? ORDER BY last_ms LIMIT ?)",
            (newest_before_ms, written_before_ms, _CHUNKS_A_SLICE),
        )
        return gone.rowcount > 0

    def _drop_blocks(self, tier: Tier, before_ms: int) -> bool:
        gone = self._connection.execute(
            "DELETE FROM rollups WHERE id IN"
            " (SELECT id FROM rollups WHERE tier = ? AND block < ? ORDER BY block LIMIT ?)",
            (tier.level, before_ms // tier.block_ms, _BLOCKS_A_SLICE),
        )
        return gone.rowcount > 0

    def _drop_series(self) -> bool:
        """Forget series of which nothing is left, so that others get their place; looks at some at a time."""
        low, high = self._checked_series, self._checked_series + _SERIES_A_SLICE
        empty = self._connection.execute(
            "SELECT id FROM series WHERE id > ? AND id <= ? AND NOT EXISTS (SELECT 1 FROM chunks WHERE series ="
            " series.id) AND NOT EXISTS (SELECT 1 FROM rollups WHERE tier = ? AND series = series.id)",
            (low, high, HOURLY.level),
        ).fetchall()
        if empty:
            in_rows = np.unique(np.concatenate([np.empty(0, np.int64), *self._layouts.all(self._connection).values()]))
            gone = [row for row in empty if row[0] not in in_rows]
            self._connection.executemany("DELETE FROM rollups WHERE series = ?", gone)
            self._connection.executemany("DELETE FROM series WHERE id = ?", gone)
            if gone:
                self._registry.reload()
        more = self._connection.execute("SELECT 1 FROM series WHERE id > ? LIMIT 1", (high,)).fetchone() is not None
        self._checked_series = high if more else 0
        return more

    def _vacuum(self) -> bool:
        """Give free pages back to the filesystem once there are many; a few are kept, for they are used again soon."""
        free, pages = self._pragma("freelist_count"), self._pragma("page_count")
        least = max(_FREE_PAGES, pages // 20)
        self._vacuuming = free > (least if self._vacuuming else 2 * least)
        if self._vacuuming:
            # A pragma outside of transactions; execute() would take its first step only, which frees one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_A_SLICE})")
        return self._vacuuming

    def _last_written(self) -> int | None:
        (newest,) = self._connection.execute(
            "SELECT max(time) FROM"
            " (SELECT max(written_ms) AS time FROM chunks UNION ALL SELECT max(time_ms) FROM scrapes)"
        ).fetchone()
        return None if newest is None else int(newest)

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
