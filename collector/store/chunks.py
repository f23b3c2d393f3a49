"""Chunks: single samples of one series, a compressed column per window or, once a day is over, per day."""

import sqlite3
from typing import NamedTuple

import numpy as np

from collector.store.buckets import keep_last
from collector.store.coding import codec
from collector.store.model import Times, Values
from collector.store.schema import DAY_WINDOWS, WINDOW_MS

NO_TIMES: Times = np.empty(0, np.int64)
NO_VALUES: Values = np.empty(0)
Axes = dict[int, Times]
_BEGINNING = -(2**62)


class Piece(NamedTuple):
    """Samples of ``span`` windows from ``window`` on."""

    window: int
    span: int
    times: Times
    values: Values

    @property
    def windows(self) -> range:
        """The windows that it covers, with samples or without."""
        return range(self.window, self.window + self.span)

    def with_samples(self, times: Times, values: Values) -> "Piece":
        """The same windows with more samples, which win over its own at the same times."""
        if not len(self.times):
            return self._replace(times=times, values=values)
        joined = keep_last(np.concatenate((self.times, times)), np.concatenate((self.values, values)))
        return self._replace(times=joined[0], values=joined[1])

    def same_as(self, other: "Piece") -> bool:
        """Whether it holds the same samples."""
        return np.array_equal(self.times, other.times) and np.array_equal(self.values, other.values)


def load(
    connection: sqlite3.Connection,
    series: int,
    low: int,
    high: int,
    axes: Axes | None = None,
    *,
    even_damaged: bool = False,
) -> dict[int, Piece]:
    """Chunks that overlap the windows low to high, by their first window, in order of time; damaged ones are not there.

    Args:
        connection: in a transaction.
        series: the series' id.
        low: the first window.
        high: the last one.
        axes: time stamps that were read before, for series that share them; it is added to.
        even_damaged: take what is not what was written for good; decoding it may fail.
    """
    axes = {} if axes is None else axes
    rows = connection.execute(
        "SELECT window, span, axis, crc, cells FROM chunks"
        " WHERE series = ? AND window BETWEEN ? AND ? AND window + span > ? ORDER BY window",
        (series, low - DAY_WINDOWS + 1, high, low),
    )
    pieces = {}
    for window, span, axis, crc, cells in rows.fetchall():
        times = axes[axis] if axis in axes else axes.setdefault(axis, _times(connection, axis, window))
        if even_damaged or (codec.sound(cells, crc) and len(times)):
            pieces[window] = Piece(window, span, times, codec.unpack_values(cells))
    return pieces


def _times(connection: sqlite3.Connection, axis: int, window: int) -> Times:
    """The axis' time stamps, none where it is damaged."""
    data, crc = connection.execute("SELECT times, crc FROM axes WHERE id = ?", (axis,)).fetchone()
    return codec.unpack_axis(data, window) if codec.sound(data, crc) else NO_TIMES


