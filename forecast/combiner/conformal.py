"""Intervals that hold: factors that widen or narrow what the net says, learned from series that it has not seen.

A net is too sure of series that wander off, and too unsure of those that keep coming back; how much a series wanders,
its movement over a week beside that over a day, chooses the factors. Split conformal prediction by group (Vovk,
Gammerman and Shafer, Algorithmic Learning in a Random World, 2005).
"""

import numpy as np

from forecast.grid import DAY_HOURS, WEEK_HOURS, Flags, Ints
from forecast.members.past import Past
from forecast.members.statistics import mean
from forecast.sources import Floats

MIDDLE = 2
BANDS = {0.95: (0, 4), 0.8: (1, 3)}
"""Which quantiles are the edges of which band."""
WANDER_EDGES = (1.0, 1.3, 1.7)
GROUPS = len(WANDER_EDGES) + 2
"""Up to each edge, beyond the last (a random walk has 2.6), and not known."""
FEWEST_WINDOWS = 30


def wander(past: Past) -> Floats:
    """Mean movement over a week beside that over a day, [n]; NaN with fewer than eight days."""
    values = past.values

    def moved(hours: int) -> Floats:
        return mean(np.abs(values[:, hours:] - values[:, :-hours]))

    known = np.isfinite(values[:, -WEEK_HOURS - DAY_HOURS])
    day = moved(DAY_HOURS)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(day > 0, moved(WEEK_HOURS) / day, 1.0)
    return np.where(known, ratio, np.nan)


def group_of(wandering: Floats) -> Ints:
    """The group of each series, [n]."""
    groups = np.searchsorted(np.array(WANDER_EDGES), np.nan_to_num(wandering), side="left")
    return np.where(np.isfinite(wandering), groups, GROUPS - 1)


def widened(quantiles: Floats, factors: Floats) -> Floats:
    """Quantiles whose distances from the middle are multiplied, in their order again, [n, 72, 5].

    Args:
        quantiles: [n, 72, 5].
        factors: [n, 2] of the 95 % and the 80 % band.
    """
    middle = quantiles[..., MIDDLE]
    result = quantiles.copy()
    for place, edges in enumerate(BANDS.values()):
        for edge in edges:
            result[..., edge] = middle + (quantiles[..., edge] - middle) * factors[:, place, None]
    result[..., 0] = np.minimum(result[..., 0], result[..., 1])
    result[..., 4] = np.maximum(result[..., 4], result[..., 3])
    return result


def learned(quantiles: Floats, actual: Floats, groups: Ints, weights: Floats) -> Floats:
    """The factors of each group, [groups, 2], from windows that the net had not been trained on.

    An hour's score in a band is how many times the distance from the middle to the band's edge on its side the actual
    value lay away; the band's factor is the score's quantile at the band's level, and a little beyond: n windows stand
    for the n + 1st at level (1 + 1 / n) times that. Groups of fewer than 30 windows take the factors of all.

    Args:
        quantiles: [n, 72, 5].
        actual: [n, 72], NaN where not known.
        groups: [n].
        weights: [n] how much each window counts.
    """
    table = np.empty((GROUPS, len(BANDS)))
    for place, (level, (low, high)) in enumerate(BANDS.items()):
        middle = quantiles[..., MIDDLE]
        edge = np.where(actual < middle, quantiles[..., low], quantiles[..., high])
        scores = np.abs(actual - middle) / np.maximum(np.abs(edge - middle), 1e-12)
        for group in range(GROUPS):
            rows = groups == group
            rows = rows if rows.sum() >= FEWEST_WINDOWS else np.ones_like(rows)
            table[group, place] = _quantile(scores, weights, rows, level * (1 + 1 / rows.sum()))
    return table


def _quantile(scores: Floats, weights: Floats, rows: Flags, level: float) -> float:
    values = scores[rows].ravel()
    weight = np.repeat(weights[rows], scores.shape[1])
    known = np.isfinite(values)
    order = np.argsort(values[known])
    reached = np.cumsum(weight[known][order])
    at = int(np.searchsorted(reached, level * reached[-1]))
    return float(values[known][order][min(at, order.size - 1)])
