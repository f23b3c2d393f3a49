"""Reading metrics.db: from any thread, from any process, while the daemon writes."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import orjson

from collector.series import Matcher, SeriesKey
from collector.store import chunks, rollups, rows
from collector.store.buckets import Buckets, bucket, finish, keep_last, replace, widen
from collector.store.errors import translated
from collector.store.model import Latest, Rollup, Series, Times, Values
from collector.store.schema import FIVE_MINUTES, HOURLY, TIERS, Tier
from forewarn.base.errors import StoreError
from forewarn.base.sqlite import open_reader

_BEGINNING = -(2**62)


class StoreReader:
    """Queries of the series store. Every query sees one moment of the file."""

    def __init__(self, path: Path) -> None:
        """A reader of the file; it is opened by the first query, and again when another file takes its place."""
        self.path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._inode = -1
        self._layouts = rows.Layouts()
        self._series: tuple[tuple[int, int, int], list[Series], dict[str, list[Series]]] | None = None
        self._closed = False

    def series(self, *matchers: Matcher) -> list[Series]:
        """Series that fulfil all conditions, all series without one.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._reading() as connection:
            return self._select(connection, matchers)

    def latest(self, *matchers: Matcher, max_age_ms: int, now_ms: int) -> list[Latest]:
        """Newest samples of matching series in [now - max_age, now]; series without one are left out.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._reading() as connection:
            wanted = {series.id: series.key for series in self._select(connection, matchers)}
            found = self._latest_rows(connection, wanted, now_ms - max_age_ms, now_ms)
            _add_chunked(connection, wanted, found, now_ms - max_age_ms, now_ms)
        return [Latest(wanted[series], *found[series]) for series in wanted if series in found]

    def samples(self, series_id: int, start_ms: int, end_ms: int) -> tuple[Times, Values]:
        """Single samples in [start, end): sorted, each time once, the last written value.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._reading() as connection:
            return self._raw(connection, series_id, start_ms, end_ms)

    def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int) -> Rollup:
        """Windows of ``step_ms``, aligned to multiples of it, that overlap [start, end).

        A window that overlaps is whole, also beyond the range's ends: align them where that matters. They are made
        from hourly roll-ups where the step is a multiple of an hour, from five-minute ones where it is a multiple of
        five minutes, else from single samples (which live shortest).

        Raises:
            StoreError: the file cannot be read.
            ValueError: the step is not positive.
        """
        if step_ms <= 0:
            raise ValueError(f"a step of {step_ms} ms is not positive")
        start_ms = start_ms // step_ms * step_ms
        end_ms = -(-end_ms // step_ms) * step_ms
        tier = next((tier for tier in reversed(TIERS) if step_ms % tier.step_ms == 0), None)
        with self._reading() as connection:
            counter = self._is_counter(connection, series_id)
            if tier is None:
                buckets = bucket(*self._raw(connection, series_id, start_ms, end_ms), step_ms)
            else:
                buckets = widen(self._buckets(connection, tier, series_id, start_ms, end_ms), step_ms)
            before = None
            if counter and len(buckets):
                before = self._value_before(connection, series_id, int(buckets["time"][0]))
        return finish(buckets, counter=counter, before=before)

    def close(self) -> None:
        """Close the connections; queries after this raise StoreError."""
        with self._lock:
            self._closed = True
            self._drop()

    def _raw(self, connection: sqlite3.Connection, series: int, start_ms: int, end_ms: int) -> tuple[Times, Values]:
        old_times, old_values = chunks.read(connection, series, start_ms, end_ms)
        times, values = rows.pending(connection, self._layouts, series, start_ms, end_ms)
        return keep_last(np.concatenate((old_times, times)), np.concatenate((old_values, values)))

    def _buckets(self, connection: sqlite3.Connection, tier: Tier, series: int, start_ms: int, end_ms: int) -> Buckets:
        """Stored windows; those with samples in rows are made again from all of their samples."""
        stored = rollups.read(connection, tier, series, start_ms, end_ms)
        times, _ = rows.pending(connection, self._layouts, series, start_ms, end_ms)
        if not len(times):
            return stored
        touched = np.unique(times // tier.step_ms) * tier.step_ms
        raw = self._raw(connection, series, int(touched[0]), int(touched[-1]) + tier.step_ms)
        fresh = bucket(*raw, tier.step_ms)
        fresh = fresh[np.isin(fresh["time"], touched)]
        return replace(stored, fresh, np.isin(stored["time"], touched))

    def _value_before(self, connection: sqlite3.Connection, series: int, before_ms: int) -> float | None:
        """The value of the newest sample older than ``before_ms``, from whichever form it has."""
        times, values = rows.pending(connection, self._layouts, series, _BEGINNING, before_ms)
        found = [
            (int(times[-1]), float(values[-1])) if len(times) else None,
            chunks.newest(connection, series, before_ms),
            rollups.newest(connection, FIVE_MINUTES, series, before_ms),
            rollups.newest(connection, HOURLY, series, before_ms),
        ]
        # Of equal times max() keeps the first: rows are written after chunks, chunks are finer than windows.
        newest = max((one for one in found if one is not None), key=lambda one: one[0], default=None)
        return None if newest is None else newest[1]

    def _latest_rows(
        self, connection: sqlite3.Connection, wanted: dict[int, SeriesKey], start_ms: int, end_ms: int
    ) -> dict[int, tuple[int, float]]:
        newest: list[tuple[int, int, int, bytes]] = []
        layouts = self._layouts.all(connection)
        for layout in layouts:
            newest += connection.execute(
                "SELECT time_ms, id, layout, cells FROM scrapes WHERE layout = ? AND time_ms BETWEEN ? AND ?"
                " ORDER BY time_ms DESC, id DESC LIMIT 1",
                (layout, start_ms, end_ms),
            ).fetchall()
        found: dict[int, tuple[int, float]] = {}
        for time_ms, _, layout, cells in sorted(newest):
            values = np.frombuffer(cells, np.float64).tolist()
            held = zip(layouts[layout].tolist(), values, strict=True)
            found.update((series, (time_ms, value)) for series, value in held if series in wanted)
        return found

    def _select(self, connection: sqlite3.Connection, matchers: tuple[Matcher, ...]) -> list[Series]:
        known, by_name = self._load(connection)
        name = next((one.value for one in matchers if one.label == "__name__" and one.operator == "="), None)
        candidates = known if name is None else by_name.get(name, [])
        return [series for series in candidates if all(matcher.matches(series.key) for matcher in matchers)]

    def _load(self, connection: sqlite3.Connection) -> tuple[list[Series], dict[str, list[Series]]]:
        stamp = connection.execute("SELECT count(*), coalesce(max(id), 0), total(counter) FROM series").fetchone()
        cached = self._series
        if cached is None or cached[0] != stamp:
            known = [Series(*found) for found in read_series(connection)]
            by_name: dict[str, list[Series]] = {}
            for series in known:
                by_name.setdefault(series.key.name, []).append(series)
            cached = self._series = (stamp, known, by_name)
        return cached[1], cached[2]

    def _is_counter(self, connection: sqlite3.Connection, series: int) -> bool:
        row = connection.execute("SELECT counter FROM series WHERE id = ?", (series,)).fetchone()
        return bool(row and row[0])

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection in a transaction of its own, so that what moves from rows to chunks is seen exactly once."""
        with translated(self.path):
            connection, inode = self._take()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                connection.rollback()
                self._give(connection, inode)

    def _take(self) -> tuple[sqlite3.Connection, int]:
        try:
            inode = self.path.stat().st_ino
        except OSError as error:
            message = f"cannot open {self.path}: {error.strerror}"
            raise StoreError(message, hint="has 'forewarn run' ever run here?") from error
        with self._lock:
            if self._closed:
                raise StoreError(f"the reader of {self.path} is closed", hint="open another one")
            if inode != self._inode:
                self._drop()
                self._inode, self._layouts, self._series = inode, rows.Layouts(), None
            if self._idle:
                return self._idle.pop(), inode
        return open_reader(self.path), inode

    def _give(self, connection: sqlite3.Connection, inode: int) -> None:
        with self._lock:
            if inode == self._inode and not self._closed:
                self._idle.append(connection)
            else:
                connection.close()

    def _drop(self) -> None:
        while self._idle:
            self._idle.pop().close()


def read_series(connection: sqlite3.Connection) -> Iterator[tuple[int, SeriesKey, bool]]:
    """Every series of the file."""
    for one, name, labels, counter in connection.execute("SELECT id, name, labels, counter FROM series ORDER BY id"):
        pairs = tuple((label, value) for label, value in orjson.loads(labels))
        yield one, SeriesKey(name, pairs), bool(counter)


def _add_chunked(
    connection: sqlite3.Connection,
    wanted: dict[int, SeriesKey],
    found: dict[int, tuple[int, float]],
    start_ms: int,
    end_ms: int,
) -> None:
    """Samples that lie in chunks, where they are newer than what was found."""
    for series in wanted:
        floor = found[series][0] + 1 if series in found else start_ms
        sample = chunks.newest(connection, series, end_ms + 1, floor)
        if sample is not None:
            found[series] = sample