def read(
    connection: sqlite3.Connection, series: int, start_ms: int, end_ms: int, axes: Axes | None = None
) -> tuple[Times, Values]:
    """Samples of one series in [start, end) that lie in chunks."""
    if end_ms <= start_ms:
        return NO_TIMES, NO_VALUES
    parts: list[tuple[Times, Values]] = []
    for piece in load(connection, series, start_ms // WINDOW_MS, (end_ms - 1) // WINDOW_MS, axes).values():
        low, high = np.searchsorted(piece.times, (start_ms, end_ms))
        parts.append((piece.times[low:high], piece.values[low:high]))
    if len(parts) == 1:
        return parts[0]
    times, values = zip(*parts, strict=True) if parts else ((NO_TIMES,), (NO_VALUES,))
    return np.concatenate(times), np.concatenate(values)


def newest(
    connection: sqlite3.Connection, series: int, before_ms: int, floor_ms: int = _BEGINNING
) -> tuple[int, float] | None:
    """The newest sample in chunks that is older than ``before_ms`` and not older than ``floor_ms``."""
    rows = connection.execute(
        "SELECT window, axis, crc, cells FROM chunks"
        " WHERE series = ? AND window BETWEEN ? AND ? AND last_ms >= ? ORDER BY window DESC",
        (series, floor_ms // WINDOW_MS - DAY_WINDOWS + 1, before_ms // WINDOW_MS, floor_ms),
    )
    for window, axis, crc, cells in rows:
        times = _times(connection, axis, window)
        index = int(np.searchsorted(times, before_ms)) - 1
        if index >= 0 and times[index] >= floor_ms and codec.sound(cells, crc):
            return int(times[index]), float(codec.unpack_values(cells)[index])
    return None


def write(connection: sqlite3.Connection, series: int, piece: Piece, now_ms: int) -> None:
    """Put the piece in the place of what was stored of its window."""
    cells = codec.pack_values(piece.values, thorough=piece.span > 1)
    connection.execute(
        "INSERT INTO chunks (series, window, span, axis, last_ms, written_ms, crc, cells)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (series, window) DO UPDATE SET span = excluded.span, axis = excluded.axis,"
        " last_ms = excluded.last_ms, written_ms = excluded.written_ms, crc = excluded.crc, cells = excluded.cells",
        (
            series,
            piece.window,
            piece.span,
            _axis(connection, piece),
            int(piece.times[-1]),
            now_ms,
            codec.checksum(cells),
            cells,
        ),
    )


def days_to_join(connection: sqlite3.Connection, before_ms: int, limit: int) -> list[tuple[int, int]]:
    """Series, and first windows of days that ended before, of which every window is a chunk of its own."""
    rows = connection.execute(
        f"SELECT series, window - {DAY_WINDOWS - 1} FROM chunks AS last WHERE span = 1 AND window < ?"
        f" AND window % {DAY_WINDOWS} = {DAY_WINDOWS - 1} AND {DAY_WINDOWS} = (SELECT count(*) FROM chunks"
        f" WHERE series = last.series AND window BETWEEN last.window - {DAY_WINDOWS - 1} AND last.window AND span = 1)"
        " LIMIT ?",
        (before_ms // WINDOW_MS, limit),
    )
    return rows.fetchall()


def join_day(connection: sqlite3.Connection, series: int, first: int, now_ms: int) -> None:
    """Make one chunk of a day's: a longer column takes fewer bytes a sample, and fewer half-filled pages."""
    pieces = list(load(connection, series, first, first + DAY_WINDOWS - 1).values())
    joined = [piece.window for piece in pieces[1:]] if len(pieces) == DAY_WINDOWS else _all_but(first, pieces)
    connection.executemany("DELETE FROM chunks WHERE series = ? AND window = ?", [(series, one) for one in joined])
    if len(pieces) == DAY_WINDOWS:
        times = np.concatenate([piece.times for piece in pieces])
        day = Piece(first, DAY_WINDOWS, times, np.concatenate([piece.values for piece in pieces]))
        write(connection, series, day, now_ms)


def _all_but(first: int, pieces: list[Piece]) -> list[int]:
    """Windows of the day whose chunks are damaged: they go, and their roll-ups stay."""
    return sorted(set(range(first, first + DAY_WINDOWS)) - {piece.window for piece in pieces})


def _axis(connection: sqlite3.Connection, piece: Piece) -> int:
    """The id of these time stamps; series that were scraped together share one."""
    name = codec.digest(piece.times.tobytes())
    row = connection.execute("SELECT id FROM axes WHERE window = ? AND digest = ?", (piece.window, name)).fetchone()
    if row is not None:
        return int(row[0])
    data = codec.pack_axis(piece.times, piece.window)
    cursor = connection.execute(
        "INSERT INTO axes (window, digest, crc, times) VALUES (?, ?, ?, ?)",
        (piece.window, name, codec.checksum(data), data),
    )
    return int(cursor.lastrowid or 0)
