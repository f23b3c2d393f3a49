"""Scrapes that still lie as rows: one blob of float64 cells each, in the order of their layout's series."""

import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from collector.store.buckets import keep_last
from collector.store.model import Times, Values

CELL_BYTES = 8
_LAYOUTS_KEPT = 256
_ROWS_AT_ONCE = 32
Ids = npt.NDArray[np.int64]


class Layouts:
    """Layouts by their id, read once; an id never names another layout."""

    def __init__(self) -> None:
        self._known: dict[int, Ids] = {}

    def all(self, connection: sqlite3.Connection) -> dict[int, Ids]:
        """Every layout of the file: its id, and the series ids in the order of the cells."""
        found = [row[0] for row in connection.execute("SELECT id FROM layouts")]
        return {layout: self._get(connection, layout) for layout in found}

    def holding(self, connection: sqlite3.Connection, series: int) -> list[tuple[int, int]]:
        """Layouts with a cell of this series, and the cell's position."""
        places = ((layout, np.flatnonzero(ids == series)) for layout, ids in self.all(connection).items())
        return [(layout, int(found[0])) for layout, found in places if len(found)]

    def forget(self) -> None:
        """Read them again: the ids of a transaction that did not come through are given out anew."""
        self._known = {}

    def _get(self, connection: sqlite3.Connection, layout: int) -> Ids:
        ids = self._known.get(layout)
        if ids is None:
            (data,) = connection.execute("SELECT series FROM layouts WHERE id = ?", (layout,)).fetchone()
            ids = np.frombuffer(data, np.int64)
            if len(self._known) >= _LAYOUTS_KEPT:
                self._known = {}  # a new dict: another thread may be looking at the old one
            self._known[layout] = ids
        return ids


def pending(
    connection: sqlite3.Connection, layouts: Layouts, series: int, start_ms: int, end_ms: int
) -> tuple[Times, Values]:
    """Samples of one series in [start, end) that lie in rows, sorted, the last written of each time."""
    found = pending_of(connection, layouts, [series], start_ms, end_ms)
    return found.get(series, (np.empty(0, np.int64), np.empty(0)))


def pending_of(
    connection: sqlite3.Connection, layouts: Layouts, wanted: Sequence[int], start_ms: int, end_ms: int
) -> dict[int, tuple[Times, Values]]:
    """As ``pending``, for many series in one pass; those without samples are left out."""
    parts: dict[int, list[tuple[Ids, Times, Values]]] = {}
    ids = np.array(wanted, np.int64)
    for layout, series in layouts.all(connection).items():
        places = np.flatnonzero(np.isin(series, ids))
        if len(places):
            for rows, times, columns in _cells(connection, layout, places, start_ms, end_ms):
                for one, values in zip(series[places].tolist(), columns, strict=True):
                    parts.setdefault(one, []).append((rows, times, values))
    return {series: _in_order(found) for series, found in parts.items()}


def _cells(
    connection: sqlite3.Connection, layout: int, places: Ids, start_ms: int, end_ms: int
) -> Iterator[tuple[Ids, Times, npt.NDArray[np.float64]]]:
    """Row ids, times, and one line of values a place, some rows at a time."""
    rows = connection.execute(
        "SELECT id, time_ms, cells FROM scrapes WHERE layout = ? AND time_ms >= ? AND time_ms < ? ORDER BY time_ms, id",
        (layout, start_ms, end_ms),
    )
    while some := rows.fetchmany(_ROWS_AT_ONCE):
        numbers, times, cells = zip(*some, strict=True)
        matrix = np.frombuffer(b"".join(cells)).reshape(len(cells), -1)
        yield np.array(numbers, np.int64), np.array(times, np.int64), np.ascontiguousarray(matrix[:, places].T)


def _in_order(parts: list[tuple[Ids, Times, Values]]) -> tuple[Times, Values]:
    if len(parts) == 1:
        return keep_last(*parts[0][1:])
    rows, times, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(rows, kind="stable")  # the order of writing
    return keep_last(times[order], values[order])


def overwrite(connection: sqlite3.Connection, layouts: Layouts, series: int, times: Times, values: Values) -> Times:
    """Put the values into the rows that hold this series at these times.

    Returns:
        the times that were found in rows, sorted.
    """
    found: list[int] = []
    for layout, position in layouts.holding(connection, series):
        rows = connection.execute(
            "SELECT id, time_ms FROM scrapes WHERE layout = ? AND time_ms BETWEEN ? AND ?",
            (layout, int(times[0]), int(times[-1])),
        ).fetchall()
        for row, time_ms in rows:
            index = int(np.searchsorted(times, time_ms))
            if times[index] == time_ms:
                found.append(time_ms)
                with connection.blobopen("scrapes", "cells", row) as blob:
                    blob.seek(position * CELL_BYTES)
                    blob.write(values[index].tobytes())
    return np.unique(np.array(found, np.int64))
