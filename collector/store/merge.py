"""Merging samples into a series' chunks and roll-ups."""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from collector.store import chunks, rollups
from collector.store.buckets import keep_last
from collector.store.chunks import NO_TIMES, NO_VALUES, Piece
from collector.store.model import History, Times, Values
from collector.store.schema import HOURLY, WINDOW_MS


class Merged(NamedTuple):
    """What became of samples: how many are new, and how many came too late for a window whose raw samples are gone."""

    new: int
    late: int


class Accepted(NamedTuple):
    """Samples that may be stored, sorted, each time once; and how many of the others were no numbers, and too old."""

    times: Times
    values: Values
    not_finite: int
    late: int


def acceptable(item: History, horizon_ms: int) -> Accepted:
    """What of an item may be stored: finite samples that are not older than the horizon.

    Raises:
        ValueError: the arrays differ in length.
    """
    times, values = np.asarray(item.times_ms, np.int64), np.asarray(item.values, np.float64)
    if times.shape != values.shape:
        raise ValueError(f"{len(times)} times, but {len(values)} values")
    finite, kept = np.isfinite(values), times >= horizon_ms
    taken = keep_last(times[finite & kept], values[finite & kept])
    return Accepted(*taken, int(np.count_nonzero(~finite)), int(np.count_nonzero(finite & ~kept)))


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
    stored = chunks.load(connection, series, low, high)
    settled = {
        window for window in _settled(connection, series, low, high, stored) if (window + 1) * WINDOW_MS <= now_ms
    }  # a chunk that is missing though its window goes on was damaged
    new, late, changed = 0, 0, []
    for place, some_times, some_values in _cut(times, values, stored):
        if place in settled:
            late += len(some_times)
            continue
        old = stored.get(place, Piece(place, 1, NO_TIMES, NO_VALUES))
        whole = old.with_samples(some_times, some_values)
        if whole.same_as(old):
            continue
        new += len(whole.times) - len(old.times) - _known_beside(some_times, known, old.times)
        chunks.write(connection, series, whole, now_ms)
        changed.append(whole)
    if changed:
        rollups.write(connection, series, changed, counter=counter)
    return Merged(new, late)


def _settled(connection: sqlite3.Connection, series: int, low: int, high: int, stored: dict[int, Piece]) -> set[int]:
    """Windows of which roll-ups are left, but no single samples."""
    hourly = rollups.read(connection, HOURLY, series, low * WINDOW_MS, (high + 1) * WINDOW_MS)
    rolled = set((hourly["time"] // WINDOW_MS).tolist())
    return rolled.difference(*(piece.windows for piece in stored.values()))


def _cut(times: Times, values: Values, stored: dict[int, Piece]) -> Iterator[tuple[int, Times, Values]]:
    """Samples by the chunk that they belong to, which a stored one's first window names, or their own window."""
    places = times // WINDOW_MS
    for piece in stored.values():
        places[(places >= piece.window) & (places < piece.window + piece.span)] = piece.window
    starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1]))).tolist()
    for start, end in zip(starts, [*starts[1:], len(times)], strict=True):
        yield int(places[start]), times[start:end], values[start:end]


def _known_beside(times: Times, known: Times, chunked: Times) -> int:
    """How many of the times are known elsewhere, but not in the chunk."""
    return int(np.count_nonzero(np.isin(times, known) & ~np.isin(times, chunked))) if len(known) else 0
