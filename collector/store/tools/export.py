"""Reading series out of metrics.db piece by piece, for files of any length in bounded memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from collector.series import Matcher
from collector.store.bulk import opened
from collector.store.model import Rollup, Series, Times, Values
from collector.store.schema import TIERS, WINDOW_MS
from forewarn.base.clock import DAY, HOUR
from forewarn.base.errors import UsageError

Progress = Callable[[int, int], None]
VALUE = "value"
ROLLED = ("min", "max", "mean", "last", "count", "increase")
"""Columns of roll-ups; ``value`` beside them is the mean of a gauge and the last value of a counter."""
_STEPS_A_PIECE = 20_000
_RAW_PIECE_MS = 6 * HOUR


class Reads(Protocol):
    """What is asked of the store, a StoreReader mostly."""

    def series(self, *matchers: Matcher) -> list[Series]:
        """Series that fulfil all conditions."""
        ...

    def samples(self, series_id: int, start_ms: int, end_ms: int) -> tuple[Times, Values]:
        """Single samples in [start, end)."""
        ...

    def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int) -> Rollup:
        """Windows that overlap [start, end)."""
        ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What to export.

    Attributes:
        matchers: selectors; a series is exported where all conditions of one of them hold.
        start_ms: the range's start.
        end_ms: its end, not in it.
        step_ms: length of the windows; None for single samples.
    """

    matchers: Sequence[tuple[Matcher, ...]]
    start_ms: int
    end_ms: int
    step_ms: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of each piece."""
        return (VALUE,) if self.step_ms is None else (VALUE, *ROLLED)


class Piece(NamedTuple):
    """Samples or windows of one series: times, and columns of the same length."""

    series: Series
    times: Times
    columns: Mapping[str, Values]


def beginning(path: Path, *, rolled: bool) -> int | None:
    """A time before which there is nothing; None where there is nothing at all.

    Args:
        path: metrics.db.
        rolled: whether roll-ups count beside single samples.

    Raises:
        StoreError: the file cannot be read.
    """
    with opened(path) as connection:
        (row,) = connection.execute("SELECT min(time_ms) FROM scrapes").fetchone()
        (window,) = connection.execute("SELECT min(window) FROM axes").fetchone()
        blocks = connection.execute("SELECT tier, min(block) FROM rollups GROUP BY tier").fetchall() if rolled else []
    starts = [row, None if window is None else window * WINDOW_MS]
    starts += [block * TIERS[tier].block_ms for tier, block in blocks]
    return min((start for start in starts if start is not None), default=None)


def chosen(reader: Reads, wish: Wish) -> list[Series]:
    """The series to export, those of one metric together.

    Raises:
        StoreError: the file cannot be read.
        UsageError: there are none.
    """
    found = {one.id: one for matchers in wish.matchers or [()] for one in reader.series(*matchers)}
    if not found:
        raise UsageError("no series matches", hint="'forewarn store stats' names the metrics that there are")
    return sorted(found.values(), key=lambda one: one.key)


def pieces(reader: Reads, wish: Wish, series: Sequence[Series], progress: Progress) -> Iterator[Piece]:
    """Everything that is wished for, series by series, each in order of time.

    Raises:
        StoreError: the file cannot be read.
    """
    for place, one in enumerate(series):
        progress(place, len(series))
        for start_ms, end_ms in _ranges(wish):
            piece = _piece(reader, wish, one, start_ms, end_ms)
            if len(piece.times):
                yield piece
    progress(len(series), len(series))


def _ranges(wish: Wish) -> Iterator[tuple[int, int]]:
    """The range in parts whose ends are multiples of the step, so that no window is in two of them."""
    step = wish.step_ms
    length = _RAW_PIECE_MS if step is None else max(step, DAY // step * step, _STEPS_A_PIECE * step)
    start = wish.start_ms
    while start < wish.end_ms:
        end = min((start // length + 1) * length, wish.end_ms)
        yield start, end
        start = end


def _piece(reader: Reads, wish: Wish, series: Series, start_ms: int, end_ms: int) -> Piece:
    if wish.step_ms is None:
        times, values = reader.samples(series.id, start_ms, end_ms)
        return Piece(series, times, {VALUE: values})
    rolled = reader.rollup(series.id, start_ms, end_ms, wish.step_ms)
    value = rolled.last if series.counter else rolled.mean
    columns = {name: np.asarray(getattr(rolled, name), np.float64) for name in ROLLED}
    return Piece(series, rolled.times, {VALUE: value, **columns})
