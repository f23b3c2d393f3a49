"""What the cheap members read of a grid, worked out once: its days, weeks and hours without holes."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from forecast.grid import DAY_HOURS, GRID_HOURS, WEEK_HOURS, Grid
from forecast.members.smoothing import SPAN_HOURS, smoothed_level
from forecast.members.statistics import mean, median
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

AHEAD = np.arange(HORIZON_HOURS)


@dataclass(frozen=True)
class Past:
    """A grid seen from its origin; every row has a last value.

    Attributes:
        values: [n, 672] without holes, NaN before a series began.
    """

    values: Floats

    @classmethod
    def of(cls, grid: Grid) -> "Past":
        """The past of every series."""
        return cls(grid.bridged)

    def repeated(self, hours: Floats) -> Floats:
        """[n, 24] or [n, 168] hours over and over, 72 of them."""
        return hours[:, AHEAD % hours.shape[1]]

    def level(self, hours: int, ago: int = 0) -> Floats:
        """The mean of so many hours, [n]."""
        end = GRID_HOURS - ago
        return mean(self.values[:, end - hours : end])

    @cached_property
    def last(self) -> Floats:
        """The last value, [n]."""
        return self.values[:, -1]

    @cached_property
    def day(self) -> Floats:
        """The last 24 hours, [n, 24]."""
        return self.values[:, -DAY_HOURS:]

    @cached_property
    def week(self) -> Floats:
        """The last 168 hours, [n, 168]."""
        return self.values[:, -WEEK_HOURS:]

    @cached_property
    def by_day(self) -> Floats:
        """The last seven days, [n, 7, 24]."""
        return self.week.reshape(-1, 7, DAY_HOURS)

    @cached_property
    def by_week(self) -> Floats:
        """The four weeks, [n, 4, 168]."""
        return self.values.reshape(-1, 4, WEEK_HOURS)

    @cached_property
    def by_date(self) -> Floats:
        """The 28 days, [n, 28, 24]."""
        return self.values.reshape(-1, GRID_HOURS // DAY_HOURS, DAY_HOURS)

    @cached_property
    def daily(self) -> Floats:
        """The median by hour of the day over a week, [n, 24]; the first is that of the first hour ahead."""
        return median(self.by_day)

    @cached_property
    def shape(self) -> Floats:
        """By hour of the day its mean's distance from the mean of the week, [n, 24]; 0 for hours never seen."""
        hours = mean(self.by_day)
        return np.nan_to_num(hours - mean(hours)[:, None])

    @cached_property
    def smoothed(self) -> Floats:
        """The smoothed level of what the hours of the last two weeks are beside the day's shape, [n]."""
        days = self.values[:, -SPAN_HOURS:].reshape(-1, SPAN_HOURS // DAY_HOURS, DAY_HOURS)
        return smoothed_level((days - self.shape[:, None]).reshape(-1, SPAN_HOURS))

    @cached_property
    def slope(self) -> Floats:
        """Least squares through the daily means of two weeks, a day, [n]; NaN with fewer than four days."""
        means = mean(self.values[:, -SPAN_HOURS:].reshape(-1, SPAN_HOURS // DAY_HOURS, DAY_HOURS), axis=2)
        known = np.isfinite(means)
        count = known.sum(axis=1)
        place = np.arange(float(means.shape[1]))
        middle = np.where(known, place, 0.0).sum(axis=1) / np.maximum(count, 1)
        off = np.where(known, place - middle[:, None], 0.0)
        slope = (off * np.nan_to_num(means)).sum(axis=1) / np.maximum((off**2).sum(axis=1), 1e-9)
        return np.where(count >= 4, slope, np.nan)
