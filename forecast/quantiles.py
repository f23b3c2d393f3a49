"""What follows from a forecast's five quantiles."""

import numpy as np

from forecast.sources import Floats

_SWANSON = np.array([0.0, 0.3, 0.4, 0.3, 0.0])


def mean_of(quantiles: Floats) -> Floats:
    """The expected value by Swanson's rule, 30 % p10 + 40 % p50 + 30 % p90.

    Hurst, Brown and Swanson, Swanson's 30-40-30 rule, AAPG Bulletin 2000.

    Args:
        quantiles: [..., 5] at .025, .1, .5, .9, .975.
    """
    return np.asarray(quantiles @ _SWANSON)
