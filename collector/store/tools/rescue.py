"""Carrying what can still be read of a damaged metrics.db, which was set aside, into the store."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson

from collector.series import SeriesKey
from collector.store.buckets import Buckets
from collector.store.coding import codec
from collector.store.coding.blocks import unpack_block
from collector.store.errors import translated
from collector.store.model import History
from collector.store.query.opening import open_store
from collector.store.schema import TIERS
from forewarn.base.errors import StoreError

Progress = Callable[[int, int], None]
_LARGE = ("scrapes", "chunks", "rollups")
AT_ONCE = 100_000
"""Samples that are handed over together."""
_UNREADABLE = (sqlite3.Error, *codec.UNREADABLE)


class Refuge(Protocol):
    """Where it is carried to."""

    def append_histories(self, items: list[History]) -> int:
        """Store samples; the number of those that are new."""
        ...

    def adopt_rollups(self, key: SeriesKey, level: int, windows: Buckets, *, counter: bool) -> int:
        """Store roll-up windows where there are none yet; the number of those that are new."""
        ...


@dataclass
class Rescued:
    """What came of it.

    Attributes:
        series: series whose name could be read.
        samples: single samples that the store did not have.
        windows: roll-up windows that the store did not have.
        unreadable: entries, or stretches of them, that could not be read.
    """

    series: int = 0
    samples: int = 0
    windows: int = 0
    unreadable: int = 0


def rescue(path: Path, refuge: Refuge, progress: Progress = lambda _done, _total: None) -> Rescued:
    """Carry over series, samples and roll-ups; what the store has already stays as it is.

    Args:
        path: the damaged file.
        refuge: where to.
        progress: told how many of how many entries are done.

    Raises:
        StoreError: nothing of the file can be read, or the store cannot be written.
    """
    done = Rescued()
    with translated(path), closing(open_store(path)) as connection:
        source = _Source(connection, done, progress)
        names = source.series()
        if not names:
            raise StoreError(f"no series can be read from {path}", hint="sqlite3's .recover may find more of it")
        done.series = len(names)
        _carry_samples(source, names, refuge, done)
        for series, level, windows in source.rollups():
            if series in names:
                key, counter = names[series]
                done.windows += refuge.adopt_rollups(key, level, windows, counter=counter)
    return done


def _carry_samples(source: "_Source", names: dict[int, tuple[SeriesKey, bool]], refuge: Refuge, done: Rescued) -> None:
    batch: list[History] = []
    for series, times, values in source.samples():
        if series in names:
            batch.append(History(names[series][0], times, values, names[series][1]))
        if sum(len(item.times_ms) for item in batch) >= AT_ONCE:
            done.samples += refuge.append_histories(batch)
            batch = []
    done.samples += refuge.append_histories(batch)


class _Source:
    """The damaged file; what cannot be read is counted and left out."""

    def __init__(self, connection: sqlite3.Connection, done: Rescued, progress: Progress) -> None:
        self._connection = connection
        self._done = done
        self._progress = progress
        self._read, self._entries = 0, sum(len(self._ids(table)) for table in _LARGE)

    def series(self) -> dict[int, tuple[SeriesKey, bool]]:
        found = {}
        for one, name, labels, counter in self._rows("series", "id, name, labels, counter"):
            try:
                pairs = tuple((str(label), str(value)) for label, value in orjson.loads(labels))
            except _UNREADABLE:
                self._done.unreadable += 1
                continue
            found[one] = (SeriesKey(str(name), pairs), bool(counter))
        return found

    def samples(self) -> Iterator[tuple[int, Any, Any]]:
        """Series, times and values: of chunks, then of scrapes, which were written last."""
        for _, series, window, axis, crc, cells in self._rows("chunks", "id, series, window, axis, crc, cells"):
            try:
                times, crc_of_times = self._connection.execute(
                    "SELECT times, crc FROM axes WHERE id = ?", (axis,)
                ).fetchone()
                stamps, values = codec.unpack_axis(times, window), codec.unpack_values(cells)
                sound = codec.sound(cells, crc) and codec.sound(times, crc_of_times) and len(stamps) == len(values)
            except _UNREADABLE:
                sound = False
            if sound:
                yield series, stamps, values
            else:
                self._done.unreadable += 1
        yield from self._scrapes()

    def _scrapes(self) -> Iterator[tuple[int, Any, Any]]:
        layouts = {one: np.frombuffer(ids, np.int64) for one, ids in self._rows("layouts", "id, series")}
        rows: dict[int, list[tuple[int, bytes]]] = {}
        for _, time_ms, layout, cells in self._rows("scrapes", "id, time_ms, layout, cells"):
            if layout in layouts and len(cells) == layouts[layout].nbytes:
                rows.setdefault(layout, []).append((time_ms, cells))
            else:
                self._done.unreadable += 1
        for layout, found in rows.items():
            times = np.array([time_ms for time_ms, _ in found], np.int64)
            matrix = np.frombuffer(b"".join(cells for _, cells in found)).reshape(len(found), -1)
            for place, series in enumerate(layouts[layout].tolist()):
                yield series, times, matrix[:, place]

    def rollups(self) -> Iterator[tuple[int, int, Buckets]]:
        """Series, level of the tier, and windows."""
        for _, level, series, block, crc, cells in self._rows("rollups", "id, tier, series, block, crc, cells"):
            try:
                windows = unpack_block(cells, TIERS[level], block) if codec.sound(cells, crc) else None
            except _UNREADABLE:
                windows = None
            if windows is None:
                self._done.unreadable += 1
            else:
                yield series, level, windows

    def _rows(self, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
        """A table from its beginning to where it is broken; what comes behind that is read one by one."""
        last = -1
        try:
            for row in self._connection.execute(f"SELECT {columns} FROM {table} ORDER BY id"):
                last = row[0]
                yield self._counted(row, table)
        except _UNREADABLE:
            self._done.unreadable += 1
        else:
            return
        yield from self._behind(last, table, columns)

    def _behind(self, last: int, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
        """Rows whose ids an index still knows; where that is broken too, rows from the end back to the first break."""
        ids = sorted(one for one in self._ids(table) if one > last)
        for one in ids:
            try:
                rows = self._connection.execute(f"SELECT {columns} FROM {table} WHERE id = ?", (one,)).fetchall()
            except _UNREADABLE:
                self._done.unreadable += 1
            else:
                yield from (self._counted(row, table) for row in rows)
        if ids:
            return
        try:
            for row in self._connection.execute(
                f"SELECT {columns} FROM {table} WHERE id > ? ORDER BY id DESC", (last,)
            ):
                yield self._counted(row, table)
        except _UNREADABLE:
            return

    def _ids(self, table: str) -> list[int]:
        """The ids of a table's rows, from an index that holds nothing else; none where that is broken."""
        try:
            return [int(one) for (one,) in self._connection.execute(f"SELECT id FROM {table}")]
        except _UNREADABLE:
            return []

    def _counted(self, row: tuple[Any, ...], table: str) -> tuple[Any, ...]:
        if table in _LARGE:
            self._read += 1
            self._progress(min(self._read, self._entries), self._entries)
        return row
