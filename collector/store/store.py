"""The series store's writer: the one object in the one process that writes metrics.db."""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from collector.series import Sample, Scrape, SeriesKey
from collector.store import rollups, rows
from collector.store.buckets import Buckets
from collector.store.errors import StoreDamagedError, translated
from collector.store.merge import Merged, acceptable, merge
from collector.store.model import History, StoreStats, Times, Values
from collector.store.query.answers import Answers
from collector.store.recovery import open_checked, set_aside
from collector.store.registry import Plan, Registry
from collector.store.schema import TIERS
from collector.store.settings import StoreSettings
from collector.store.upkeep import Upkeep
from forewarn.base.clock import DAY, Clock
from forewarn.base.errors import StoreError

log = logging.getLogger(__name__)

_PAGES_AT_CLOSE = 1_024


class Store(Answers):
    """Durable series: every append is on the disk when it returns. Methods may be called from any thread.

    Attributes:
        path: metrics.db.
        set_aside: where a damaged file went, at the start or since; None where all was well.
    """

    def __init__(self, path: Path, settings: StoreSettings, clock: Clock) -> None:
        """Use ``Store.open``."""
        self.path = path
        self.set_aside: Path | None = None
        self._settings = settings
        self._clock = clock
        self._lock = threading.RLock()
        super().__init__(path)
        self._refused_samples = self._not_finite = self._late = 0
        self._begin()
        self._remember_latest()

    @classmethod
    def open(cls, path: Path, settings: StoreSettings, clock: Clock) -> "Store":
        """Open the store, made where it is not there; a damaged file is renamed and a new one begun.

        Raises:
            StoreError: the file cannot be opened, or a newer Forewarn wrote it.
        """
        return cls(path, settings, clock)

    def append(self, scrape: Scrape) -> None:
        """Store a scrape; it survives a kill or a power cut once this returns.

        NaN and infinities are no samples; series over the limit are left out. Both are counted.

        Raises:
            StoreFullError: the disk or the size limit is full; nothing of the scrape is stored, nothing else is lost,
                and ``latest`` knows its values all the same.
            StoreError: the file cannot be written.
        """
        samples = scrape.samples
        values = np.fromiter((sample.value for sample in samples), np.float64, len(samples))
        finite = np.isfinite(values)
        if not finite.all():
            self._not_finite += int(np.count_nonzero(~finite))
            samples = [sample for sample, good in zip(samples, finite.tolist(), strict=True) if good]
            values = values[finite]
        try:
            plan, cells = self._insert(scrape.time_ms, samples, values)
        except StoreError:  # rules go on with what is known, above all with the one that says that the store is full
            self._latest.put(scrape.time_ms, [sample.key for sample in samples], values.tolist())
            raise
        self._latest.put(scrape.time_ms, plan.keys, cells.tolist())

    def _insert(self, time_ms: int, samples: Sequence[Sample], values: Values) -> tuple[Plan, Values]:
        with self._writing() as connection:
            plan = self._registry.plan(samples)
            self._refused_samples += plan.refused
            cells = values[plan.take]
            if len(cells):
                connection.execute(
                    "INSERT INTO scrapes (time_ms, layout, cells) VALUES (?, ?, ?)",
                    (time_ms, plan.layout, cells.tobytes()),
                )
        return plan, cells

    def append_history(self, key: SeriesKey, times_ms: Times, values: Values, *, counter: bool = False) -> int:
        """Store samples of one series, in any order, late ones too; they survive a kill once this returns.

        Of samples with equal times the last written wins. Samples older than ``horizon_ms``, and samples for a window
        whose raw samples retention has dropped while their roll-ups remain, are refused and counted.

        Returns:
            the number of samples at times that had none before.

        Raises:
            StoreFullError: the disk or the size limit is full; nothing of this call is stored.
            StoreError: the file cannot be written.
            ValueError: the arrays differ in length.
        """
        return self.append_histories([History(key, times_ms, values, counter)])

    def append_histories(self, items: Sequence[History]) -> int:
        """As ``append_history`` for many series at once, in one transaction: all of them are stored, or none.

        A scrape that comes meanwhile waits, so that some 100,000 samples are enough for one call.

        Returns:
            the number of samples at times that had none before.

        Raises:
            StoreFullError: the disk or the size limit is full; nothing of this call is stored.
            StoreError: the file cannot be written.
            ValueError: an item's arrays differ in length.
        """
        accepted = [(item, *self._accept(item)) for item in items]
        stored = []
        with self._writing() as connection:
            for item, times, values in accepted:
                series = self._registry.resolve(item.key, counter=item.counter) if len(times) else None
                if series is None:
                    self._refused_samples += len(times)
                else:
                    stored.append((item.key, times, values, self._merge(connection, series, item, times, values)))
        for key, times, values, merged in stored:
            self._late += merged.late
            if times[-1] > self._clock.now_ms() - DAY:
                self._latest.put_newer(int(times[-1]), key, float(values[-1]))
        return sum(merged.new for *_, merged in stored)

    def _merge(
        self, connection: sqlite3.Connection, series: int, item: History, times: Times, values: Values
    ) -> Merged:
        known = rows.overwrite(connection, self._layouts, series, times, values)
        if len(known):
            self._upkeep.forget_cells()
        now_ms = self._clock.now_ms()
        return merge(connection, series, times, values, counter=item.counter, now_ms=now_ms, known=known)

    def adopt_rollups(self, key: SeriesKey, level: int, windows: Buckets, *, counter: bool) -> int:
        """Store roll-ups made elsewhere, in windows that have neither roll-ups nor samples.

        Args:
            key: the series.
            level: which of ``TIERS``.
            windows: the roll-ups, in order of time.
            counter: whether the series is a counter.

        Returns:
            the number of windows that are new.

        Raises:
            StoreFullError: the disk or the size limit is full; nothing of this call is stored.
            StoreError: the file cannot be written.
        """
        with self._writing() as connection:
            series = self._registry.resolve(key, counter=counter) if len(windows) else None
            return 0 if series is None else rollups.adopt(connection, TIERS[level], series, windows, counter=counter)

    def horizon_ms(self) -> int:
        """Samples older than this are refused: no tier keeps them."""
        return self._clock.now_ms() - int(self._settings.hourly_retention * 1000)

    def bookmark(self, source: str) -> str | None:
        """What was last kept under this name by ``save_bookmark``."""
        with self._writing() as connection:
            row = connection.execute("SELECT place FROM bookmarks WHERE source = ?", (source,)).fetchone()
        return None if row is None else str(row[0])

    def save_bookmark(self, source: str, place: str) -> None:
        """Keep how far a load has come, durably; call it after the samples up to there were stored.

        Raises:
            StoreError: the file cannot be written.
        """
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO bookmarks VALUES (?, ?, ?) ON CONFLICT (source)"
                " DO UPDATE SET place = excluded.place, saved_ms = excluded.saved_ms",
                (source, place, self._clock.now_ms()),
            )

    def compact(self) -> bool:
        """One slice of background work, some tens of milliseconds at most; True if more waits.

        Raises:
            StoreError: the file cannot be written; what was stored stays as it was.
        """
        with self._lock, self._unsynced(), self._writing():
            busy = self._upkeep.step()
            if len(self._registry) < len(self._latest):
                self._latest.keep_only(self._registry.keys())
        return busy

    def stats(self) -> StoreStats:
        """The store's own health.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._writing() as connection:
            span = "SELECT (SELECT max(id) FROM scrapes) - (SELECT min(id) FROM scrapes) + 1"
            (pending,) = connection.execute(span).fetchone()
            used = self._upkeep.used_bytes()
        return StoreStats(
            series=len(self._registry),
            max_series=self._settings.max_series,
            refused_series=self._registry.refused_series,
            refused_names=tuple(self._registry.refused_names),
            refused_samples=self._refused_samples,
            not_finite_samples=self._not_finite,
            late_samples=self._late + self._upkeep.late,
            pending_rows=pending or 0,
            used_bytes=used,
            file_bytes=sum(file.stat().st_size for file in self._files()),
            max_bytes=self._settings.max_size,
            newest_ms=self._latest.newest_ms,
        )

    def close(self) -> None:
        """Write the log into the file, give free pages back, and close it."""
        with self._lock:
            self._reader.close()
            with contextlib.suppress(sqlite3.Error):  # a full disk: the log stays, and is read at the next start
                self._connection.executescript(f"PRAGMA incremental_vacuum({_PAGES_AT_CLOSE})")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()

    def _accept(self, item: History) -> tuple[Times, Values]:
        accepted = acceptable(item, self.horizon_ms())
        self._not_finite += accepted.not_finite
        self._late += accepted.late
        return accepted.times, accepted.values

    def _remember_latest(self) -> None:
        try:
            found = self._reader.latest(max_age_ms=DAY, now_ms=self._clock.now_ms())
        except StoreDamagedError:
            self._replace_damaged()
            return
        for one in sorted(found, key=lambda one: one.time_ms):
            self._latest.put(one.time_ms, [one.key], [one.value])

    def _begin(self) -> None:
        """Open the file, and everything that goes with this one file."""
        self._connection, aside = open_checked(self.path, self._clock)
        self.set_aside = aside or self.set_aside
        (page_bytes,) = self._connection.execute("PRAGMA page_size").fetchone()
        self._connection.execute(f"PRAGMA max_page_count = {self._settings.max_size // page_bytes}")
        self._layouts = rows.Layouts()
        self._registry = Registry(self._connection, self._settings.max_series)
        self._upkeep = Upkeep(self._connection, self._layouts, self._registry, self._settings, self._clock)

    @contextmanager
    def _unsynced(self) -> Iterator[None]:
        """Commits need no sync of their own: after a power cut the write-ahead log ends before them, or behind them."""
        self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The connection, in a transaction that is committed at the end."""
        with self._lock:
            try:
                with translated(self.path), self._connection:
                    yield self._connection
            except StoreDamagedError:
                self._replace_damaged()
                raise
            except BaseException:  # raised again: memory must say what the file says, whatever it was
                self._undo()
                raise

    def _undo(self) -> None:
        """After a transaction that did not come through: memory says again what the file says."""
        with translated(self.path):
            self._connection.rollback()
            self._layouts.forget()
            self._upkeep.forget_batch()
            self._registry.reload()
        with contextlib.suppress(sqlite3.Error):  # it may free room for the next try, and it may not
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _replace_damaged(self) -> None:
        self._connection.close()
        self.set_aside = set_aside(self.path, self._clock)
        log.warning("the store is damaged, a new one is begun", extra={"aside": str(self.set_aside)})
        self._begin()

    def _files(self) -> list[Path]:
        return [file for file in (self.path, self.path.with_name(f"{self.path.name}-wal")) if file.exists()]
