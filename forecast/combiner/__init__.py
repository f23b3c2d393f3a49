"""The combiner: cheap members weighed by a small trained net into one forecast with calibrated quantiles."""

from dataclasses import dataclass

import numpy as np

from forecast.combiner import conformal, net, plain
from forecast.combiner.features import ORIGINS, Features, Looks, features
from forecast.combiner.net import LEVELS
from forecast.combiner.weights import Tensor, shipped
from forecast.grid import DAY_HOURS, Grid
from forecast.models.prophet_map import Fits
from forecast.settings import HORIZON_HOURS, Statistic
from forecast.sources import Floats

__all__ = ["LEVELS", "Combination", "combine"]

WEIGHTS = "combiner"
LOOK_BACK_HOURS = ORIGINS[0]
"""How many hours before the origin lies the forecast that is judged to choose the interval's factors."""


@dataclass(frozen=True, slots=True)
class Combination:
    """What the combiner says of n series.

    Attributes:
        quantiles: [n, 72, 5] at ``LEVELS``; monotone. The middle one is the point forecast.
        features: what the net saw; ``location`` and ``scale`` are in the unit of ``unit``.
        miss_rate: [n] share of the last 72 hours outside the 80 % band for them, NaN where no day came before.
        unit: [n] what the series were divided by.
        trained: whether the net spoke, and not the plain combination of members for want of weights.
    """

    quantiles: Floats
    features: Features
    miss_rate: Floats
    unit: Floats
    trained: bool


def combine(
    grid: Grid, statistic: Statistic = "mean", fits: Fits | None = None, *, trained: bool = True
) -> Combination:
    """Forecast every series of a grid.

    Args:
        grid: every series has at least one value in the last week.
        statistic: hourly mean, maximum or minimum, each with its own calibration.
        fits: Prophet's model of the same grid where it is fitted already.
        trained: whether to ask the net, where its weights are there; else the plain combination of members speaks.
    """
    found = shipped(WEIGHTS) if trained else None
    weights = found[0] if found is not None else None
    unit = np.nan_to_num(np.abs(grid.values)).max(axis=1, initial=0.0)
    unit = np.where(unit > 0, unit, 1.0)
    sign = -1.0 if statistic == "min" else 1.0
    looks = Looks(grid.within(sign * unit), None if fits is None else fits.within(sign * unit))
    now = features(looks)
    quantiles = _quantiles(now, weights)
    missed = _miss_rate(looks, weights)
    factors = _factors(weights, "mean" if statistic == "mean" else "max")[conformal.group_of(missed)]
    quantiles = conformal.widened(quantiles, factors)
    if sign < 0:
        quantiles = quantiles[..., ::-1]
    with np.errstate(over="ignore"):  # of huge values; who uses it sees that it is not finite
        quantiles = quantiles * (sign * unit)[:, None, None]
    return Combination(quantiles, now, missed, sign * unit, weights is not None)


def _quantiles(inputs: Features, weights: dict[str, Tensor] | None) -> Floats:
    """In units of the looks' grid, before calibration."""
    return inputs.restored(net.quantiles(weights, inputs) if weights is not None else plain.quantiles(inputs.tolerance))


def _miss_rate(looks: Looks, weights: dict[str, Tensor] | None) -> Floats:
    result = np.full(looks.grid.values.shape[0], np.nan)
    rows = np.flatnonzero(looks.grid.before(LOOK_BACK_HOURS).length >= DAY_HOURS)
    if rows.size:
        earlier = _quantiles(features(looks, LOOK_BACK_HOURS, rows), weights)
        result[rows] = conformal.miss_rate(earlier, looks.grid.bridged[rows, -HORIZON_HOURS:])
    return result


def _factors(weights: dict[str, Tensor] | None, statistic: str) -> Floats:
    if weights is None:
        return np.ones((conformal.GROUPS, len(conformal.EDGES)))
    return weights[f"factors.{statistic}"].astype(np.float64)
