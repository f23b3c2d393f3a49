"""Reading all series at once, a span of time after the other: what is sent on or written out.

Scrapes that still lie as rows come as they are, a matrix a layout. Where chunks hold samples of the span, series are
taken one by one, so that each one's samples are in order whatever form they have.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.store import chunks, rollups, rows
from collector.store.buckets import keep_last
from collector.store.errors import translated
from collector.store.model import Times, Values
from collector.store.query.opening import open_store
from collector.store.schema import DAY_WINDOWS, FIVE_MINUTES, WINDOW_MS

Ids = npt.NDArray[np.int64]
Chosen = Callable[[], Ids]
"""Ids of the series that are wanted, sorted; asked within the transaction, so that no new series is missed."""

_ROW_BYTES = 512 * 1024


class Block(NamedTuple):
    """Samples of some series at the same times.

    Attributes:
        ids: the series, sorted.
        times: sorted, each once.
        values: one row a series.
    """

    ids: Ids
    times: Times
    values: Values

    @property
    def samples(self) -> int:
        """How many."""
        return len(self.ids) * len(self.times)


class Batch(NamedTuple):
    """Some series of a span, whole.

    Attributes:
        blocks: the samples; where a series is in several blocks, they are in order of time.
        last: the highest id in it; 0 where it is empty.
        more: whether series with higher ids may follow.
    """

    blocks: list[Block]
    last: int
    more: bool

    @property
    def samples(self) -> int:
        """How many."""
        return sum(block.samples for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What lies ahead of a moment.

    Attributes:
        newest_ms: time of the scrape that was written last, of the newest sample where no scrape lies as a row; None
            where there is nothing.
        newest_row: the scrape's id; where none lies as a row, the id that was known.
        set_back_ms: the oldest time among scrapes written after a given row that is not newer than the moment:
            the clock was set back; None where there is none.
        next_ms: a lower bound of the next sample's time, to leap over a time without any.
        until_ms: where a span from the moment should end, so that its rows take little memory.
        oldest_ms: where single samples begin.
    """

    newest_ms: int | None
    newest_row: int
    set_back_ms: int | None
    next_ms: int
    until_ms: int
    oldest_ms: int


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A reading transaction on a connection of its own: one moment of the file.

    Raises:
        StoreError: the file cannot be read.
    """
    with translated(path), closing(open_store(path)) as connection:
        connection.execute("BEGIN")
        yield connection


def look(path: Path, after_ms: int, row: int, longest_ms: int) -> Outlook:
    """What lies ahead of ``after_ms``.

    Args:
        path: metrics.db.
        after_ms: samples up to here are of no interest.
        row: id of the newest scrape that was known at the last look; 0 at the first.
        longest_ms: a span takes no longer.

    Raises:
        StoreError: the file cannot be read.
    """
    with opened(path) as connection:
        last = connection.execute("SELECT id, time_ms FROM scrapes ORDER BY id DESC LIMIT 1").fetchone()
        newest_row, newest_ms = last or (row, connection.execute("SELECT max(last_ms) FROM chunks").fetchone()[0])
        known = row if row <= newest_row else 0  # an emptied table counts anew: all of its rows are new
        (oldest_new,) = connection.execute("SELECT min(time_ms) FROM scrapes WHERE id > ?", (known,)).fetchone()
        set_back = oldest_new is not None and row > 0 and oldest_new <= after_ms
        next_ms = _next_ms(connection, after_ms)
        until_ms = _until_ms(connection, max(after_ms, next_ms - 1), longest_ms)
        (window,) = connection.execute("SELECT min(window) FROM axes").fetchone()
        (oldest_row_ms,) = connection.execute("SELECT min(time_ms) FROM scrapes").fetchone()
    starts = [oldest_row_ms] if window is None else [window * WINDOW_MS, *([oldest_row_ms] if last else [])]
    oldest_ms = min((start for start in starts if start is not None), default=after_ms)
    return Outlook(newest_ms, newest_row, oldest_new if set_back else None, next_ms, until_ms, oldest_ms)


def read_batch(
    path: Path, span: tuple[int, int], after: int, max_samples: int, chosen: Chosen, *, upto: int | None = None
) -> Batch:
    """Series with ids over ``after``, with all of their samples in the span, up to about ``max_samples``.

    A series is never cut in two, so that a batch may be larger by one series.

    Args:
        path: metrics.db.
        span: start and end, the start not in it, the end in it.
        after: series up to this id are left out.
        max_samples: take no more series once there are as many samples; at least one.
        chosen: which series are wanted.
        upto: take every series up to this id instead of counting samples.

    Raises:
        StoreError: the file cannot be read.
    """
    start_ms, end_ms = span[0] + 1, span[1] + 1
    with opened(path) as connection:
        runs = _runs(connection, start_ms, end_ms)
        wanted = chosen()
        wanted = wanted[wanted > after]
        if upto is not None:
            wanted, max_samples = wanted[wanted <= upto], 2**62
        plain = all(run.times[-1] < after_it.times[0] for run, after_it in pairwise(runs))
        if plain and not _chunks_may_hold(connection, start_ms, end_ms):
            return _cut(runs, wanted, max_samples)
        return _merged(connection, runs, (start_ms, end_ms), wanted, max_samples)


def _next_ms(connection: sqlite3.Connection, after_ms: int) -> int:
    """The next sample is not older than this."""
    (row_ms,) = connection.execute("SELECT min(time_ms) FROM scrapes WHERE time_ms > ?", (after_ms,)).fetchone()
    first = (after_ms + 1) // WINDOW_MS - DAY_WINDOWS + 1  # an axis may cover a day
    (window,) = connection.execute("SELECT min(window) FROM axes WHERE window >= ?", (first,)).fetchone()
    found = [row_ms] if row_ms is not None else []
    found += [window * WINDOW_MS] if window is not None else []
    return max(after_ms + 1, min(found)) if found else after_ms + 1


def _until_ms(connection: sqlite3.Connection, after_ms: int, longest_ms: int) -> int:
    end_ms = after_ms + longest_ms
    size = 0
    for time_ms, length in connection.execute(
        "SELECT time_ms, length(cells) FROM scrapes WHERE time_ms > ? AND time_ms <= ? ORDER BY time_ms",
        (after_ms, end_ms),
    ):
        size += length
        if size >= _ROW_BYTES:
            return int(time_ms)
    return end_ms


def _runs(connection: sqlite3.Connection, start_ms: int, end_ms: int) -> list[Block]:
    """Rows in order of time; neighbours of the same layout together."""
    layouts = rows.Layouts()
    known = layouts.all(connection)
    found = connection.execute(
        "SELECT time_ms, layout, cells FROM scrapes WHERE time_ms >= ? AND time_ms < ? ORDER BY time_ms, id",
        (start_ms, end_ms),
    ).fetchall()
    runs, begin = [], 0
    for place in range(1, len(found) + 1):
        if place == len(found) or found[place][1] != found[begin][1]:
            runs.append(_run(known[found[begin][1]], found[begin:place]))
            begin = place
    return runs


def _run(ids: Ids, found: Sequence[tuple[int, int, bytes]]) -> Block:
    times = np.array([time_ms for time_ms, _, _ in found], np.int64)
    cells = np.frombuffer(b"".join(cells for _, _, cells in found), np.float64).reshape(len(found), -1)
    last = np.append(times[1:] != times[:-1], True)  # of a time that came twice, what was written last
    order = np.argsort(ids)
    return Block(ids[order], times[last], np.ascontiguousarray(cells[last].T[order]))


def _chunks_may_hold(connection: sqlite3.Connection, start_ms: int, end_ms: int) -> bool:
    """Whether a chunk may have a sample of the span."""
    found = connection.execute(
        "SELECT 1 FROM chunks WHERE last_ms >= ? AND window <= ? LIMIT 1", (start_ms, (end_ms - 1) // WINDOW_MS)
    )
    return found.fetchone() is not None


def _cut(runs: list[Block], wanted: Ids, max_samples: int) -> Batch:
    if not runs:
        return Batch([], 0, more=False)
    all_ids = np.concatenate([run.ids for run in runs])
    counts = np.repeat([len(run.times) for run in runs], [len(run.ids) for run in runs])
    chosen = np.isin(all_ids, wanted)
    ids, places = np.unique(all_ids[chosen], return_inverse=True)
    if not len(ids):
        return Batch([], 0, more=False)
    sizes = np.cumsum(np.bincount(places, counts[chosen]))
    taken = min(len(ids), int(np.searchsorted(sizes, max_samples)) + 1)
    kept = ids[:taken]
    blocks = [_only(run, kept) for run in runs]
    return Batch([block for block in blocks if block.samples], int(kept[-1]), more=taken < len(ids))


def _only(run: Block, kept: Ids) -> Block:
    mask = np.isin(run.ids, kept, assume_unique=True)
    return run if mask.all() else Block(run.ids[mask], run.times, run.values[mask])


def _merged(
    connection: sqlite3.Connection, runs: list[Block], span: tuple[int, int], wanted: Ids, max_samples: int
) -> Batch:
    blocks: list[Block] = []
    axes: chunks.Axes = {}
    size = 0
    for place, series in enumerate(wanted.tolist()):
        times, values = _union(chunks.read(connection, series, *span, axes), runs, series)
        if not len(times):
            continue
        blocks.append(Block(wanted[place : place + 1], times, values[None, :]))
        size += len(times)
        if size >= max_samples:
            return Batch(blocks, series, more=place + 1 < len(wanted))
    return Batch(blocks, int(blocks[-1].ids[0]) if blocks else 0, more=False)


def _union(chunked: tuple[Times, Values], runs: list[Block], series: int) -> tuple[Times, Values]:
    times, values = [chunked[0]], [chunked[1]]
    for run in runs:
        place = int(np.searchsorted(run.ids, series))
        if place < len(run.ids) and run.ids[place] == series:
            times.append(run.times)
            values.append(run.values[place])
    return keep_last(np.concatenate(times), np.concatenate(values))


def count_rolled_up(path: Path, span: tuple[int, int], chosen: Chosen) -> int:
    """Samples of the wanted series in a span of whole five minutes, whether or not they can still be read one by one.

    Raises:
        StoreError: the file cannot be read.
    """
    with opened(path) as connection:
        return sum(
            int(rollups.read(connection, FIVE_MINUTES, series, *span)["count"].sum()) for series in chosen().tolist()
        )
