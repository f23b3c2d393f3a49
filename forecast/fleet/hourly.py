"""Hourly values that were read elsewhere, in the shape in which a store gives them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.series import Matcher, SeriesKey
from collector.store import Rollup, Series
from forecast.sources import Floats, Times
from forewarn.base.clock import HOUR


@dataclass(frozen=True, slots=True)
class HourlyReader:
    """A reader of n series whose hours are known: what was a rate has become a gauge, every hour is one sample.

    Attributes:
        keys: the series.
        start_ms: start of the first hour.
        mean: [n, hours], NaN where an hour has no samples.
        low: the lowest value of each hour, the mean where it was not asked for.
        high: the highest.
    """

    keys: Sequence[SeriesKey]
    start_ms: int
    mean: Floats
    low: Floats
    high: Floats

    def series(self, *matchers: Matcher) -> list[Series]:
        """Those that fulfil all conditions, numbered as they lie."""
        found = [Series(place, key, counter=False) for place, key in enumerate(self.keys)]
        return [one for one in found if all(matcher.matches(one.key) for matcher in matchers)]

    def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int) -> Rollup:
        """The hours of [start, end) that have a value, whatever the step."""
        _ = step_ms
        begin = max(0, -(-(start_ms - self.start_ms) // HOUR))
        stop = max(begin, -(-(end_ms - self.start_ms) // HOUR))
        mean = self.mean[series_id, begin:stop]
        known = np.flatnonzero(np.isfinite(mean))
        times: Times = self.start_ms + (begin + known) * HOUR
        mean, low, high = (rows[series_id, begin:stop][known] for rows in (self.mean, self.low, self.high))
        count = np.ones(known.size, np.int64)
        return Rollup(times, low, high, mean, count, mean, mean, np.full(known.size, np.nan))
