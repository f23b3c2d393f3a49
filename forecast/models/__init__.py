"""The models, and which of them a target gets."""

from forecast.models import prophet
from forecast.models.base import Model, NotEnoughHistoryError, Prediction, bounds_of
from forecast.models.fill import Fill
from forecast.models.prophet import ProphetModel
from forecast.models.prophet_map import ProphetMap
from forecast.models.snaive24 import SeasonalNaive

__all__ = ["FEWEST_HOURS", "Model", "NotEnoughHistoryError", "Prediction", "bounds_of", "candidates", "combined"]

FEWEST_HOURS = min(model.needs_hours for model in (SeasonalNaive, Fill, ProphetModel))


def combined(choice: str, kind: str) -> bool:
    """Whether a target of this kind gets the combiner's forecast."""
    return choice == "auto" and kind != "fill"


def candidates(choice: str, kind: str, hours: float, *, below: bool) -> tuple[list[Model], str]:
    """Models that take one target at a time, in the order in which they are tried, and why a better one is missing.

    Args:
        choice: ``auto`` (what the combiner leaves), ``prophet``, ``prophet_map`` or ``snaive24``.
        kind: how the capacity is used up.
        hours: length of the history.
        below: whether the capacity runs out at the lower end.
    """
    if choice == "auto":
        return [Fill(falling=below)] if kind == "fill" else [SeasonalNaive()], ""
    if choice == "snaive24" or hours < ProphetModel.needs_hours:
        return [SeasonalNaive()], ""
    own: list[Model] = [ProphetMap(), SeasonalNaive()]
    if choice == "prophet_map":
        return own, ""
    if not prophet.available():
        return own, "prophet is not installed (pip install 'forewarn[forecast]'); its model was fitted without it"
    return [ProphetModel(), *own], ""
