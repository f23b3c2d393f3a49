"""The probability that a threshold is reached, from a forecast's quantiles and from the series' own past.

Two accounts of the time to the first crossing. The forecast's: hours that have the forecast's distribution and hang
together by a normal copula (Sklar, 1959) with one factor that all share, of weight 0.62, and a rest that lasts for
hours: given the factor, hours are taken as independent, each counting as much as its extremal index leaves of it
(Leadbetter, 1983). The factor is integrated over by Gauss-Hermite quadrature. Beside 100,000 drawn paths of correlation
0.7 exp(-lag / 200 h) + 0.3 exp(-lag / 3 h) it errs by 0.02. The series': of its past windows of 72 hours, how many had
reached the threshold by then.
"""

from statistics import NormalDist

import numpy as np

from forecast.grid import GRID_HOURS
from forecast.scores import LEVELS
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

METHOD = (
    "the forecast's quantiles, hours hanging together by a one-factor normal copula, as a prior of 4 windows, joined"
    " with the share of the series' own past windows that crossed"
)
PAST_EVERY_HOURS = 6
PRIOR_WINDOWS = 4.0
SIDE_HOURS = 3
"""On which side of the threshold a window begins, the hours before it say."""
SHARED = 0.62
EXTREMAL_INDEX = 0.43
_NODES, _SHARES = np.polynomial.hermite_e.hermegauss(9)
_SHARES = _SHARES / _SHARES.sum()
_SCORES = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
_FARTHEST = 6.0


def curves(quantiles: Floats, past: Floats, thresholds: Floats) -> Floats:
    """The probability to have risen to a threshold by the end of each hour, [n, 72]: the forecast and the past joined.

    The forecast counts as much as four past windows that do not overlap, as the prior of a beta-binomial would.

    Args:
        quantiles: [n, 72, 5].
        past: [n, 672] hours before the origin, NaN where missing.
        thresholds: [n].
    """
    said = reached(normal_scores(quantiles, thresholds))
    seen, windows = _seen(past, thresholds)
    return np.asarray((seen + PRIOR_WINDOWS * said) / (windows + PRIOR_WINDOWS)[:, None])


def normal_scores(quantiles: Floats, thresholds: Floats) -> Floats:
    """Where each threshold lies in each hour's distribution, as a standard normal's quantile, [n, 72].

    Between the quantiles, and beyond the outer ones with the outer slopes, the score is a straight line.
    """
    spread = np.maximum(quantiles[..., -1:] - quantiles[..., :1], 1e-9 * (1 + np.abs(quantiles[..., 2:3])))
    apart = quantiles + 1e-6 * spread * np.arange(len(LEVELS))
    place = (thresholds[:, None, None] >= apart[..., 1:-1]).sum(axis=2)
    low, high = (np.take_along_axis(apart, (place + step)[..., None], axis=2)[..., 0] for step in (0, 1))
    with np.errstate(over="ignore"):  # of thresholds beyond all measure; the score is clipped
        share = (thresholds[:, None] - low) / (high - low)
    score = _SCORES[place] + share * (_SCORES[place + 1] - _SCORES[place])
    return np.asarray(np.clip(score, -_FARTHEST, _FARTHEST))


def log_below(scores: Floats) -> Floats:
    """The logarithm of the normal distribution function, to 0.0002.

    Page, Approximations to the cumulative normal function and its inverse, Applied Statistics 1977.
    """
    return np.asarray(-np.logaddexp(0.0, -scores * (1.5976 + 0.070565992 * scores**2)))


def reached(scores: Floats) -> Floats:
    """The probability that paths have risen to what lies at these scores by the end of each hour, [n, 72]."""
    given = (scores[:, None] - np.sqrt(SHARED) * _NODES[:, None]) / np.sqrt(1 - SHARED)
    below = log_below(given)
    below[..., 1:] *= EXTREMAL_INDEX
    return np.asarray(1 - np.einsum("k,nkh->nh", _SHARES, np.exp(np.cumsum(below, axis=2))))


def _seen(past: Floats, thresholds: Floats) -> tuple[Floats, Floats]:
    """How many past windows had crossed by each hour, [n, 72], and how many there were, [n], in windows of 72 hours.

    Those count that began on the same side of the threshold.
    """
    above = np.asarray(past >= thresholds[:, None])
    known = np.isfinite(past)
    now = above[:, -SIDE_HOURS:].any(axis=1)
    crossed = np.zeros((thresholds.size, HORIZON_HOURS))
    count = np.zeros(thresholds.size)
    for begin in range(GRID_HOURS - HORIZON_HOURS, SIDE_HOURS - 1, -PAST_EVERY_HOURS):
        window = slice(begin, begin + HORIZON_HOURS)
        alike = above[:, begin - SIDE_HOURS : begin].any(axis=1) == now
        usable = alike & (known[:, window].mean(axis=1) > 0.5) & known[:, begin - SIDE_HOURS : begin].any(axis=1)
        crossed += np.maximum.accumulate(above[:, window], axis=1) & usable[:, None]
        count += usable
    overlap = PAST_EVERY_HOURS / HORIZON_HOURS
    return crossed * overlap, count * overlap
