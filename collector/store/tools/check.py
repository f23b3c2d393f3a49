"""Looking for damage in metrics.db: what SQLite sees of it, and what only we can see."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from collector.store import rows
from collector.store.buckets import BUCKET, Buckets, bucket
from collector.store.bulk import opened
from collector.store.chunks import Piece
from collector.store.coding import codec
from collector.store.coding.blocks import unpack_block
from collector.store.errors import StoreDamagedError
from collector.store.model import Times
from collector.store.schema import TIERS, WINDOW_MS, Tier
from forewarn.base.clock import MINUTE
from forewarn.base.errors import StoreError

Progress = Callable[[int, int], None]
_MOST_PROBLEMS = 1_000
_UNREADABLE = (sqlite3.DatabaseError, *codec.UNREADABLE)
_OTHER_BYTES = "its bytes are not those that were written"
_ORPHANS = (
    ("chunks", "series", "series", "chunks of a series that does not exist"),
    ("rollups", "series", "series", "roll-ups of a series that does not exist"),
    ("chunks", "axis", "axes", "chunks without their time stamps"),
    ("scrapes", "layout", "layouts", "scrapes without their layout"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be: where, and what."""

    where: str
    what: str


@dataclass
class CheckReport:
    """What a check found.

    Attributes:
        series: series that were looked at.
        chunks: chunks whose samples were read.
        windows: roll-up windows that were read.
        samples: single samples in chunks and scrapes.
        problems: what is wrong, the first thousand of it.
        more: how many more problems there are.
    """

    series: int = 0
    chunks: int = 0
    windows: int = 0
    samples: int = 0
    problems: list[Problem] = field(default_factory=list)
    more: int = 0

    def add(self, where: str, what: str) -> None:
        """Note a problem."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(where, what))
        else:
            self.more += 1


def check(path: Path, progress: Progress = lambda _done, _total: None) -> CheckReport:
    """Read everything there is in the file, series by series, while others may write.

    Raises:
        StoreError: the file cannot be opened.
    """
    report = CheckReport()
    try:
        series = _whole_file(path, report)
    except StoreDamagedError as error:
        report.add("file", error.message)
        return report
    for place, (one, name) in enumerate(series):
        progress(place, len(series))
        try:
            with opened(path) as connection:
                _series(connection, one, name, report)
        except StoreError as error:
            report.add(name, f"cannot be read: {error.message}")
    progress(len(series), len(series))
    return report


def _whole_file(path: Path, report: CheckReport) -> list[tuple[int, str]]:
    """What concerns no single series; all series with their text."""
    with opened(path) as connection:
        for (verdict,) in connection.execute("PRAGMA integrity_check(100)"):
            if verdict != "ok":
                report.add("file", verdict)
        for table, column, other, what in _ORPHANS:
            (count,) = connection.execute(
                f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT id FROM {other})"
            ).fetchone()
            if count:
                report.add(table, f"{count} {what}")
        (unused,) = connection.execute("SELECT count(*) FROM axes WHERE id NOT IN (SELECT axis FROM chunks)").fetchone()
        if unused:
            report.add("axes", f"{unused} time stamps that no chunk uses")
        _axes(connection, report)
        _scrapes(connection, report)
        found = connection.execute("SELECT id, name, labels FROM series ORDER BY id").fetchall()
    return [(one, f"{name} {labels}") for one, name, labels in found]


def _axes(connection: sqlite3.Connection, report: CheckReport) -> None:
    for axis, window, digest, crc, data in connection.execute("SELECT id, window, digest, crc, times FROM axes"):
        try:
            times = _decoded(codec.unpack_axis, data, crc, window)
        except _UNREADABLE as error:
            report.add(f"axis {axis}", str(error))
            continue
        if not len(times) or np.any(np.diff(times) <= 0):
            report.add(f"axis {axis}", "its time stamps are not in order")
        elif codec.digest(times.tobytes()) != digest:
            report.add(f"axis {axis}", _OTHER_BYTES)


def _scrapes(connection: sqlite3.Connection, report: CheckReport) -> None:
    layouts = rows.Layouts().all(connection)
    (known,) = connection.execute("SELECT coalesce(max(id), 0) FROM series").fetchone()
    for layout, ids in layouts.items():
        if not len(ids) or ids.min() < 1 or ids.max() > known:
            report.add(f"layout {layout}", "it names a series that does not exist")
    for row, layout, cells in connection.execute("SELECT id, layout, cells FROM scrapes"):
        if layout in layouts and len(cells) != len(layouts[layout]) * rows.CELL_BYTES:
            report.add(f"scrape {row}", f"{len(cells)} bytes for {len(layouts[layout])} series")
            continue
        values = np.frombuffer(cells, np.float64)
        report.samples += len(values)
        if not np.isfinite(values).all():
            report.add(f"scrape {row}", "a value is no number")


def _series(connection: sqlite3.Connection, series: int, name: str, report: CheckReport) -> None:
    report.series += 1
    pieces: list[Piece] = []
    axes: dict[int, Times] = {}
    for window, span, axis, last_ms, crc, cells in connection.execute(
        "SELECT window, span, axis, last_ms, crc, cells FROM chunks WHERE series = ? ORDER BY window", (series,)
    ).fetchall():
        report.chunks += 1
        try:
            times = axes[axis] if axis in axes else axes.setdefault(axis, _times(connection, axis))
            piece = Piece(window, span, times, _decoded(codec.unpack_values, cells, crc))
        except _UNREADABLE as error:
            report.add(f"{name}, window {window}", str(error))
            continue
        report.samples += len(piece.values)
        wrong = list(_chunk(piece, last_ms, pieces[-1].windows.stop if pieces else window))
        for what in wrong:
            report.add(f"{name}, window {window}", what)
        pieces += [] if wrong else [piece]
    for tier in TIERS:
        stored = _stored(connection, series, tier, name, report)
        report.windows += len(stored)
        if wrong_windows := _disagreeing(stored, pieces, tier):
            minutes = tier.step_ms // MINUTE
            report.add(name, f"{wrong_windows} roll-ups of {minutes} minutes do not agree with its samples")


def _times(connection: sqlite3.Connection, axis: int) -> Times:
    row = connection.execute("SELECT window, crc, times FROM axes WHERE id = ?", (axis,)).fetchone()
    if row is None:
        raise ValueError("its time stamps are missing")
    window, crc, data = row
    times: Times = _decoded(codec.unpack_axis, data, crc, window)
    return times


def _decoded(decode: Callable[..., Any], data: bytes, crc: int | None, *context: Any) -> Any:
    """What the bytes say, where they are those that were written.

    Raises:
        ValueError: they are not.
        Exception: those of _UNREADABLE.
    """
    if not codec.sound(data, crc):
        raise ValueError(_OTHER_BYTES)
    try:
        return decode(data, *context)
    except _UNREADABLE as error:
        raise ValueError(f"it cannot be decoded: {error}") from error


def _chunk(piece: Piece, last_ms: int, free_from: int) -> Iterator[str]:
    if not len(piece.times) or len(piece.times) != len(piece.values):
        yield f"{len(piece.values)} values for {len(piece.times)} time stamps"
        return
    if piece.times[0] < piece.window * WINDOW_MS or piece.times[-1] >= piece.windows.stop * WINDOW_MS:
        yield "samples outside of its window"
    if piece.times[-1] != last_ms:
        yield "its newest sample is not the one that it tells"
    if piece.window < free_from:
        yield "it overlaps the one before"
    if not np.isfinite(piece.values).all():
        yield "a value is no number"


def _stored(connection: sqlite3.Connection, series: int, tier: Tier, name: str, report: CheckReport) -> Buckets:
    parts = [np.empty(0, BUCKET)]
    for block, crc, cells in connection.execute(
        "SELECT block, crc, cells FROM rollups WHERE tier = ? AND series = ? ORDER BY block", (tier.level, series)
    ):
        try:
            buckets = _decoded(unpack_block, cells, crc, tier, block)
        except _UNREADABLE as error:
            report.add(f"{name}, block {block}", str(error))
            continue
        times = buckets["time"]
        start, end = block * tier.block_ms, (block + 1) * tier.block_ms
        if not len(times) or np.any(np.diff(times) <= 0) or times[0] < start or times[-1] >= end:
            report.add(f"{name}, block {block}", "its roll-ups are not in order")
        elif np.any(buckets["count"] < 1):
            report.add(f"{name}, block {block}", "a roll-up of no samples")
        else:
            parts.append(buckets)
    return np.concatenate(parts)


def _disagreeing(stored: Buckets, pieces: list[Piece], tier: Tier) -> int:
    """Stored windows that are not what the samples make, where both are there."""
    wrong = 0
    for piece in pieces:
        fresh = bucket(piece.times, piece.values, tier.step_ms)
        low, high = np.searchsorted(stored["time"], (piece.window * WINDOW_MS, (piece.window + piece.span) * WINDOW_MS))
        held = stored[low:high]
        wrong += int(np.count_nonzero(~np.isin(held["time"], fresh["time"])))
        both = np.isin(fresh["time"], held["time"])
        wrong += _different(fresh[both], held[np.isin(held["time"], fresh["time"])])
    return wrong


def _different(fresh: Buckets, held: Buckets) -> int:
    different = np.zeros(len(fresh), np.bool_)
    for name in BUCKET.names or ():
        kept: Any = ~np.isnan(held[name].astype(np.float64))  # a kind of series keeps some columns only
        different |= kept & ~np.isclose(held[name], fresh[name], rtol=1e-9, atol=0)
    return int(np.count_nonzero(different))
