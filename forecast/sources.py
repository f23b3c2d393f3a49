"""Where a target's hourly values come from: a gauge, the rate of a counter, the mean of a histogram.

Every source gives, for each hour that has samples, the mean and the extremes. For counters and histograms, whose
samples are running totals, the extremes are those of the hour's 5-minute windows.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from collector.series import Matcher
from collector.store import Rollup, Series
from forewarn.base.clock import HOUR, MINUTE

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
WINDOW = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours that have samples: their starts in milliseconds, mean, lowest and highest value."""

    times: Times
    mean: Floats
    low: Floats
    high: Floats


class Reader(Protocol):
    """What this room asks of the store, whether it is read in the daemon or from another process."""

    def series(self, *matchers: Matcher) -> list[Series]:
        """The stored series that fulfil all conditions."""
        ...

    def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int) -> Rollup:
        """Windows of a series that hold samples."""
        ...


class Source(Protocol):
    """A way to hourly values."""

    def hours(self, reader: Reader, start_ms: int, end_ms: int) -> Hours:
        """The hours with samples in [start, end), both whole hours."""
        ...

    def windows(self, reader: Reader, start_ms: int, end_ms: int) -> Times:
        """Starts of the 5-minute windows in [start, end) that have samples."""
        ...


@dataclass(frozen=True, slots=True)
class Gauge:
    """A series whose samples are the value itself."""

    series_id: int

    def hours(self, reader: Reader, start_ms: int, end_ms: int) -> Hours:
        """Mean, minimum and maximum of the samples."""
        found = reader.rollup(self.series_id, start_ms, end_ms, HOUR)
        return Hours(found.times, np.asarray(found.mean, dtype=np.float64), found.min, found.max)

    def windows(self, reader: Reader, start_ms: int, end_ms: int) -> Times:
        """Starts of the 5-minute windows that have samples."""
        return reader.rollup(self.series_id, start_ms, end_ms, WINDOW).times


@dataclass(frozen=True, slots=True)
class Rate:
    """A counter, seen as growth per second."""

    series_id: int

    def hours(self, reader: Reader, start_ms: int, end_ms: int) -> Hours:
        """Growth per second over the hour, and in its slowest and fastest 5 minutes.

        Growth over a gap belongs to the whole gap, not to the first window after it. Where the samples before the
        first window are out of sight, over how long it grew is not known, and it is left out. What is below zero after
        a reset did not grow.
        """
        found = reader.rollup(self.series_id, start_ms - HOUR, end_ms, WINDOW)
        times, seconds = found.times[1:], np.diff(found.times) / 1000
        inside = times >= start_ms
        rates = np.maximum(found.increase[1:], 0.0) / seconds
        return _by_hour(times[inside], rates[inside], np.ones(np.count_nonzero(inside)))

    def windows(self, reader: Reader, start_ms: int, end_ms: int) -> Times:
        """Starts of the 5-minute windows that have samples."""
        return reader.rollup(self.series_id, start_ms, end_ms, WINDOW).times


@dataclass(frozen=True, slots=True)
class Mean:
    """A histogram's or summary's mean: growth of its sum over growth of its count."""

    sum_id: int
    count_id: int

    def hours(self, reader: Reader, start_ms: int, end_ms: int) -> Hours:
        """Mean per observation over the hour, and in its best and worst 5 minutes; hours without any are missing."""
        times, sums, counts = self._growth(reader, start_ms, end_ms)
        return _by_hour(times, sums / counts, counts)

    def windows(self, reader: Reader, start_ms: int, end_ms: int) -> Times:
        """Starts of the 5-minute windows that have observations."""
        return self._growth(reader, start_ms, end_ms)[0]

    def _growth(self, reader: Reader, start_ms: int, end_ms: int) -> tuple[Times, Floats, Floats]:
        sums: Rollup = reader.rollup(self.sum_id, start_ms, end_ms, WINDOW)
        counts: Rollup = reader.rollup(self.count_id, start_ms, end_ms, WINDOW)
        times, left, right = np.intersect1d(sums.times, counts.times, assume_unique=True, return_indices=True)
        seen = counts.increase[right] > 0
        return times[seen], sums.increase[left][seen], counts.increase[right][seen]


def _by_hour(times: Times, values: Floats, weights: Floats) -> Hours:
    """Windows gathered into hours, their mean weighted."""
    usable = np.isfinite(values)
    times, values, weights = times[usable], values[usable], weights[usable]
    hours, first = np.unique(times // HOUR, return_index=True)
    if not hours.size:
        empty = np.empty(0)
        return Hours(np.empty(0, dtype=np.int64), empty, empty, empty)
    mean = np.add.reduceat(values * weights, first) / np.add.reduceat(weights, first)
    low, high = np.minimum.reduceat(values, first), np.maximum.reduceat(values, first)
    return Hours(hours.astype(np.int64) * HOUR, mean, low, high)
