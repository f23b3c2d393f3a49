"""Series made ready: a regular hourly grid in which missing hours stay missing."""

from dataclasses import dataclass

import numpy as np

from forecast.settings import Statistic
from forecast.sources import Floats, Hours, Reader
from forecast.targets import Target
from forewarn.base.clock import DAY, HOUR

LONGEST_BRIDGE_HOURS = 6


@dataclass(frozen=True, slots=True)
class History:
    """Hourly values of one statistic, one after the other up to the forecast's start.

    Attributes:
        start_ms: start of the first hour, which has a value.
        values: one per hour, NaN where the hour has no samples; the last ones may be NaN.
        hours: length from the first value to the end of the grid, in hours; finer than an hour while it is short.
    """

    start_ms: int
    values: Floats
    hours: float

    @property
    def end_ms(self) -> int:
        """Where the history ends and the forecast starts."""
        return self.start_ms + self.values.size * HOUR

    @property
    def known(self) -> int:
        """How many hours have a value."""
        return int(np.isfinite(self.values).sum())

    @property
    def silent_hours(self) -> int:
        """How many hours at the end have no value."""
        seen = np.flatnonzero(np.isfinite(self.values))
        return self.values.size - 1 - int(seen[-1]) if seen.size else self.values.size


def read_history(reader: Reader, target: Target, as_of_ms: int, history_ms: int) -> History | None:
    """The target's complete hours before ``as_of_ms``; None where there is no sample at all.

    A target that is younger than an hour has an empty grid, and its age in ``hours``.
    """
    end_ms = as_of_ms - as_of_ms % HOUR
    start_ms = end_ms - history_ms + history_ms % HOUR
    found = target.source.hours(reader, start_ms, end_ms)
    whole = np.unique(found.times).size if found.times.size else 0
    if not whole:
        young = target.source.windows(reader, end_ms, as_of_ms)
        return History(end_ms, np.empty(0), (as_of_ms - int(young[0])) / HOUR) if young.size else None
    grid = regular(found, target.statistic, end_ms)
    hours = float(grid.size)
    if grid.size < DAY // HOUR:
        first_ms = int(found.times[0])
        inside = target.source.windows(reader, first_ms, first_ms + HOUR)
        begin_ms = int(inside[0]) if inside.size else first_ms
        hours = (as_of_ms - begin_ms) / HOUR
    return History(int(found.times[0]), grid, hours)


def regular(found: Hours, statistic: Statistic, end_ms: int) -> Floats:
    """One value for each hour from the first that has samples to ``end_ms``; NaN where there are none."""
    values = {"mean": found.mean, "max": found.high, "min": found.low}[statistic]
    index = (found.times - found.times[0]) // HOUR
    grid = np.full(int((end_ms - found.times[0]) // HOUR), np.nan)
    grid[index] = np.where(np.isfinite(values), values, np.nan)
    return grid


def bridged(values: Floats, longest: int = LONGEST_BRIDGE_HOURS) -> Floats:
    """The same values with gaps of at most ``longest`` hours filled by a straight line; longer ones stay missing."""
    known = np.flatnonzero(np.isfinite(values))
    result = values.copy()
    gaps = np.diff(known) - 1
    for place in np.flatnonzero((gaps > 0) & (gaps <= longest)):
        left, right = int(known[place]), int(known[place + 1])
        result[left : right + 1] = np.linspace(values[left], values[right], right - left + 1)
    return result
