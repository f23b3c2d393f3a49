"""The combiner: cheap members weighed by a small trained net into one forecast with calibrated quantiles."""

from dataclasses import dataclass

import numpy as np

from forecast.combiner import conformal, net, plain
from forecast.combiner.features import Features, Looks, features
from forecast.combiner.net import LEVELS
from forecast.combiner.weights import Tensor, shipped
from forecast.grid import Grid, Halves
from forecast.members.past import Past
from forecast.models.prophet_map import Fits
from forecast.settings import Statistic
from forecast.sources import Floats

__all__ = ["LEVELS", "Combination", "combine"]

WEIGHTS = "combiner"


@dataclass(frozen=True, slots=True)
class Combination:
    """What the combiner says of n series.

    Attributes:
        quantiles: [n, 72, 5] at ``LEVELS``; monotone. The middle one is the point forecast.
        features: what the net saw, of the series divided by ``unit``.
        unit: [n] what the series were divided by; negative for minima, which are maxima turned over.
        trained: whether the net spoke, and not the plain combination of members for want of weights.
    """

    quantiles: Floats
    features: Features
    unit: Floats
    trained: bool


def combine(
    grid: Grid, statistic: Statistic = "mean", fits: Fits | None = None, *, trained: bool = True
) -> Combination:
    """Forecast every series of a grid.

    Args:
        grid: every series has at least one value in the last week.
        statistic: hourly mean, maximum or minimum; extremes have a calibration of their own.
        fits: Prophet's model of the same grid where it is fitted already.
        trained: whether to ask the net, where its weights are there; else the plain combination of members speaks.
    """
    found = shipped(WEIGHTS) if trained else None
    weights = found[0] if found is not None else None
    unit = np.nan_to_num(np.abs(grid.values)).max(axis=1, initial=0.0)
    unit = np.where(unit > 0, unit, 1.0) * (-1.0 if statistic == "min" else 1.0)
    scaled = grid.within(unit)
    inputs = features(Looks(scaled, None if fits is None else fits.within(unit)))
    quantiles = inputs.restored(_told(inputs, weights))
    if weights is not None:
        factors = weights["factors.mean" if statistic == "mean" else "factors.max"].astype(np.float64)
        quantiles = conformal.widened(quantiles, factors[conformal.group_of(conformal.wander(Past.of(scaled)))])
    if statistic == "min":
        quantiles = quantiles[..., ::-1]
    quantiles[scaled.still] = scaled.bridged[scaled.still, -1, None, None]  # what never moved goes on as it was
    with np.errstate(over="ignore"):  # of huge values; who uses it sees that it is not finite
        quantiles = quantiles * unit[:, None, None]
    return Combination(quantiles, inputs, unit, weights is not None)


def _told(inputs: Features, weights: dict[str, Tensor] | None) -> Halves | Floats:
    return plain.quantiles(inputs.tolerance) if weights is None else net.quantiles(weights, inputs)
