"""Roll-up blocks of one series: reading them, and making those of changed windows again."""

import sqlite3
from collections.abc import Sequence

import numpy as np

from collector.store.buckets import Buckets, between, bucket, empty, replace
from collector.store.chunks import Piece
from collector.store.coding import codec
from collector.store.coding.blocks import pack_block, unpack_block
from collector.store.model import Times
from collector.store.schema import TIERS, WINDOW_MS, Tier


def read(connection: sqlite3.Connection, tier: Tier, series: int, start_ms: int, end_ms: int) -> Buckets:
    """Stored roll-up windows that begin in [start, end); damaged blocks are not there."""
    rows = connection.execute(
        "SELECT block, crc, cells FROM rollups WHERE tier = ? AND series = ? AND block BETWEEN ? AND ? ORDER BY block",
        (tier.level, series, start_ms // tier.block_ms, (end_ms - 1) // tier.block_ms),
    )
    blocks = [unpack_block(cells, tier, block) for block, crc, cells in rows if codec.sound(cells, crc)]
    return between(np.concatenate(blocks), start_ms, end_ms) if blocks else empty()


def newest(connection: sqlite3.Connection, tier: Tier, series: int, before_ms: int) -> tuple[int, float] | None:
    """Start and last value of the newest stored window that ends at ``before_ms`` or earlier."""
    rows = connection.execute(
        "SELECT block, crc, cells FROM rollups WHERE tier = ? AND series = ? AND block <= ? ORDER BY block DESC",
        (tier.level, series, before_ms // tier.block_ms),
    )
    for block, crc, cells in rows:
        buckets = unpack_block(cells, tier, block) if codec.sound(cells, crc) else empty()
        index = int(np.searchsorted(buckets["time"], before_ms - tier.step_ms, side="right")) - 1
        if index >= 0:
            return int(buckets["time"][index]), float(buckets["last"][index])
    return None


def write(connection: sqlite3.Connection, series: int, changed: Sequence[Piece], *, counter: bool) -> None:
    """Make the roll-ups of the changed windows again, in every tier.

    Args:
        connection: the writer, in a transaction.
        series: the series' id.
        changed: chunks as they are now, in order of time.
        counter: which columns the roll-ups keep.
    """
    times = np.concatenate([piece.times for piece in changed])
    values = np.concatenate([piece.values for piece in changed])
    windows = np.array([window for piece in changed for window in piece.windows], np.int64)
    for tier in TIERS:
        fresh = bucket(times, values, tier.step_ms)
        for block in np.unique(windows * WINDOW_MS // tier.block_ms).tolist():
            start, end = block * tier.block_ms, (block + 1) * tier.block_ms
            old = read(connection, tier, series, start, end)
            whole = replace(old, between(fresh, start, end), _within(old["time"] // WINDOW_MS, windows))
            _put(connection, tier, series, block, pack_block(whole, tier, block, counter=counter))


def adopt(connection: sqlite3.Connection, tier: Tier, series: int, windows: Buckets, *, counter: bool) -> int:
    """Put roll-ups from elsewhere where there are none, and no samples to make them of; the number of them."""
    rows = connection.execute("SELECT window, span FROM chunks WHERE series = ?", (series,))
    covered = np.array(sorted({window + place for window, span in rows for place in range(span)}), np.int64)
    if len(covered):
        windows = windows[~_within(windows["time"] // WINDOW_MS, covered)]
    new = 0
    for block in np.unique(windows["time"] // tier.block_ms).tolist():
        start, end = block * tier.block_ms, (block + 1) * tier.block_ms
        old = read(connection, tier, series, start, end)
        fresh = between(windows, start, end)
        fresh = fresh[~np.isin(fresh["time"], old["time"])]
        if len(fresh):
            whole = replace(old, fresh, np.zeros(len(old), np.bool_))
            _put(connection, tier, series, block, pack_block(whole, tier, block, counter=counter))
        new += len(fresh)
    return new


def settle(connection: sqlite3.Connection, tier: Tier, before_ms: int, limit: int) -> bool:
    """Make some blocks that ended before as small as may be, for they will hardly change; False where none is left.

    A damaged one stays as it is.
    """
    found = connection.execute(
        "SELECT rollups.id, block, crc, cells, counter FROM rollups JOIN series ON series.id = rollups.series"
        " WHERE settled = 0 AND tier = ? AND block < ? LIMIT ?",
        (tier.level, before_ms // tier.block_ms, limit),
    ).fetchall()
    for one, block, crc, cells, counter in found:
        small = _smaller(cells, tier, block, counter=bool(counter)) if codec.sound(cells, crc) else None
        if small is None:
            connection.execute("UPDATE rollups SET settled = 1 WHERE id = ?", (one,))
        else:
            values = (codec.checksum(small), small, one)
            connection.execute(  # to the end of the table, where pages are filled; those left behind become free
                "UPDATE rollups SET id = (SELECT max(id) + 1 FROM rollups), crc = ?, cells = ?, settled = 1"
                " WHERE id = ?",
                values,
            )
    return bool(found)


def _smaller(cells: bytes, tier: Tier, block: int, *, counter: bool) -> bytes | None:
    """The block packed thoroughly, None where that gains nothing, or where it cannot be decoded."""
    try:
        buckets = unpack_block(cells, tier, block)
    except codec.UNREADABLE:
        return None
    small = pack_block(buckets, tier, block, counter=counter, thorough=True)
    return small if len(small) < len(cells) else None


def _put(connection: sqlite3.Connection, tier: Tier, series: int, block: int, cells: bytes) -> None:
    connection.execute(
        "INSERT INTO rollups (tier, series, block, crc, cells) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (tier, series, block) DO UPDATE SET crc = excluded.crc, cells = excluded.cells, settled = 0",
        (tier.level, series, block, codec.checksum(cells), cells),
    )


def _within(windows: Times, some: Times) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which windows are among some, which are sorted: what np.isin does, in a tenth of its time for few."""
    places = np.minimum(np.searchsorted(some, windows), len(some) - 1)
    return np.equal(some[places], windows)
