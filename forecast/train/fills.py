"""How well it is foretold when something is full: measured rates, cumulated as a disk would hold them.

No series of a disk with a known end is public; the rates are real, the disk is their sum. A window asks about eight
sizes, from 0.4 to 2 times what flows in over 72 hours at the mean rate of its past, so that about half fill up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from forecast import scores
from forecast.filling import fill_quantiles
from forecast.grid import GRID_HOURS, Grid
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats
from forecast.train.reading import Names
from forecast.train.series import SHORTEST_HOURS, Hourly

EVERY_HOURS = 72
SIZES = np.array([0.4, 0.6, 0.75, 0.9, 1.05, 1.2, 1.5, 2.0])
Rule = Callable[[Grid], Floats]
"""From a grid of levels the levels of the 72 hours ahead, [n, 72]."""


@dataclass(frozen=True, slots=True)
class Fills:
    """Windows of levels that fill.

    Attributes:
        grid: what was known.
        actual: [n, 72] what came.
        sizes: [n, 8] the levels asked about.
        source: [n] set.
        series: [n] set and name.
    """

    grid: Grid
    actual: Floats
    sizes: Floats
    source: Names
    series: Names


def fill_windows(sets: Sequence[Hourly], most: int = 6) -> Fills:
    """Up to ``most`` windows a series, the last first, of series that are never negative and do not stand still."""
    pasts, futures, names = [], [], []
    for one in sets:
        rate = one.mean
        if np.nanmin(rate) < 0 or np.nanmax(rate) == np.nanmin(rate):
            continue
        level = np.where(np.isfinite(rate), np.cumsum(np.nan_to_num(rate)), np.nan)
        for origin in range(rate.size - HORIZON_HOURS, SHORTEST_HOURS - 1, -EVERY_HOURS)[:most]:
            past, future = level[max(0, origin - GRID_HOURS) : origin], level[origin : origin + HORIZON_HOURS]
            known = np.isfinite(past)
            if np.isfinite(future).mean() >= 0.9 and known.mean() >= 0.8 and known[-1] and past[known][0] < past[-1]:
                pasts.append(past)
                futures.append(future)
                names.append((one.source, f"{one.source}/{one.name}"))
    grid = Grid.of(0, pasts)
    filled = grid.bridged
    begin = np.take_along_axis(filled, np.isfinite(filled).argmax(axis=1)[:, None], axis=1)
    rate = (filled[:, -1:] - begin) / np.maximum(grid.length[:, None] - 1, 1)
    source, series = (np.array(column) for column in zip(*names, strict=True))
    return Fills(grid, np.stack(futures), filled[:, -1:] + SIZES * HORIZON_HOURS * rate, source, series)


def ours(grid: Grid) -> Floats:
    """What the rule that serves expects."""
    return fill_quantiles(grid)[..., 2]


def fill_figures(found: Fills, rule: Rule = ours) -> dict[str, float]:
    """F1 of 'full within 72 h', and by how many hours the time was missed.

    Of all sizes that were filled, one that was not foretold counts as foretold for the horizon's end; of those
    foretold and filled, the times as they are.
    """
    levels = rule(found.grid)
    told, came = (
        np.stack([scores.first_crossing(path, size) for size in found.sizes.T], axis=1)
        for path in (levels, found.actual)
    )
    full, both = np.isfinite(came), np.isfinite(came) & np.isfinite(told)
    missed = np.abs(np.where(np.isfinite(told), told, HORIZON_HOURS) - came)
    return {
        "asked": float(came.size),
        "filled": float(full.mean()),
        "f1": scores.f1(np.isfinite(told), full),
        "hours_median": float(np.median(missed[both])),
        "hours_p90": float(np.quantile(missed[both], 0.9)),
        "hours_median_of_all": float(np.median(missed[full])),
        "hours_p90_of_all": float(np.quantile(missed[full], 0.9)),
    }
