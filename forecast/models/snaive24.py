"""Same hour yesterday, with the errors that the same rule made inside the history as its interval."""

from typing import ClassVar

import numpy as np

from forecast.models.base import LEVELS, NotEnoughHistoryError, Prediction, widening
from forecast.prepare import History, bridged
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

DAY_HOURS = 24
LOOK_BACK_DAYS = 7
FEWEST_ERRORS = 24
SPREAD_HOURS = 96


class SeasonalNaive:
    """Repeats the last day, hour by hour; where yesterday is missing, the day before, up to a week."""

    name: ClassVar[str] = "snaive24"
    needs_hours: ClassVar[int] = DAY_HOURS

    def predict(self, history: History) -> Prediction:
        """The next 72 hours.

        Raises:
            NotEnoughHistoryError: an hour of the day has no value in the last week.
        """
        values = bridged(history.values)
        mean = np.tile(_last_day(values), HORIZON_HOURS // DAY_HOURS)
        offsets = _error_quantiles(values)
        bands = {name: mean + np.repeat(offsets[name], DAY_HOURS) for name in LEVELS}
        return Prediction(mean, bands)


def _last_day(values: Floats) -> Floats:
    """The 24 hours to repeat, the first for the hour after the history's end."""
    padding = (-values.size) % DAY_HOURS
    days = np.concatenate([np.full(padding, np.nan), values]).reshape(-1, DAY_HOURS)
    day = np.full(DAY_HOURS, np.nan)
    for row in days[::-1][:LOOK_BACK_DAYS]:
        day = np.where(np.isfinite(day), day, row)
    missing = int(np.isnan(day).sum())
    if missing:
        raise NotEnoughHistoryError(
            f"{missing} of the 24 hours of the day have no value in the last {LOOK_BACK_DAYS} days"
        )
    return day


def _error_quantiles(values: Floats) -> dict[str, Floats]:
    """For each band edge its distance from the expected value, 1, 2 and 3 days ahead.

    The rule's error d days ahead is the difference between values d days apart. Where the history has fewer than 24
    such pairs, all differences between its last values join them: what is known of a series whose days cannot be
    compared yet is how far it moves at all.
    """
    known = values[np.isfinite(values)][-SPREAD_HOURS:]
    spread = (known[:, None] - known[None, :]).ravel()
    edges: dict[str, list[float]] = {name: [] for name in LEVELS}
    for day in range(1, HORIZON_HOURS // DAY_HOURS + 1):
        lag = day * DAY_HOURS
        errors = values[lag:] - values[:-lag] if values.size > lag else np.empty(0)
        errors = errors[np.isfinite(errors)]
        if errors.size < FEWEST_ERRORS:
            errors = np.concatenate([errors, spread])
        for name, level in LEVELS.items():
            edges[name].append(_outward(errors, level))
    return {name: _monotone(np.array(edge), LEVELS[name]) for name, edge in edges.items()}


def _outward(errors: Floats, level: float) -> float:
    """The empirical quantile, rounded away from the middle."""
    return float(np.quantile(errors, level, method="lower" if level < 0.5 else "higher"))


def _monotone(edge: Floats, level: float) -> Floats:
    lower, upper = widening(edge, edge)
    return lower if level < 0.5 else upper
