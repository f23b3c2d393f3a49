"""From deviation to score: the share of normal time that deviates less, as ``bench/anomalies.py`` measured it.

Measured on the unlabelled time of half of the labelled series (NAB, Microsoft's cloud) and on GPU clusters' series
without labels, both counting half; on the other half of the labelled series less time lies above each score.
"""

import numpy as np

_SHARES = np.array([1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002])
_DEVIATIONS = np.array([0.0, 0.09, 0.41, 0.8, 1.53, 3.46, 5.02, 6.9, 13.3, 24.1, 52.2, 114.0])
_STILL_SHARES = np.array([1.0, 0.014, 0.0013, 0.0002])
_STILLS = np.array([0.0, 2.0, 4.0, 8.0])

BAND_DEVIATION = 1.53
"""What 5 % of normal time exceeds, as 5 % should exceed a 95 % band."""


def score_of(deviation: float) -> float:
    """1 less the share of normal time that deviates as much, in [0, 1)."""
    return _score(deviation, _DEVIATIONS, _SHARES)


def still_score_of(still: float) -> float:
    """The same for the time without a change, over the longest that was usual."""
    return _score(still, _STILLS, _STILL_SHARES)


def _score(value: float, values: np.ndarray, shares: np.ndarray) -> float:
    share = 10 ** float(np.interp(value, values, np.log10(shares)))
    if value > values[-1]:
        share *= float(values[-1]) / value
    return round(1.0 - share, 6)
