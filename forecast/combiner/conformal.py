"""Intervals that hold: factors that widen or narrow what the net says, from windows that it had not been trained on.

The net's quantiles are too narrow where a series behaves unlike those it has seen, and that shows in the series itself:
the share of the last 72 hours that fell outside the 80 % band given for them, its miss rate, chooses the factors.
Split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005), by group.
"""

import numpy as np

from forecast.combiner.net import LEVELS
from forecast.grid import Ints
from forecast.sources import Floats

LOW80, MIDDLE, HIGH80 = 1, 2, 3
MISS_EDGES = (0.1, 0.25, 0.5)
GROUPS = len(MISS_EDGES) + 2
"""Miss rates up to each edge, beyond the last, and not known."""
EDGES = (0, 1, 3, 4)
"""The quantiles that are scaled; the middle one stays."""
FEWEST_WINDOWS = 30


def group_of(miss_rates: Floats) -> Ints:
    """The group of each series, [n], by its miss rate; NaN where it is not known."""
    groups = np.searchsorted(np.array(MISS_EDGES), np.nan_to_num(miss_rates), side="left")
    return np.where(np.isfinite(miss_rates), groups, GROUPS - 1)


def miss_rate(quantiles: Floats, actual: Floats) -> Floats:
    """Share of hours outside the 80 % band, [n]."""
    outside = (actual < quantiles[..., LOW80]) | (actual > quantiles[..., HIGH80])
    return np.asarray(outside.mean(axis=1))


def widened(quantiles: Floats, factors: Floats) -> Floats:
    """Quantiles whose distances from the middle are multiplied, in their order again, [n, 72, 5].

    Args:
        quantiles: [n, 72, 5].
        factors: [n, 4] of the four outer ones.
    """
    middle = quantiles[..., MIDDLE : MIDDLE + 1]
    result = quantiles.copy()
    result[..., EDGES] = middle + (quantiles[..., EDGES] - middle) * factors[:, None]
    result[..., 0] = np.minimum(result[..., 0], result[..., 1])
    result[..., 4] = np.maximum(result[..., 4], result[..., 3])
    return result


def learned(quantiles: Floats, actual: Floats, miss_rates: Floats, weights: Floats) -> Floats:
    """The factors of each group, [groups, 4], from windows that the net had not been trained on.

    An edge's score is how many times its distance from the middle the actual value lay out that way; its factor is the
    score's quantile at the edge's level. Groups of fewer than 30 windows take the factors of all.

    Args:
        quantiles: [n, 72, 5].
        actual: [n, 72], NaN where not known.
        miss_rates: [n], NaN where not known.
        weights: [n] how much each window counts.
    """
    groups = group_of(miss_rates)
    scores = _scores(quantiles, actual)
    everywhere = np.ones(groups.size, dtype=np.bool_)
    pooled = _factors(scores, weights, everywhere)
    table = [
        _factors(scores, weights, groups == group) if (groups == group).sum() >= FEWEST_WINDOWS else pooled
        for group in range(GROUPS)
    ]
    return np.stack(table)


def _scores(quantiles: Floats, actual: Floats) -> Floats:
    """[n, 72, 4]; 0 on the other side of the middle."""
    middle = quantiles[..., MIDDLE]
    distance = np.abs(quantiles[..., EDGES] - middle[..., None])
    side = np.array([-1.0, -1.0, 1.0, 1.0])
    out = np.maximum((actual - middle)[..., None] * side, 0.0)
    return np.asarray(out / np.maximum(distance, 1e-12))


def _factors(scores: Floats, weights: Floats, rows: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> Floats:
    found = []
    for place, edge in enumerate(EDGES):
        level = max(LEVELS[edge], 1 - LEVELS[edge])
        values = scores[rows, :, place].ravel()
        weight = np.repeat(weights[rows], scores.shape[1])
        known = np.isfinite(values)
        order = np.argsort(values[known])
        reached = np.cumsum(weight[known][order])
        at = np.searchsorted(reached, level * reached[-1])
        found.append(float(values[known][order][min(at, order.size - 1)]))
    return np.array(found)
