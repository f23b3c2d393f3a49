"""Many histories forecast at once, with Prophet's model beside ours."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from forecast.breach import crossing
from forecast.combiner import Combination
from forecast.grid import Grid
from forecast.methods import METHODS, Ask, Told
from forecast.models import Method
from forecast.models.base import LEVELS, Prediction
from forecast.models.prophet_map import Fits, fit_many
from forecast.reference import PARTS, Reference
from forecast.settings import Statistic
from forecast.sources import Floats

log = logging.getLogger(__name__)

_EDGES = dict(zip(LEVELS, (0, 1, 3, 4), strict=True))
_MIDDLE = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What a batch says of one history.

    Attributes:
        model: whose the prediction is.
        prediction: None where our rule failed, or none was asked.
        curve: [72] the probability to have reached the limit by the end of each hour; None where the combiner has
            nothing to say of it.
        prophet: None where the history is too short for Prophet's model, or it failed.
        reason: what failed.
        widening: what the 95 % and the 80 % band were multiplied by.
        demand: the demand expected behind a level that is capped; empty where nothing was capped.
    """

    model: str = ""
    prediction: Prediction | None = None
    curve: Floats | None = None
    prophet: Reference | None = None
    reason: str = ""
    widening: tuple[float, float] = (1.0, 1.0)
    demand: tuple[float, ...] = ()


@dataclass(slots=True)
class Batch:
    """Histories that end together.

    Attributes:
        asks: the histories, and what is asked of each.
        method: the rule that is asked; None where Prophet's model alone is wanted.
    """

    asks: list[Ask] = field(default_factory=list)
    method: Method | None = "combiner"

    def answers(self) -> list[Answer]:
        """One for each history, in order; a history that breaks the batch is alone in failing."""
        found: list[Answer] = [Answer()] * len(self.asks)
        for statistic in {ask.statistic for ask in self.asks}:
            rows = [row for row, ask in enumerate(self.asks) if ask.statistic == statistic]
            for row, answer in zip(rows, self._answered([self.asks[row] for row in rows], statistic), strict=True):
                found[row] = answer
        return found

    def _answered(self, asks: Sequence[Ask], statistic: Statistic) -> list[Answer]:
        try:
            return _made(asks, statistic, self.method)
        except Exception as error:  # a number that linear algebra cannot take must cost one series, not all
            if len(asks) == 1:
                log.warning("a rule failed", extra={"rule": self.method}, exc_info=True)
                return [Answer(reason=f"{self.method}: {error or type(error).__name__}")]
        middle = len(asks) // 2
        return self._answered(asks[:middle], statistic) + self._answered(asks[middle:], statistic)


def _made(asks: Sequence[Ask], statistic: Statistic, method: Method | None) -> list[Answer]:
    grid = Grid.of(asks[0].history.end_ms, [ask.history.values for ask in asks])
    fits = fit_many(grid)
    references = _references(fits)
    if method is None:
        return [Answer(prophet=reference) for reference in references]
    told = METHODS[method](asks, grid, fits, statistic)
    curves = [None] * len(asks) if told.heard is None else _curves(asks, *told.heard, statistic)
    return [_answer(told, row, curves[row], reference) for row, reference in enumerate(references)]


def _answer(told: Told, row: int, curve: Floats | None, prophet: Reference | None) -> Answer:
    quantiles, demand = told.quantiles[row], told.demand[row]
    return Answer(
        "fill" if told.heard is None else "combiner",
        Prediction(quantiles[:, _MIDDLE], {name: quantiles[:, edge] for name, edge in _EDGES.items()}),
        curve,
        prophet,
        widening=(float(told.widening[row, 0]), float(told.widening[row, 1])),
        demand=() if demand is None else tuple(demand.tolist()),
    )


def _curves(asks: Sequence[Ask], grid: Grid, combination: Combination, statistic: Statistic) -> list[Floats | None]:
    found: list[Floats | None] = [None] * len(asks)
    for below in (False, True):
        rows = [row for row, ask in enumerate(asks) if ask.limit is not None and ask.below == below]
        limits = np.array([asks[row].limit for row in rows], dtype=np.float64)
        told = crossing(grid, combination, np.array(rows, dtype=np.int64), limits, statistic, falling=below)
        for row, curve in zip(rows, told.curve, strict=True):
            found[row] = curve
    return found


def _references(fits: Fits) -> list[Reference | None]:
    parts = {name: fits.component(name) for name in PARTS}
    found: list[Reference | None] = []
    for row in range(fits.design.size):
        rows = {name: part[row] for name, part in parts.items()}
        usable = all(np.isfinite(values).all() for values in rows.values())
        told = {name: values.tolist() for name, values in rows.items()}
        found.append(Reference.of(told, fits.changepoints(row)) if usable else None)
    return found
