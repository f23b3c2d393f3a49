"""The models, and which of them a target gets."""

from typing import Literal

from forecast.models import prophet
from forecast.models.base import Model, NotEnoughHistoryError, Prediction, bounds_of
from forecast.models.prophet import ProphetModel
from forecast.models.prophet_map import ProphetMap
from forecast.models.snaive24 import SeasonalNaive

__all__ = [
    "Method",
    "Model",
    "NotEnoughHistoryError",
    "Prediction",
    "bounds_of",
    "candidates",
    "fewest_hours",
    "method",
]

Method = Literal["combiner", "demand", "fill"]
"""The rules that take many targets at once: of levels, of levels that are capped, and of what fills up."""
FILL_HOURS = 6
"""A rate is known sooner than a day's shape."""
_METHODS: dict[str, Method] = {"saturated": "demand", "fill": "fill"}


def method(choice: str, kind: str) -> Method | None:
    """Which rule for many targets a target of this kind gets; None where a single model was chosen."""
    if choice != "auto":
        return None
    return _METHODS.get(kind, "combiner")


def fewest_hours(choice: str, kind: str) -> int:
    """Below so much history there is no forecast."""
    if method(choice, kind) == "fill":
        return FILL_HOURS
    return min(model.needs_hours for model in (SeasonalNaive, ProphetModel))


def candidates(choice: str, hours: float) -> tuple[list[Model], str]:
    """Models that take one target at a time, in the order in which they are tried, and why a better one is missing.

    Args:
        choice: ``auto`` (where a rule for many failed), ``prophet``, ``prophet_map`` or ``snaive24``.
        hours: length of the history.
    """
    if choice == "auto":
        return [SeasonalNaive()], ""
    if choice == "snaive24" or hours < ProphetModel.needs_hours:
        return [SeasonalNaive()], ""
    own: list[Model] = [ProphetMap(), SeasonalNaive()]
    if choice == "prophet_map":
        return own, ""
    if not prophet.available():
        return own, "prophet is not installed (pip install 'forewarn[forecast]'); its model was fitted without it"
    return [ProphetModel(), *own], ""
