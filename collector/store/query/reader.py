"""Reading metrics.db: from any thread, from any process, while the daemon writes."""

import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from collector.series import Matcher, SeriesKey
from collector.store import chunks, rows
from collector.store.buckets import finish
from collector.store.errors import translated
from collector.store.model import Latest, Rollup, Series, Times, Values
from collector.store.query.forms import Forms
from collector.store.query.opening import open_store
from collector.store.query.table import COLUMNS, Grid, Table, increases, make_table, windows_of
from forewarn.base.errors import StoreError

_SELECTIONS_KEPT = 64


@dataclass(frozen=True, slots=True)
class _Known:
    """The series of one state of the file, and what was lately selected of them."""

    stamp: tuple[int, int, int]
    series: list[Series]
    by_name: dict[str, list[Series]] = field(default_factory=dict)
    selections: dict[tuple[Matcher, ...], list[Series]] = field(default_factory=dict)


class StoreReader:
    """Queries of the series store. Every query sees one moment of the file."""

    def __init__(self, path: Path) -> None:
        """A reader of the file; it is opened by the first query, and again when another file takes its place."""
        self.path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._inode = -1
        self._layouts = rows.Layouts()
        self._series: _Known | None = None
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
            return Forms(connection, self._layouts, [series_id], start_ms, end_ms).raw(series_id, start_ms, end_ms)

    def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int) -> Rollup:
        """Windows of ``step_ms``, aligned to multiples of it, that overlap [start, end).

        A window that overlaps is whole, also beyond the range's ends: align them where that matters. As ``select``
        says, every step is answered from the form that fits.

        Raises:
            StoreError: the file cannot be read.
            ValueError: the step is not positive.
        """
        grid = Grid.over(start_ms, end_ms, step_ms)
        with self._reading() as connection:
            series = Series(series_id, SeriesKey(""), self._is_counter(connection, series_id))
            windows, before = windows_of(self._forms(connection, [series], grid), series, grid)
        return finish(windows, increases(windows, before) if series.counter else None)

    def select(
        self, *matchers: Matcher, start_ms: int, end_ms: int, step_ms: int, columns: Collection[str] = COLUMNS
    ) -> Table:
        """Matching series in windows of ``step_ms``, aligned to multiples of it, that overlap [start, end).

        Windows are made from hourly roll-ups where the step is a multiple of an hour, from five-minute ones where it
        is a multiple of five minutes, else from single samples. Where that form is gone, the next coarser one takes
        its place: a window then holds what begins in it, so that every sample counts once, but a window that is
        shorter than the form, or no multiple of it, is only as exact as the form.

        Args:
            matchers: conditions on name and labels.
            start_ms: the range's start; the window that holds it is whole.
            end_ms: the range's end, not in it.
            step_ms: length of a window.
            columns: which matrices are wanted, of ``COLUMNS``.

        Raises:
            StoreError: the file cannot be read.
            ValueError: the step is not positive, or there is no such column.
        """
        if unknown := set(columns) - set(COLUMNS):
            raise ValueError(f"no such column: {', '.join(sorted(unknown))}; there are {', '.join(COLUMNS)}")
        grid = Grid.over(start_ms, end_ms, step_ms)
        with self._reading() as connection:
            series = self._select(connection, matchers)
            return make_table(self._forms(connection, series, grid), series, grid, columns)

    def close(self) -> None:
        """Close the connections; queries after this raise StoreError."""
        with self._lock:
            self._closed = True
            self._drop()

    def _forms(self, connection: sqlite3.Connection, series: Sequence[Series], grid: Grid) -> Forms:
        return Forms(connection, self._layouts, [one.id for one in series], grid.lookback_ms, grid.end_ms)

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
        known = self._known(connection)
        found = known.selections.get(matchers)
        if found is None:
            name = next((one.value for one in matchers if one.label == "__name__" and one.operator == "="), None)
            candidates = known.series if name is None else known.by_name.get(name, [])
            found = [series for series in candidates if all(matcher.matches(series.key) for matcher in matchers)]
            if len(known.selections) >= _SELECTIONS_KEPT:
                known.selections.clear()
            known.selections[matchers] = found
        return list(found)

    def _known(self, connection: sqlite3.Connection) -> "_Known":
        stamp = connection.execute("SELECT count(*), coalesce(max(id), 0), total(counter) FROM series").fetchone()
        known = self._series
        if known is None or known.stamp != stamp:
            known = _Known(stamp, [Series(*found) for found in read_series(connection)])
            for series in known.series:
                known.by_name.setdefault(series.key.name, []).append(series)
            self._series = known
        return known

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
        return open_store(self.path), inode

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
