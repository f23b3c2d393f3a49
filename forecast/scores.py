"""How good forecasts were, in the measures of the field; every function takes many windows at once.

Shapes: n windows of h hours; ``actual`` is [n, h] with NaN for hours that nobody measured, which count nowhere;
``quantiles`` is [n, h, 5] at ``LEVELS``. Probabilities and outcomes are [n].
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
BAND_80, BAND_95 = (1, 3), (0, 4)
"""Places in ``LEVELS`` of a band's edges."""
SEASON_HOURS = 24
SCALE_FLOOR = 1e-3
SMALLEST_SCALE = 1e-9
LARGEST = 20.0
BINS = 10


def mase_scale(history: Floats) -> Floats:
    """The in-sample error of 'same hour yesterday', never under 0.1 % of the mean, nor 1e-9, [n].

    Hyndman and Koehler, Another look at measures of forecast accuracy, International Journal of Forecasting 2006.

    Args:
        history: [n, hours] before the origin, NaN where missing; NaN comes back where no two hours lie a day apart.
    """
    apart = _mean(np.abs(history[:, SEASON_HOURS:] - history[:, :-SEASON_HOURS]))
    floor = np.maximum(SCALE_FLOOR * np.abs(_mean(history)), SMALLEST_SCALE)
    return np.asarray(np.maximum(apart, floor))


def mase(point: Floats, actual: Floats, scale: Floats) -> Floats:
    """Mean absolute scaled error of each window, 20 at most, [n]; NaN where nothing was measured."""
    return _capped(_mean(np.abs(point - actual)), scale)


def pinball(quantiles: Floats, actual: Floats, levels: Sequence[float] = LEVELS) -> Floats:
    """Quantile loss, [n, h, levels]: the error times its quantile's level, or what the level leaves of 1.

    Koenker and Bassett, Regression quantiles, Econometrica 1978.
    """
    error = actual[..., None] - quantiles
    level = np.asarray(levels)
    return np.asarray(np.maximum(level * error, (level - 1) * error))


def weighted_quantile_loss(quantiles: Floats, actual: Floats, levels: Sequence[float] = LEVELS) -> float:
    """Twice the quantile loss of all windows together, as a share of what was measured, averaged over the levels.

    NaN where nothing, or nothing but 0, was measured.

    Gasthaus et al., Probabilistic forecasting with spline quantile function RNNs, AISTATS 2019.
    """
    loss = 2 * pinball(quantiles, actual, levels).mean(axis=-1)
    size = np.nansum(np.abs(actual))
    return float(np.nansum(loss) / size) if size > 0 else float("nan")


def quantile_score(quantiles: Floats, actual: Floats, scale: Floats, levels: Sequence[float] = LEVELS) -> Floats:
    """Twice the mean quantile loss of each window in units of the MASE scale, 20 at most, [n]."""
    return _capped(_mean(2 * pinball(quantiles, actual, levels).mean(axis=-1)), scale)


def coverage(quantiles: Floats, actual: Floats, band: tuple[int, int]) -> Floats:
    """The share of each window's measured hours within a band, edges included, [n]."""
    low, high = (quantiles[..., place] for place in band)
    inside = ((actual >= low) & (actual <= high)).astype(np.float64)
    return _mean(np.where(np.isfinite(actual), inside, np.nan))


def brier(probability: Floats, happened: Flags) -> float:
    """Mean squared distance of what was said from what came.

    Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 1950.
    """
    return float(((probability - happened) ** 2).mean()) if probability.size else float("nan")


def auc(probability: Floats, happened: Flags) -> float:
    """How often what came was given more than what did not; ties count half. NaN where all or nothing came.

    Hanley and McNeil, The meaning and use of the area under a ROC curve, Radiology 1982.
    """
    came, stayed = int(happened.sum()), int((~happened).sum())
    if not came or not stayed:
        return float("nan")
    _, place, count = np.unique(probability, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2
    return float((rank[place][happened].sum() - came * (came + 1) / 2) / (came * stayed))


def calibration_error(probability: Floats, happened: Flags, bins: int = BINS) -> float:
    """Expected calibration error: over equal bins of probability, how far what was said is from what came.

    Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015.
    """
    if not probability.size:
        return float("nan")
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    said = np.bincount(place, weights=probability, minlength=bins)
    came = np.bincount(place, weights=happened.astype(np.float64), minlength=bins)
    return float(np.abs(said - came).sum() / probability.size)


def recall_at_precision(probability: Floats, happened: Flags, precision: float = 0.8) -> float:
    """The largest share of what came that one limit on the probability finds while so many warnings come true.

    NaN where nothing came, 0 where no limit is that precise.
    """
    if not happened.any():
        return float("nan")
    order = np.argsort(-probability, kind="stable")
    last_of_tie = np.append(np.diff(probability[order]) != 0, True)
    found = np.cumsum(happened[order])
    precise = last_of_tie & (found / np.arange(1, found.size + 1) >= precision)
    return float(found[precise].max(initial=0) / happened.sum())


def f1(warned: Flags, happened: Flags) -> float:
    """Harmonic mean of precision and recall; NaN where nothing was warned of and nothing came."""
    either = int(warned.sum() + happened.sum())
    return 2 * int((warned & happened).sum()) / either if either else float("nan")


def first_crossing(values: Floats, threshold: Floats) -> Floats:
    """The first hour at or above each window's threshold, counted from 0, [n]; NaN where there is none."""
    with np.errstate(invalid="ignore"):
        crossed = values >= threshold[:, None]
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1), np.nan)


def lead_time_error(expected: Floats, crossed: Floats) -> Floats:
    """Hours by which crossings were expected too late (above 0) or too early, of those both expected and seen."""
    both = np.isfinite(expected) & np.isfinite(crossed)
    return np.asarray(expected[both] - crossed[both])


def _capped(error: Floats, scale: Floats) -> Floats:
    return np.asarray(np.minimum(error / scale, LARGEST))


def _mean(values: Floats) -> Floats:
    """Over the last axis, of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
