"""The rules that forecast many histories at once, by how a capacity is used up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from collector.catalogue import Kind
from forecast import adaptive
from forecast.combiner import Combination, combine
from forecast.demand import capped, uncapped
from forecast.earlier import Earlier, tallies
from forecast.filling import fill_quantiles
from forecast.grid import Grid
from forecast.models import Method
from forecast.models.prophet_map import Fits
from forecast.prepare import History
from forecast.settings import Statistic
from forecast.sources import Floats

_MIDDLE = 2


@dataclass(frozen=True, slots=True)
class Ask:
    """One history to forecast.

    Attributes:
        history: what is known.
        statistic: which value of each hour it holds.
        kind: how the capacity is used up.
        limit: None where there is none to reach.
        below: whether it is reached by falling to it.
        cap: what the level cannot exceed.
        earlier: forecasts of the same series that were stored in the last weeks.
    """

    history: History
    statistic: Statistic
    kind: Kind = "gauge"
    limit: float | None = None
    below: bool = False
    cap: float = np.inf
    earlier: Sequence[Earlier] = field(default=())


@dataclass(frozen=True, slots=True)
class Told:
    """What a rule says of n histories.

    Attributes:
        quantiles: [n, 72, 5].
        widening: [n, 2] what their 95 % and 80 % bands were multiplied by.
        heard: what the combiner said, and of what; None where it was not asked about levels.
        demand: of each the 72 values expected of the demand behind a capped level; None where nothing was capped.
    """

    quantiles: Floats
    widening: Floats
    heard: tuple[Grid, Combination] | None
    demand: list[Floats | None]


def _combined(asks: Sequence[Ask], grid: Grid, fits: Fits | None, statistic: Statistic) -> Told:
    """The combiner, its bands by how earlier ones held."""
    combination = combine(grid, statistic, fits)
    measured = Grid.of(grid.end_ms, [ask.history.values for ask in asks])
    _, groups = np.unique([ask.kind for ask in asks], return_inverse=True)
    widening = adaptive.factors(tallies(measured, [ask.earlier for ask in asks]), groups)
    quantiles = adaptive.widened(adaptive.reaching(combination.quantiles, grid), widening)
    return Told(quantiles, widening, (grid, combination), [None] * len(asks))


def _demanded(asks: Sequence[Ask], grid: Grid, fits: Fits, statistic: Statistic) -> Told:
    """The combiner, of the demand where the level stood at its cap; the level is the demand up to the cap."""
    caps = np.array([ask.cap for ask in asks])
    at_cap = np.asarray(capped(grid, caps).any(axis=1))
    told = _combined(asks, uncapped(grid, caps), None if at_cap.any() else fits, statistic)
    demand = [told.quantiles[row, :, _MIDDLE] if at_cap[row] else None for row in range(len(asks))]
    return Told(np.minimum(told.quantiles, caps[:, None, None]), told.widening, told.heard, demand)


def _filled(asks: Sequence[Ask], grid: Grid, _fits: Fits, _statistic: Statistic) -> Told:
    """The rate, integrated; what runs out at the lower end is turned over."""
    side = np.where([ask.below for ask in asks], -1.0, 1.0)
    quantiles = fill_quantiles(Grid(grid.end_ms, side[:, None] * grid.values))
    turned = np.where(side[:, None, None] < 0, -quantiles[..., ::-1], quantiles)
    return Told(turned, np.ones((len(asks), len(adaptive.BANDS))), None, [None] * len(asks))


METHODS: dict[Method, Callable[[Sequence[Ask], Grid, Fits, Statistic], Told]] = {
    "combiner": _combined,
    "demand": _demanded,
    "fill": _filled,
}
"""Each is given histories that end together, their grid, Prophet's model of it, and which value of each hour it is."""
