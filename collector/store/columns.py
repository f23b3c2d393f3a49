"""Chunks and roll-up blocks of one series: reading them, and merging samples into them."""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from collector.store import codec
from collector.store.buckets import Buckets, between, bucket, empty, keep_last, replace
from collector.store.model import Times, Values
from collector.store.schema import HOURLY, TIERS, WINDOW_MS, Tier

_BEGINNING = -(2**62)
NO_TIMES: Times = np.empty(0, np.int64)


class Merged(NamedTuple):
    """What became of samples: how many are new, and how many came too late for a window whose raw samples are gone."""

    new: int
    late: int


class _Piece(NamedTuple):
    """Samples of one window."""

    window: int
    times: Times
    values: Values


def read_chunks(connection: sqlite3.Connection, series: int, start_ms: int, end_ms: int) -> tuple[Times, Values]:
    """Samples of one series in [start, end) that lie in chunks."""
    if end_ms <= start_ms:
        return NO_TIMES, np.empty(0)
    pieces = list(_chunks(connection, series, start_ms // WINDOW_MS, (end_ms - 1) // WINDOW_MS).values())
    if not pieces:
        return NO_TIMES, np.empty(0)
    times = np.concatenate([piece.times for piece in pieces])
    values = np.concatenate([piece.values for piece in pieces])
    low, high = np.searchsorted(times, (start_ms, end_ms))
    return times[low:high], values[low:high]


def newest_chunked(
    connection: sqlite3.Connection, series: int, before_ms: int, floor_ms: int = _BEGINNING
) -> tuple[int, float] | None:
    """The newest sample in chunks that is older than ``before_ms`` and not older than ``floor_ms``."""
    rows = connection.execute(
        "SELECT chunks.window, times, cells FROM chunks JOIN axes ON axes.id = axis"
        " WHERE series = ? AND chunks.window BETWEEN ? AND ? AND last_ms >= ? ORDER BY chunks.window DESC LIMIT 2",
        (series, floor_ms // WINDOW_MS, before_ms // WINDOW_MS, floor_ms),
    )
    for window, axis, cells in rows:
        times = codec.unpack_axis(axis, window)
        index = int(np.searchsorted(times, before_ms)) - 1
        if index >= 0 and times[index] >= floor_ms:
            return int(times[index]), float(codec.unpack_values(cells)[index])
    return None


def read_buckets(connection: sqlite3.Connection, tier: Tier, series: int, start_ms: int, end_ms: int) -> Buckets:
    """Stored roll-up windows that begin in [start, end)."""
    rows = connection.execute(
        "SELECT block, cells FROM rollups WHERE tier = ? AND series = ? AND block BETWEEN ? AND ? ORDER BY block",
        (tier.level, series, start_ms // tier.block_ms, (end_ms - 1) // tier.block_ms),
    )
    blocks = [codec.unpack_buckets(cells, tier, block) for block, cells in rows]
    return between(np.concatenate(blocks), start_ms, end_ms) if blocks else empty()


def newest_bucket(connection: sqlite3.Connection, tier: Tier, series: int, before_ms: int) -> tuple[int, float] | None:
    """Start and last value of the newest stored window that ends at ``before_ms`` or earlier."""
    rows = connection.execute(
        "SELECT block, cells FROM rollups WHERE tier = ? AND series = ? AND block <= ? ORDER BY block DESC LIMIT 2",
        (tier.level, series, before_ms // tier.block_ms),
    )
    for block, cells in rows:
        buckets = codec.unpack_buckets(cells, tier, block)
        index = int(np.searchsorted(buckets["time"], before_ms - tier.step_ms, side="right")) - 1
        if index >= 0:
            return int(buckets["time"][index]), float(buckets["last"][index])
    return None


def merge(
    connection: sqlite3.Connection,
    series: int,
    times: Times,
    values: Values,
    *,
    counter: bool,
    now_ms: int,
    known: Times = NO_TIMES,
) -> Merged:
    """Merge sorted samples into the series' chunks, and make the roll-ups of the touched windows again.

    Doing it twice changes nothing. A window whose raw samples retention has dropped is settled: its roll-ups cannot be
    made again, so that late samples for it are refused.

    Args:
        connection: the writer, in a transaction.
        series: the series' id.
        times: sorted, each once.
        values: they replace what was there at the same times.
        counter: which columns the roll-ups keep.
        now_ms: the time of writing, from which retention counts.
        known: times that are stored already, elsewhere than in chunks.
    """
    low, high = int(times[0]) // WINDOW_MS, int(times[-1]) // WINDOW_MS
    stored = _chunks(connection, series, low, high)
    hourly = read_buckets(connection, HOURLY, series, low * WINDOW_MS, (high + 1) * WINDOW_MS)
    settled = set(np.unique(hourly["time"] // WINDOW_MS).tolist()) - stored.keys()
    new, late, changed = 0, 0, []
    for piece in _cut(times, values):
        if piece.window in settled:
            late += len(piece.times)
            continue
        old = stored.get(piece.window, _Piece(piece.window, NO_TIMES, np.empty(0)))
        new += int(np.count_nonzero(~np.isin(piece.times, old.times) & ~np.isin(piece.times, known)))
        whole = _Piece(piece.window, *_union(old, piece))
        if not (np.array_equal(whole.times, old.times) and np.array_equal(whole.values, old.values)):
            _write_chunk(connection, series, whole, now_ms)
            changed.append(whole)
    if changed:
        for tier in TIERS:
            _write_buckets(connection, tier, series, changed, counter=counter)
    return Merged(new, late)


def _cut(times: Times, values: Values) -> Iterator[_Piece]:
    windows, starts = np.unique(times // WINDOW_MS, return_index=True)
    ends = np.append(starts[1:], len(times))
    for window, start, end in zip(windows.tolist(), starts.tolist(), ends.tolist(), strict=True):
        yield _Piece(window, times[start:end], values[start:end])


def _union(old: _Piece, new: _Piece) -> tuple[Times, Values]:
    if not len(old.times):
        return new.times, new.values
    return keep_last(np.concatenate((old.times, new.times)), np.concatenate((old.values, new.values)))


def _chunks(connection: sqlite3.Connection, series: int, low: int, high: int) -> dict[int, _Piece]:
    rows = connection.execute(
        "SELECT chunks.window, times, cells FROM chunks JOIN axes ON axes.id = axis"
        " WHERE series = ? AND chunks.window BETWEEN ? AND ? ORDER BY chunks.window",
        (series, low, high),
    )
    return {
        window: _Piece(window, codec.unpack_axis(axis, window), codec.unpack_values(cells))
        for window, axis, cells in rows
    }


def _write_chunk(connection: sqlite3.Connection, series: int, piece: _Piece, now_ms: int) -> None:
    connection.execute(
        "INSERT INTO chunks (series, window, axis, last_ms, written_ms, cells) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (series, window) DO UPDATE SET axis = excluded.axis, last_ms = excluded.last_ms,"
        " written_ms = excluded.written_ms, cells = excluded.cells",
        (
            series,
            piece.window,
            _axis(connection, piece),
            int(piece.times[-1]),
            now_ms,
            codec.pack_values(piece.values),
        ),
    )


def _axis(connection: sqlite3.Connection, piece: _Piece) -> int:
    """The id of these time stamps; series that were scraped together share one."""
    name = codec.digest(piece.times.tobytes())
    row = connection.execute("SELECT id FROM axes WHERE window = ? AND digest = ?", (piece.window, name)).fetchone()
    if row is not None:
        return int(row[0])
    cursor = connection.execute(
        "INSERT INTO axes (window, digest, times) VALUES (?, ?, ?)",
        (piece.window, name, codec.pack_axis(piece.times, piece.window)),
    )
    return int(cursor.lastrowid or 0)


def _write_buckets(
    connection: sqlite3.Connection, tier: Tier, series: int, pieces: list[_Piece], *, counter: bool
) -> None:
    fresh = bucket(
        np.concatenate([piece.times for piece in pieces]),
        np.concatenate([piece.values for piece in pieces]),
        tier.step_ms,
    )
    touched = np.array([piece.window for piece in pieces])
    for block in np.unique(touched * WINDOW_MS // tier.block_ms).tolist():
        start, end = block * tier.block_ms, (block + 1) * tier.block_ms
        old = read_buckets(connection, tier, series, start, end)
        whole = replace(old, between(fresh, start, end), np.isin(old["time"] // WINDOW_MS, touched))
        connection.execute(
            "INSERT INTO rollups (tier, series, block, cells) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (tier, series, block) DO UPDATE SET cells = excluded.cells",
            (tier.level, series, block, codec.pack_buckets(whole, tier, block, counter=counter)),
        )
