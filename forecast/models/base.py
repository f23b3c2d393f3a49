"""What every model is given and hands back."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from forecast.prepare import History
from forecast.sources import Floats
from forewarn.base.errors import ForewarnError

LEVELS: dict[str, float] = {"p2.5": 0.025, "p10": 0.1, "p90": 0.9, "p97.5": 0.975}
"""The edges of the 80 % and the 95 % band."""


class ModelError(ForewarnError):
    """The model's answer is of no use."""


class NotEnoughHistoryError(ModelError):
    """The model has nothing to say about so little, or so sparse, a history."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Values that are physically possible."""

    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True, slots=True)
class Prediction:
    """The hours after the history's end: expected value and the bands' edges."""

    mean: Floats
    bands: dict[str, Floats]

    def tidy(self, bounds: Bounds) -> "Prediction":
        """The same within the bounds, the edges in their order around the expected value.

        Raises:
            ModelError: a value is not finite.
        """
        if not all(np.isfinite(values).all() for values in (self.mean, *self.bands.values())):
            raise ModelError("the model gave values that are not finite")
        mean = np.clip(self.mean, bounds.low, bounds.high)
        edges = {name: np.clip(values, bounds.low, bounds.high) for name, values in self.bands.items()}
        low80, high80 = np.minimum(edges["p10"], mean), np.maximum(edges["p90"], mean)
        return Prediction(
            mean,
            {
                "p2.5": np.minimum(edges["p2.5"], low80),
                "p10": low80,
                "p90": high80,
                "p97.5": np.maximum(edges["p97.5"], high80),
            },
        )


class Model(Protocol):
    """A way to forecast one series; it keeps no state."""

    name: ClassVar[str]
    needs_hours: ClassVar[int]

    def predict(self, history: History) -> Prediction:
        """The next 72 hours.

        Raises:
            NotEnoughHistoryError: this history does not allow it.
        """
        ...


def bounds_of(history: History, unit: str, ceiling: float | None = None) -> Bounds:
    """What the unit, the past and the whole capacity say is possible.

    Never below 0 where it never was, never over 1 for ratios, never over the ceiling where the past was not.
    """
    known = history.values[np.isfinite(history.values)]
    positive = known.size > 0 and known.min() >= 0 and unit != "celsius"
    ratio = unit == "ratio" and known.size > 0 and known.max() <= 1
    high = 1.0 if ratio else np.inf
    if ceiling is not None and known.size > 0 and known.max() <= ceiling:
        high = min(high, ceiling)
    return Bounds(0.0 if positive else -np.inf, high)


def last_known(history: History) -> tuple[float, int]:
    """The last value, and how many hours before the history's end it stands.

    Raises:
        NotEnoughHistoryError: there is no value.
    """
    known = np.flatnonzero(np.isfinite(history.values))
    if not known.size:
        raise NotEnoughHistoryError("no hour has a value")
    return float(history.values[known[-1]]), history.values.size - int(known[-1])


def widening(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """Offsets of a band's edges made monotone: what is further ahead is never more certain."""
    return np.minimum.accumulate(lower), np.maximum.accumulate(upper)
