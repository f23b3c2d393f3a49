"""Many series on one hourly clock, aligned at their common end."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from forecast.sources import Floats

DAY_HOURS = 24
WEEK_HOURS = 7 * DAY_HOURS
GRID_HOURS = 4 * WEEK_HOURS
"""How far back a grid looks: more history helps no model here (measured to 28 days)."""
LONGEST_BRIDGE_HOURS = 6
Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Halves = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Grid:
    """Hourly values of n series.

    Attributes:
        end_ms: the origin; the last column is the hour before it.
        values: [n, 672], NaN where an hour is missing or lies before the series began.
    """

    end_ms: int
    values: Floats

    @classmethod
    def of(cls, end_ms: int, rows: Sequence[Floats]) -> "Grid":
        """Series of any length that all end at ``end_ms``."""
        values = np.full((len(rows), GRID_HOURS), np.nan)
        for place, row in enumerate(rows):
            tail = row[-GRID_HOURS:]
            values[place, GRID_HOURS - tail.size :] = tail
        return cls(end_ms, values)

    def before(self, hours: int) -> "Grid":
        """What was known so many hours earlier, of what is in sight."""
        values = np.full_like(self.values, np.nan)
        values[:, hours:] = self.values[:, : self.values.shape[1] - hours]
        return Grid(self.end_ms - hours * 3_600_000, values)

    def take(self, rows: Ints | Flags | slice) -> "Grid":
        """Some of the series."""
        return Grid(self.end_ms, self.values[rows])

    def within(self, unit: Floats) -> "Grid":
        """Each series in a unit of its own."""
        return Grid(self.end_ms, self.values / unit[:, None])

    @cached_property
    def known(self) -> Flags:
        """Which hours have a value."""
        return np.isfinite(self.values)

    @cached_property
    def length(self) -> Ints:
        """Hours from each series' first value to the origin; 0 where there is none."""
        first = np.where(self.known.any(axis=1), self.known.argmax(axis=1), self.values.shape[1])
        return np.asarray(self.values.shape[1] - first, dtype=np.int64)

    @cached_property
    def still(self) -> Flags:
        """Which series never moved."""
        low = np.where(self.known, self.values, np.inf).min(axis=1, initial=np.inf)
        high = np.where(self.known, self.values, -np.inf).max(axis=1, initial=-np.inf)
        return np.asarray(low == high)

    @cached_property
    def bridged(self) -> Floats:
        """The same without holes: NaN before a series began, nowhere after.

        Gaps of at most six hours are bridged by a straight line; longer ones, and what is missing at the end, take
        the same hour of the day before, or the last value known where there is no day before.
        """
        values = self.values.copy()
        began = np.arange(values.shape[1]) >= (values.shape[1] - self.length)[:, None]
        torn = np.flatnonzero((~self.known & began).any(axis=1))
        if torn.size:
            values[torn] = _bridge(values[torn], self.known[torn], began[torn])
        return values


def _bridge(values: Floats, known: Flags, began: Flags) -> Floats:
    width = values.shape[1]
    hours = np.broadcast_to(np.arange(width), values.shape)
    left = np.maximum.accumulate(np.where(known, hours, -1), axis=1)
    right = np.minimum.accumulate(np.where(known, hours, 2 * width)[:, ::-1], axis=1)[:, ::-1]
    start = np.take_along_axis(values, np.maximum(left, 0), axis=1)
    stop = np.take_along_axis(values, np.minimum(right, width - 1), axis=1)
    line = start + (stop - start) * ((hours - left) / np.maximum(right - left, 1))
    missing = began & ~known
    short = missing & (right - left - 1 <= LONGEST_BRIDGE_HOURS)
    values = np.where(short, line, values)
    for hour in np.flatnonzero((missing & ~short).any(axis=0)):
        rows = missing[:, hour] & ~short[:, hour]
        yesterday = values[:, hour - DAY_HOURS] if hour >= DAY_HOURS else np.full(values.shape[0], np.nan)
        values[rows, hour] = np.where(np.isfinite(yesterday), yesterday, start[:, hour])[rows]
    return values
