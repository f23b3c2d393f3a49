"""What was known at each origin, and what came after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forecast.backtest.hourly import HourlySeries, Value
from forecast.backtest.origins import Origin
from forecast.grid import GRID_HOURS, WEEK_HOURS, Grid
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats


@dataclass(frozen=True, slots=True)
class Windows:
    """All origins side by side.

    Attributes:
        grid: [n, 672] hours before each origin, none at or after it. Its ``end_ms`` is 0 for all: nothing hangs on
            the calendar but the hours' distance.
        actual: [n, 72] hours from each origin on, NaN where nothing was measured.
    """

    grid: Grid
    actual: Floats

    @classmethod
    def of(cls, series: Mapping[str, HourlySeries], origins: Sequence[Origin], value: Value) -> "Windows":
        """The windows around these origins."""
        past = [_before(series[origin.series], origin.hour, value) for origin in origins]
        future = [series[one.series].between(one.hour, one.hour + HORIZON_HOURS, value) for one in origins]
        return cls(Grid.of(0, past), np.array(future))


def _before(series: HourlySeries, origin: int, value: Value) -> Floats:
    """The hours before an origin; where a whole week is silent, what was known whole weeks earlier stands in."""
    known = int(np.searchsorted(series.hours, origin))
    silent = origin - 1 - int(series.hours[known - 1]) if known else 0
    end = origin - silent // WEEK_HOURS * WEEK_HOURS
    return series.between(end - GRID_HOURS, end, value)
