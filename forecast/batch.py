"""Many histories forecast at once by the combiner, with Prophet's model beside it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from forecast.combiner import combine
from forecast.grid import Grid
from forecast.models.base import LEVELS, Prediction
from forecast.models.prophet_map import Fits, fit_many
from forecast.prepare import History
from forecast.reference import PARTS, Reference
from forecast.settings import Statistic

log = logging.getLogger(__name__)

NAME = "combiner"
_EDGES = dict(zip(LEVELS, (0, 1, 3, 4), strict=True))
_MIDDLE = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What a batch says of one history.

    Attributes:
        prediction: None where the combiner failed.
        prophet: None where the history is too short for Prophet's model, or it failed.
        reason: what failed.
    """

    prediction: Prediction | None = None
    prophet: Reference | None = None
    reason: str = ""


@dataclass(slots=True)
class Batch:
    """Histories that end together.

    Attributes:
        histories: each with the statistic that it is of.
        combined: whether ours is wanted too, and not Prophet's only.
    """

    histories: list[tuple[History, Statistic]] = field(default_factory=list)
    combined: bool = True

    def answers(self) -> list[Answer]:
        """One for each history, in order; a history that breaks the batch is alone in failing."""
        found: list[Answer] = [Answer()] * len(self.histories)
        for statistic in {statistic for _, statistic in self.histories}:
            rows = [row for row, (_, one) in enumerate(self.histories) if one == statistic]
            histories = [self.histories[row][0] for row in rows]
            for row, answer in zip(rows, self._answered(histories, statistic), strict=True):
                found[row] = answer
        return found

    def _answered(self, histories: Sequence[History], statistic: Statistic) -> list[Answer]:
        try:
            return _made(histories, statistic, combined=self.combined)
        except Exception as error:  # a number that linear algebra cannot take must cost one series, not all
            if len(histories) == 1:
                log.warning("the combiner failed", exc_info=True)
                return [Answer(reason=f"{NAME}: {error or type(error).__name__}")]
        middle = len(histories) // 2
        return self._answered(histories[:middle], statistic) + self._answered(histories[middle:], statistic)


def _made(histories: Sequence[History], statistic: Statistic, *, combined: bool) -> list[Answer]:
    grid = Grid.of(histories[0].end_ms, [history.values for history in histories])
    fits = fit_many(grid)
    references = _references(fits)
    if not combined:
        return [Answer(None, reference) for reference in references]
    quantiles = combine(grid, statistic, fits).quantiles
    return [
        Answer(Prediction(told[:, _MIDDLE], {name: told[:, edge] for name, edge in _EDGES.items()}), reference)
        for told, reference in zip(quantiles, references, strict=True)
    ]


def _references(fits: Fits) -> list[Reference | None]:
    parts = {name: fits.component(name) for name in PARTS}
    found: list[Reference | None] = []
    for row in range(fits.design.size):
        rows = {name: part[row] for name, part in parts.items()}
        usable = all(np.isfinite(values).all() for values in rows.values())
        told = {name: values.tolist() for name, values in rows.items()}
        found.append(Reference.of(told, fits.changepoints(row)) if usable else None)
    return found
