"""How well demand is seen behind a cap: measured series clipped, what was hidden beside what is said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from forecast import scores
from forecast.breach.paths import normal_scores
from forecast.combiner import combine
from forecast.demand import uncapped
from forecast.grid import GRID_HOURS, Grid
from forecast.members.statistics import mean
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats
from forecast.train.series import Hourly

EVERY_HOURS = 72
LONG_HOURS = 336
FEWEST_VALUES = 50
"""A series of few different values is clipped to nothing."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Windows of demand, [n, 672] before and [n, 72] after each origin."""

    past: Floats
    future: Floats


def hidden_windows(sets: Sequence[Hourly], most: int = 4) -> Hidden:
    """Up to ``most`` windows a series, the last first, with two weeks of history."""
    pasts, futures = [], []
    for one in sets:
        for origin in range(one.mean.size - HORIZON_HOURS, LONG_HOURS - 1, -EVERY_HOURS)[:most]:
            past, future = one.mean[max(0, origin - GRID_HOURS) : origin], one.mean[origin : origin + HORIZON_HOURS]
            known = np.isfinite(past)
            lively = np.unique(past[known]).size >= FEWEST_VALUES
            if (
                lively
                and past[known].min() >= 0
                and known.mean() >= 0.8
                and known[-1]
                and np.isfinite(future).mean() >= 0.9
            ):
                pasts.append(past)
                futures.append(future)
    return Hidden(Grid.of(0, pasts).values, np.stack(futures))


def hiding_figures(windows: Hidden, share: float) -> dict[str, dict[str, float]]:
    """What is said of levels clipped at a quantile of their past, by the capped level's forecast and by the demand's.

    Errors are in units of the MASE scale, 20 at most: of the demand in hours when it was over the cap, and of the
    level. The Brier score is that of the probability to stand at the cap, hour by hour.

    Args:
        windows: what is clipped.
        share: the quantile.
    """
    caps = np.nanquantile(windows.past, share, axis=1)
    clipped = Grid(0, np.minimum(windows.past, caps[:, None]))
    rules = {"level": combine(clipped).quantiles, "demand": combine(uncapped(clipped, caps)).quantiles}
    return {name: _figures(windows, caps, told) for name, told in rules.items()}


def _figures(windows: Hidden, caps: Floats, told: Floats) -> dict[str, float]:
    scale = scores.mase_scale(windows.past)[:, None]
    future, middle = windows.future, told[..., 2]
    over = future > caps[:, None]
    missed = np.minimum(np.abs(middle - future) / scale, scores.LARGEST)
    level = np.minimum(
        np.abs(np.minimum(middle, caps[:, None]) - np.minimum(future, caps[:, None])) / scale, scores.LARGEST
    )
    below = np.vectorize(NormalDist().cdf)(normal_scores(told, caps))
    brier = (1 - below - (future >= caps[:, None])) ** 2
    return {
        "hours_over": float(over.mean()),
        "demand_error_over": float(np.nanmean(missed[over])),
        "level_error": float(np.nanmean(mean(level))),
        "brier_at_cap": float(np.mean(brier[np.isfinite(future)])),
    }
