"""The probability that a threshold is reached, from a forecast's quantiles and from the series' own past.

Two accounts of the time to the first crossing are joined. The forecast's: paths whose hours have the forecast's
distribution and hang together by a Gaussian copula (Sklar, 1959) with correlation 0.7 exp(-lag / 200 h) +
0.3 exp(-lag / 3 h). The series': of all 72 hours in its history that began on the same side of the threshold, how
many had reached it by then. The forecast's counts as much as four such windows that do not overlap, as the prior of a
beta-binomial would.
"""

from collections.abc import Iterator
from functools import cache
from statistics import NormalDist

import numpy as np

from forecast.grid import GRID_HOURS
from forecast.scores import LEVELS
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

METHOD = (
    "paths with the forecast's quantiles (Gaussian copula, correlation 0.7 exp(-lag/200h) + 0.3 exp(-lag/3h)) as a"
    " prior of 4 windows, joined with the share of the series' own past windows that crossed"
)
PATHS = 512
PAST_EVERY_HOURS = 6
PRIOR_WINDOWS = 4.0
SIDE_HOURS = 3
"""On which side of the threshold a window begins, the hours before it say."""
BATCH = 64
_SCORES = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
_FARTHEST = 6.0


def curves(quantiles: Floats, past: Floats, thresholds: Floats) -> Floats:
    """The probability to have risen to a threshold by the end of each hour, [n, 72].

    Args:
        quantiles: [n, 72, 5].
        past: [n, 672] hours before the origin, NaN where missing.
        thresholds: [n].
    """
    paths = _paths()
    found = [np.empty((0, HORIZON_HOURS))]
    for rows in _batches(thresholds.size):
        said = _reached(normal_scores(quantiles[rows], thresholds[rows]), paths)
        seen, windows = _seen(past[rows], thresholds[rows])
        found.append((seen + PRIOR_WINDOWS * said) / (windows + PRIOR_WINDOWS)[:, None])
    return np.concatenate(found)


def normal_scores(quantiles: Floats, thresholds: Floats) -> Floats:
    """Where each threshold lies in each hour's distribution, as a standard normal's quantile, [n, 72].

    Between the quantiles, and beyond the outer ones with the outer slopes, the score is a straight line.
    """
    spread = np.maximum(quantiles[..., -1:] - quantiles[..., :1], 1e-9 * (1 + np.abs(quantiles[..., 2:3])))
    apart = quantiles + 1e-6 * spread * np.arange(len(LEVELS))
    place = (thresholds[:, None, None] >= apart[..., 1:-1]).sum(axis=2)
    low, high = (np.take_along_axis(apart, (place + step)[..., None], axis=2)[..., 0] for step in (0, 1))
    share = (thresholds[:, None] - low) / (high - low)
    score = _SCORES[place] + share * (_SCORES[place + 1] - _SCORES[place])
    return np.asarray(np.clip(score, -_FARTHEST, _FARTHEST))


@cache
def _paths() -> Floats:
    """Standard normal paths, [512, 72], each with its mirror image; the same for all questions and at all times."""
    lag = np.abs(np.subtract.outer(np.arange(HORIZON_HOURS), np.arange(HORIZON_HOURS)))
    root = np.linalg.cholesky(0.7 * np.exp(-lag / 200) + 0.3 * np.exp(-lag / 3))
    half = np.random.default_rng(0).normal(size=(PATHS // 2, HORIZON_HOURS)) @ root.T
    return np.concatenate([half, -half])


def _reached(scores: Floats, paths: Floats) -> Floats:
    crossed = np.maximum.accumulate(paths[None] >= scores[:, None], axis=2)
    return np.asarray(crossed.mean(axis=1))


def _seen(past: Floats, thresholds: Floats) -> tuple[Floats, Floats]:
    """How many past windows had crossed by each hour, [n, 72], and how many there were, [n], in windows of 72 hours."""
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


def _batches(count: int) -> Iterator[slice]:
    for begin in range(0, count, BATCH):
        yield slice(begin, begin + BATCH)
