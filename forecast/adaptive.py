"""Intervals that adapt: bands scaled by how the forecasts of the last weeks held, of the series and of those like it.

Every hour of an earlier forecast that is over has a score in each band: how many times the distance from the middle to
the band's edge the actual value lay away. The score's quantile at the band's level is the factor by which the band had
to be scaled to hold (split conformal prediction: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World,
2005); hours count less the longer they are past, so that the factor follows a series that changes (as in Barber,
Candes, Ramdas and Tibshirani, Conformal prediction beyond exchangeability, Annals of Statistics 2023). A series' own
factor is drawn towards that of the series of its group, and theirs towards 1, the more the fewer forecasts there are.
"""

import numpy as np

from forecast.combiner.conformal import BANDS, MIDDLE, widened
from forecast.grid import GRID_HOURS, Grid, Ints
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

__all__ = ["BANDS", "EVERY_HOURS", "LOOK_BACK_HOURS", "factors", "places", "reaching", "tally", "widened"]

EVERY_HOURS = 48
"""Earlier forecasts are looked at so far apart: those between them say the same again."""
LOOK_BACK_HOURS = GRID_HOURS
MEMORY_HOURS = 300.0
OWN_FORECASTS = 12.0
"""With so many forecasts of its own that do not overlap, half of a series' factor is its own."""
LIKE_SERIES = 10.0
"""With so many series in a group half of its logarithmic factor is believed."""
SMALLEST, LARGEST = 0.5, 3.0
YOUNG_HOURS, YOUNGEST_HOURS, YOUNG_SHARE = 168, 24, 0.5
"""The 95 % band of a day of history is half as wide again as one of a week's; between them, evenly less."""
REACH = 0.5
"""Of a series' standard deviation over four weeks the 95 % band reaches so much on either side at the least."""
_EDGES = np.geomspace(0.05, 20.0, 60)
BINS = _EDGES.size + 1
_LEVELS = np.array(list(BANDS))


def reaching(quantiles: Floats, grid: Grid) -> Floats:
    """The 95 % band made to reach what a series does now and then, or had not the time to do yet, [n, 72, 5].

    Levels that stand still for days and then jump have narrow bands, and are where bands fail most.
    """
    left = np.clip((YOUNG_HOURS - grid.length) / (YOUNG_HOURS - YOUNGEST_HOURS), 0.0, 1.0)
    factors = np.stack([1 + YOUNG_SHARE * left, np.ones(left.size)], axis=1)
    result = widened(quantiles, factors)
    known = grid.known
    count = np.maximum(known.sum(axis=1), 1)
    unit = np.where(known, np.abs(grid.values), 0.0).max(axis=1, initial=0.0)
    unit = np.where(unit > 0, unit, 1.0)  # squares of huge values would overflow
    values = np.where(known, grid.values / unit[:, None], 0.0)
    mean = values.sum(axis=1) / count
    variance = np.where(known, (values - mean[:, None]) ** 2, 0.0).sum(axis=1) / count
    reach = (REACH * np.sqrt(variance) * unit)[:, None]
    result[..., 0] = np.minimum(result[..., 0], result[..., MIDDLE] - reach)
    result[..., -1] = np.maximum(result[..., -1], result[..., MIDDLE] + reach)
    return result


def places(quantiles: Floats, actual: Floats) -> Ints:
    """In which bin the score of every hour lies, in both bands, [k, 72, 2]; -1 where there is none.

    Args:
        quantiles: [k, 72, 5].
        actual: [k, 72], NaN where not known.
    """
    middle = quantiles[..., MIDDLE]
    found = np.full((*actual.shape, len(BANDS)), -1, dtype=np.int64)
    moves = (quantiles[..., -1] > quantiles[..., 0]) & np.isfinite(actual)
    for band, (low, high) in enumerate(BANDS.values()):
        edge = np.where(actual < middle, quantiles[..., low], quantiles[..., high])
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.abs(actual - middle) / np.abs(edge - middle)
        found[..., band] = np.where(moves, np.searchsorted(_EDGES, np.nan_to_num(score)), -1)
    return found


def tally(places: Ints, age_hours: Ints, owner: Ints, count: int, memory_hours: float = MEMORY_HOURS) -> Floats:
    """How often scores lay in each bin, [count, 2, bins], in forecasts of 72 hours that do not overlap.

    Args:
        places: [k, 72, 2] as ``places`` gives them.
        age_hours: [k] how long ago each forecast began; its hours before now alone count.
        owner: [k] which of the ``count`` series it is of.
        count: of series.
        memory_hours: an hour so long past counts 1 / e.
    """
    ago = age_hours[:, None] - np.arange(HORIZON_HOURS)
    weight = np.where(ago > 0, np.exp(-ago / memory_hours), 0.0) * (EVERY_HOURS / HORIZON_HOURS**2)
    row = owner[:, None, None] * len(BANDS) + np.arange(len(BANDS))
    counted = (places >= 0) & (ago > 0)[..., None]
    place = (row * BINS + places)[counted]
    weights = np.broadcast_to(weight[..., None], places.shape)[counted]
    found = np.bincount(place, weights, count * len(BANDS) * BINS)
    return np.asarray(found, dtype=np.float64).reshape(count, len(BANDS), BINS)


def factors(tallies: Floats, groups: Ints, like: Floats | None = None) -> Floats:
    """What bands are to be multiplied by, [n, 2] of the 95 % and the 80 % band.

    Args:
        tallies: [n, 2, bins].
        groups: [n] series of one group are like each other.
        like: tallies by which groups are judged, where they are not the same.
    """
    shared = tallies if like is None else like
    own = tallies.sum(axis=2)
    found = np.zeros(own.shape)
    for group in np.unique(groups):
        rows = groups == group
        mine = np.log(_needed(tallies[rows]))
        found[rows] = (own[rows] * mine + OWN_FORECASTS * _like(shared[rows])) / (own[rows] + OWN_FORECASTS)
    return np.clip(np.exp(found), SMALLEST, LARGEST)


def _like(tallies: Floats) -> Floats:
    """The logarithmic factor of a group, [2]: each series counts the same."""
    total = tallies.sum(axis=2)
    known = total[:, 0] > 0
    count = int(known.sum())
    if not count:
        return np.zeros(len(BANDS))
    together = (tallies[known] / total[known, :, None]).sum(axis=0)
    return np.asarray(np.log(_needed(together[None]))[0] * count / (count + LIKE_SERIES))


def _needed(tallies: Floats) -> Floats:
    """The score below which the band's share of the hours lies, [n, 2]; 1 where there are none."""
    reached = np.cumsum(tallies, axis=2)
    wanted = _LEVELS * reached[..., -1]
    place = np.clip((reached < wanted[..., None]).sum(axis=2), 1, BINS - 2)[..., None]
    before, after = (np.take_along_axis(reached, place - step, axis=2)[..., 0] for step in (1, 0))
    share = np.clip((wanted - before) / np.maximum(after - before, 1e-12), 0.0, 1.0)
    low, high = _EDGES[place[..., 0] - 1], _EDGES[place[..., 0]]
    return np.where(wanted > 0, np.clip(low * (high / low) ** share, SMALLEST, LARGEST), 1.0)
