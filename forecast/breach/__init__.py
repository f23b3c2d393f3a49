"""When a limit is reached: the probability by the end of each of the 72 hours ahead, and the hours that follow."""

import numpy as np

from forecast.breach import filling, paths
from forecast.breach.curve import Crossing
from forecast.breach.filling import fill_crossing
from forecast.combiner import Combination
from forecast.grid import Grid, Ints
from forecast.settings import Statistic
from forecast.sources import Floats

__all__ = ["FILL_METHOD", "METHOD", "Crossing", "crossing", "fill_crossing"]

METHOD = paths.METHOD
FILL_METHOD = filling.METHOD


def crossing(
    grid: Grid,
    combination: Combination,
    asked: Ints,
    thresholds: Floats,
    statistic: Statistic = "mean",
    *,
    falling: bool = False,
) -> Crossing:
    """The probability that gauges and allocations reach thresholds.

    Args:
        grid: of n series.
        combination: what the combiner says of them.
        asked: [m] of each question its series' row.
        thresholds: [m] in the series' own unit; a series may be asked about many.
        statistic: which value of each hour the grid holds; minima reach a threshold by falling to it.
        falling: whether means reach it so too.
    """
    side = -1.0 if falling or statistic == "min" else 1.0
    quantiles = combination.quantiles[asked]
    quantiles = -quantiles[..., ::-1] if side < 0 else quantiles
    return Crossing(paths.curves(quantiles, side * grid.values[asked], side * np.asarray(thresholds)))
