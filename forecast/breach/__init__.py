"""When a limit is reached: the probability by the end of each of the 72 hours ahead, and the hours that follow."""

import numpy as np

from forecast.breach import filling, net, paths
from forecast.breach.curve import Crossing
from forecast.breach.features import of_questions, of_series
from forecast.breach.filling import fill_crossing
from forecast.breach.turned import KNOTS, Turned
from forecast.combiner import Combination
from forecast.combiner.weights import shipped
from forecast.grid import Grid, Ints
from forecast.settings import HORIZON_HOURS, Statistic
from forecast.sources import Floats

__all__ = ["FILL_METHOD", "METHOD", "Crossing", "crossing", "fill_crossing"]

WEIGHTS = "breach"
METHOD = (
    "a net over the forecast's quantiles and the series' own past, monotone in threshold and hours, calibrated on"
    " series that it had not seen"
)
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

    Without weights, of the breach or of the combiner, the forecast's quantiles and the share of past windows that
    crossed speak alone.

    Args:
        grid: of n series; every one has at least one value in the last week.
        combination: what the combiner says of them.
        asked: [m] of each question its series' row.
        thresholds: [m] in the series' own unit; a series may be asked about many.
        statistic: which value of each hour the grid holds; minima reach a threshold by falling to it.
        falling: whether means reach it so too.
    """
    side = -1.0 if falling or statistic == "min" else 1.0
    limits = side * np.asarray(thresholds)
    found = shipped(WEIGHTS) if combination.trained else None
    if found is None:
        quantiles = side * combination.quantiles[asked][..., :: int(side)]
        return Crossing(paths.curves(quantiles, side * grid.values[asked], limits))
    rows, asked = np.unique(asked, return_inverse=True)
    asked_about = Combination(
        combination.quantiles[rows], combination.features.rows(rows), combination.unit[rows], True
    )
    seen = Turned.of(grid.take(rows), asked_about, side)
    series = of_series(seen, extreme=statistic != "mean")
    return Crossing(_hourly(net.probabilities(found[0], series, asked, of_questions(seen, asked, limits))))


def _hourly(at_knots: Floats) -> Floats:
    """[m, 72] from [m, knots]: straight lines between knots."""
    hours = np.arange(1, HORIZON_HOURS + 1)
    right = np.searchsorted(KNOTS, hours)
    left = np.maximum(right - 1, 0)
    share = (hours - KNOTS[left]) / np.maximum(KNOTS[right] - KNOTS[left], 1)
    return np.asarray(at_knots[:, left] + share * (at_knots[:, right] - at_knots[:, left]))
