"""The oldest rows of the file, some columns at a time, whole rows never in memory all at once."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collector.store.buckets import keep_last
from collector.store.model import Times, Values
from collector.store.rows import CELL_BYTES, Ids

_GROUP_BYTES = 512 * 1024
_FEWEST, _MOST = 8, 256
_GAP = 16


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of one layout: their ids, their times, and the series of their cells."""

    rows: Ids
    times: Times
    series: Ids


class Batch:
    """Rows that are to be moved into chunks.

    Attributes:
        last_row: id of the newest row in it.
        row_bytes: mean size of a row.
        series: ids of all series in it; neighbours lie near to each other in the rows.
    """

    def __init__(self, connection: sqlite3.Connection, layouts: dict[int, Ids], max_rows: int) -> None:
        found = connection.execute(
            "SELECT id, time_ms, layout FROM scrapes ORDER BY id LIMIT ?", (max_rows,)
        ).fetchall()
        rows, times, layout = np.array(found, np.int64).T
        self.last_row = int(rows[-1])
        self._groups = {
            one: _Group(rows[layout == one], times[layout == one], layouts[one]) for one in np.unique(layout).tolist()
        }
        groups = sorted(self._groups.values(), key=lambda group: -len(group.rows))
        self.row_bytes = sum(len(group.rows) * len(group.series) for group in groups) * CELL_BYTES // len(rows)
        self.series = list(dict.fromkeys(series for group in groups for series in group.series.tolist()))
        self._read: dict[int, tuple[Times, Values]] = {}
        self._at_once = max(_FEWEST, min(_MOST, _GROUP_BYTES // CELL_BYTES // len(rows)))

    def samples(self, connection: sqlite3.Connection, place: int) -> tuple[Times, Values]:
        """Samples of the series at this place of ``series``: sorted, the last written of each time."""
        series = self.series[place]
        if series not in self._read:
            self._read = dict(self._some(connection, np.array(self.series[place : place + self._at_once], np.int64)))
        return self._read[series]

    def forget(self) -> None:
        """Read cells again: some were changed."""
        self._read = {}

    def _some(self, connection: sqlite3.Connection, wanted: Ids) -> Iterator[tuple[int, tuple[Times, Values]]]:
        parts = [part for layout, group in self._groups.items() for part in _parts(connection, layout, group, wanted)]
        for series in wanted.tolist():
            pieces = [(rows, times, columns[series]) for rows, times, columns in parts if series in columns]
            if len(pieces) == 1:
                yield series, keep_last(*pieces[0][1:])
                continue
            order = np.argsort(np.concatenate([rows for rows, _, _ in pieces]), kind="stable")
            times = np.concatenate([times for _, times, _ in pieces])[order]
            yield series, keep_last(times, np.concatenate([values for _, _, values in pieces])[order])


def _parts(
    connection: sqlite3.Connection, layout: int, group: _Group, wanted: Ids
) -> Iterator[tuple[Ids, Times, dict[int, Values]]]:
    """Columns of the wanted series, read a run of neighbours at a time."""
    places = np.flatnonzero(np.isin(group.series, wanted))
    for run in np.split(places, np.flatnonzero(np.diff(places) > _GAP) + 1):
        if not len(run):
            continue
        first, width = int(run[0]), int(run[-1] - run[0]) + 1
        cells = connection.execute(
            "SELECT substr(cells, ?, ?) FROM scrapes WHERE id BETWEEN ? AND ? AND layout = ? ORDER BY id",
            (first * CELL_BYTES + 1, width * CELL_BYTES, int(group.rows[0]), int(group.rows[-1]), layout),
        )
        matrix: npt.NDArray[np.float64] = np.frombuffer(b"".join(cell for (cell,) in cells), np.float64)
        columns = np.ascontiguousarray(matrix.reshape(-1, width).T)
        yield group.rows, group.times, {int(group.series[place]): columns[place - first] for place in run.tolist()}
