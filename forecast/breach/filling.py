"""When a level that fills up reaches its threshold: its hours hang together completely, so each hour speaks alone."""

from statistics import NormalDist

import numpy as np

from forecast.breach.curve import Crossing
from forecast.breach.paths import normal_scores
from forecast.sources import Floats

METHOD = "the forecast's quantiles at each hour, all hours hanging together"


def fill_crossing(quantiles: Floats, thresholds: Floats) -> Crossing:
    """The probability that the level has risen to the threshold by each hour.

    Args:
        quantiles: [n, 72, 5] of the level at each hour's end.
        thresholds: [n].
    """
    score = normal_scores(quantiles, thresholds)
    below = np.vectorize(NormalDist().cdf, otypes=[np.float64])(score)
    return Crossing(np.maximum.accumulate(1 - below, axis=1))
