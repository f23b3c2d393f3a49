"""Many histories forecast at once by the combiner, with Prophet's model beside it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from forecast.breach import crossing
from forecast.combiner import Combination, combine
from forecast.grid import Grid
from forecast.models.base import LEVELS, Prediction
from forecast.models.prophet_map import Fits, fit_many
from forecast.prepare import History
from forecast.reference import PARTS, Reference
from forecast.settings import Statistic
from forecast.sources import Floats

log = logging.getLogger(__name__)

NAME = "combiner"
_EDGES = dict(zip(LEVELS, (0, 1, 3, 4), strict=True))
_MIDDLE = 2


@dataclass(frozen=True, slots=True)
class Ask:
    """One history to forecast.

    Attributes:
        history: what is known.
        statistic: which value of each hour it holds.
        limit: None where there is none to reach.
        below: whether it is reached by falling to it.
    """

    history: History
    statistic: Statistic
    limit: float | None = None
    below: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a batch says of one history.

    Attributes:
        prediction: None where the combiner failed.
        curve: [72] the probability to have reached the limit by the end of each hour; None without a limit or where
            the combiner failed.
        prophet: None where the history is too short for Prophet's model, or it failed.
        reason: what failed.
    """

    prediction: Prediction | None = None
    curve: Floats | None = None
    prophet: Reference | None = None
    reason: str = ""


@dataclass(slots=True)
class Batch:
    """Histories that end together.

    Attributes:
        asks: the histories, and what is asked of each.
        combined: whether ours is wanted too, and not Prophet's only.
    """

    asks: list[Ask] = field(default_factory=list)
    combined: bool = True

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
            return _made(asks, statistic, combined=self.combined)
        except Exception as error:  # a number that linear algebra cannot take must cost one series, not all
            if len(asks) == 1:
                log.warning("the combiner failed", exc_info=True)
                return [Answer(reason=f"{NAME}: {error or type(error).__name__}")]
        middle = len(asks) // 2
        return self._answered(asks[:middle], statistic) + self._answered(asks[middle:], statistic)


def _made(asks: Sequence[Ask], statistic: Statistic, *, combined: bool) -> list[Answer]:
    grid = Grid.of(asks[0].history.end_ms, [ask.history.values for ask in asks])
    fits = fit_many(grid)
    references = _references(fits)
    if not combined:
        return [Answer(prophet=reference) for reference in references]
    combination = combine(grid, statistic, fits)
    curves = _curves(asks, grid, combination, statistic)
    return [
        Answer(Prediction(told[:, _MIDDLE], {name: told[:, edge] for name, edge in _EDGES.items()}), curve, reference)
        for told, curve, reference in zip(combination.quantiles, curves, references, strict=True)
    ]


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
