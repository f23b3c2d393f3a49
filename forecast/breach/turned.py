"""Series and their forecasts turned so that reaching a threshold means rising to it, and what their past did."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from forecast.combiner import Combination
from forecast.grid import DAY_HOURS, GRID_HOURS, WEEK_HOURS, Grid, Ints
from forecast.members.statistics import mean
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

KNOTS = np.array([1, *range(3, HORIZON_HOURS + 1, 3)])
"""By the ends of which hours, counted from 1, the probability is worked out; between them it rises evenly."""
AT = KNOTS - 1
SIDE_HOURS = 3
WINDOW_BEGINS = np.arange(GRID_HOURS - HORIZON_HOURS, DAY_HOURS - 1, -DAY_HOURS)
"""Past windows begin at this hour of the day, the latest first."""
WEEKLY_BEGINS = np.arange(GRID_HOURS - WEEK_HOURS, -1, -WEEK_HOURS)
"""And at this hour of the week."""
STATE_HOURS = (3, 24, 72)
LIKENESS = 0.7
"""How unlike the hours before a past window may be before it counts for less, in units of their usual distance."""
SMALLEST_HEIGHT = 1e-3
LARGEST = 1e9
"""In units of the largest value seen."""


@dataclass(frozen=True)
class Turned:
    """N series in units of their scale, from their location.

    Attributes:
        values: [n, 672] without holes, NaN before a series began.
        quantiles: [n, 72, 5], rising.
        members: [n, members, 72]; NaN where a member does not exist.
        doubt: [n] the logarithm of the plain combination's expected error.
        zero: [n] where 0 lies.
        size: [n] what the series' own unit is divided by first.
        location: [n] where the units begin, after that.
        scale: [n] their size, after that.
    """

    values: Floats
    quantiles: Floats
    members: Floats
    doubt: Floats
    zero: Floats
    size: Floats
    location: Floats
    scale: Floats

    @classmethod
    def of(cls, grid: Grid, combination: Combination, side: float) -> "Turned":
        """``side`` is -1.0 where thresholds are reached by falling, else 1.0."""
        seen, size = combination.features, np.abs(combination.unit)
        sign = side * np.sign(combination.unit)
        scale, location = seen.scale, sign * seen.location
        quantiles = np.clip(combination.quantiles / size[:, None, None], -LARGEST, LARGEST)[..., :: int(side)]
        members = sign[:, None, None] * (seen.members + seen.plain[:, None])
        return cls(
            values=(side * grid.bridged / size[:, None] - location[:, None]) / scale[:, None],
            quantiles=(side * quantiles - location[:, None, None]) / scale[:, None, None],
            members=np.where(seen.exists[..., None], members, np.nan),
            doubt=np.log(seen.tolerance),
            zero=-location / scale,
            size=size,
            location=location,
            scale=scale,
        )

    def limits(self, asked: Ints, thresholds: Floats) -> Floats:
        """Thresholds of the turned series in units of their scale, [m]."""
        beside = np.clip(thresholds / self.size[asked], -LARGEST, LARGEST)
        return np.asarray((beside - self.location[asked]) / self.scale[asked])

    @cached_property
    def peaks(self) -> Floats:
        """The running maximum of past windows at the knots, [n, windows, knots]; NaN where one is not known whole."""
        return self._peaks(WINDOW_BEGINS)

    @cached_property
    def weekly_peaks(self) -> Floats:
        """The same of the windows that began whole weeks ago."""
        return self._peaks(WEEKLY_BEGINS)

    def _peaks(self, begins: Ints) -> Floats:
        windows = np.stack([self.values[:, begin : begin + HORIZON_HOURS] for begin in begins.tolist()], axis=1)
        return np.asarray(np.maximum.accumulate(windows, axis=2)[..., AT])

    @cached_property
    def rises(self) -> Floats:
        """Past windows' running maxima, from where the series stood when each began."""
        return np.asarray(self.peaks - self._states[:, :, :1])

    @cached_property
    def excesses(self) -> Floats:
        """The same, beyond the highest of the week before, in units of that week's height; of the later windows."""
        old = WINDOW_BEGINS[WINDOW_BEGINS >= WEEK_HOURS].tolist()
        tops = np.stack([self.values[:, begin - WEEK_HOURS : begin].max(axis=1) for begin in old], axis=1)
        means = np.stack([self.values[:, begin - WEEK_HOURS : begin].mean(axis=1) for begin in old], axis=1)
        height = np.maximum(tops - means, SMALLEST_HEIGHT)
        return np.asarray((self.peaks[:, : len(old)] - tops[..., None]) / height[..., None])

    @cached_property
    def likeness(self) -> Floats:
        """How alike the hours before each past window are to those before the origin, 1 at most, [n, windows]."""
        apart = self._states - self._state(GRID_HOURS)[:, None]
        usual = mean(np.abs(self._states - mean(self._states)[:, None])) + LIKENESS / 2
        return np.asarray(np.exp(-np.nan_to_num((apart / usual[:, None]) ** 2).mean(axis=2)))

    @cached_property
    def _states(self) -> Floats:
        return np.stack([self._state(begin) for begin in WINDOW_BEGINS.tolist()], axis=1)

    def _state(self, end: int) -> Floats:
        return np.stack([mean(self.values[:, max(end - hours, 0) : end]) for hours in STATE_HOURS], axis=1)

    @cached_property
    def days(self) -> Floats:
        """The highest value of each of the 28 days, [n, 28]; NaN before the first whole one."""
        return np.asarray(self.values.reshape(-1, GRID_HOURS // DAY_HOURS, DAY_HOURS).max(axis=2))

    @cached_property
    def top(self) -> Floats:
        """The highest value of the last week, [n]."""
        return self.highest(WEEK_HOURS)

    @cached_property
    def height(self) -> Floats:
        """How far that is above the week's mean, [n]."""
        return np.maximum(self.top - mean(self.values[:, -WEEK_HOURS:]), SMALLEST_HEIGHT)

    @cached_property
    def now(self) -> Floats:
        """Where the series stands, [n]."""
        return mean(self.values[:, -SIDE_HOURS:])

    def highest(self, hours: int) -> Floats:
        """The highest value of so many hours, [n]."""
        return np.asarray(np.nanmax(self.values[:, -hours:], axis=1))

    def lowest(self, hours: int) -> Floats:
        """The lowest."""
        return np.asarray(np.nanmin(self.values[:, -hours:], axis=1))
