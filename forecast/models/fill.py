"""What fills up: the rate of growth by hour of the day, integrated from the last value.

Clean-ups (a log rotation, a deleted checkpoint) are steps against the direction of growth that are far larger than
its usual steps; they are left out of the rate, and stay in the errors that the interval is made of.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from forecast.models.base import LEVELS, NotEnoughHistoryError, Prediction, last_known, widening
from forecast.prepare import LONGEST_BRIDGE_HOURS, History, bridged
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

DAY_HOURS = 24
RATE_HOURS = 7 * DAY_HOURS
CLEANUP_STEPS = 6.0
ORIGIN_EVERY_HOURS = 6
FEWEST_ORIGINS = 10
_NORMAL = {"p2.5": -1.95996, "p10": -1.28155, "p90": 1.28155, "p97.5": 1.95996}


@dataclass(frozen=True, slots=True)
class Fill:
    """Rate by hour of day over 7 days, integrated.

    Attributes:
        falling: whether filling up means falling values (bytes available).
    """

    name: ClassVar[str] = "fill"
    needs_hours: ClassVar[int] = DAY_HOURS
    falling: bool = False

    def predict(self, history: History) -> Prediction:
        """The next 72 hours.

        Raises:
            NotEnoughHistoryError: less than half a day of hourly steps.
        """
        last, ago = last_known(history)
        values = bridged(history.values)
        steps = np.diff(values)
        cleanups = find_cleanups(steps, falling=self.falling)
        growth = np.where(cleanups, np.nan, steps)
        known = growth[-RATE_HOURS:][np.isfinite(growth[-RATE_HOURS:])]
        if known.size < DAY_HOURS // 2:
            raise NotEnoughHistoryError(f"only {known.size} hourly steps are known, {DAY_HOURS // 2} are needed")
        path = _integrated(growth, values.size - ago + 1, ago - 1 + HORIZON_HOURS)
        mean = last + path[ago - 1 :]
        return Prediction(mean, _bands(mean, values, growth, known))


def find_cleanups(steps: Floats, *, falling: bool = False) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which hourly steps are clean-ups: against the growth, and over six times the usual step's size."""
    signed = -steps if falling else steps
    sizes = np.abs(signed[np.isfinite(signed) & (signed != 0)])
    usual = float(np.median(sizes)) if sizes.size else 0.0
    with np.errstate(invalid="ignore"):
        return np.asarray(signed < -CLEANUP_STEPS * usual) & np.isfinite(signed) & (signed < 0)


def _integrated(growth: Floats, position: int, hours: int) -> Floats:
    """Growth accumulated over ``hours`` after the value at ``position`` - 1, by the rates of the week before it.

    ``growth[i]`` is the step from value i to value i + 1, so what is known at ``position`` are the steps before it.
    """
    past = growth[max(0, position - 1 - RATE_HOURS) : position - 1]
    offset = position - 1 - past.size
    clock = (np.arange(past.size) + offset) % DAY_HOURS
    seen = np.isfinite(past)
    counts = np.bincount(clock[seen], minlength=DAY_HOURS)
    sums = np.bincount(clock[seen], weights=past[seen], minlength=DAY_HOURS)
    overall = float(past[seen].mean()) if seen.any() else 0.0
    rates = np.where(counts > 0, sums / np.maximum(counts, 1), overall)
    return np.cumsum(rates[(np.arange(hours) + position - 1) % DAY_HOURS])


def _bands(mean: Floats, values: Floats, growth: Floats, known: Floats) -> dict[str, Floats]:
    """The wider of two: a random walk with drift, and the errors of the same rule inside the history.

    The first is Hyndman and Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), table 5.2: the drift
    method's variance, sigma^2 h (1 + h / n).
    """
    ahead = np.arange(1, HORIZON_HOURS + 1)
    sigma = float(known.std())
    walk = sigma * np.sqrt(ahead * (1 + ahead / known.size))
    errors = _past_errors(values, growth)
    bands = {}
    for name, level in LEVELS.items():
        offset = _NORMAL[name] * walk
        if errors.shape[0] >= FEWEST_ORIGINS:
            edge = _outward(errors, level)
            lower, upper = widening(edge, edge)
            offset = np.minimum(offset, lower) if level < 0.5 else np.maximum(offset, upper)
        bands[name] = mean + offset
    return bands


def _past_errors(values: Floats, growth: Floats) -> Floats:
    """Errors of the same rule from origins every six hours: one row an origin, one column an hour ahead."""
    origins = range(values.size - LONGEST_BRIDGE_HOURS, DAY_HOURS, -ORIGIN_EVERY_HOURS)
    rows = []
    for position in origins:
        start = values[position - 1]
        if not np.isfinite(start):
            continue
        actual = np.full(HORIZON_HOURS, np.nan)
        future = values[position : position + HORIZON_HOURS]
        actual[: future.size] = future
        rows.append(actual - start - _integrated(growth, position, HORIZON_HOURS))
    return np.array(rows) if rows else np.empty((0, HORIZON_HOURS))


def _outward(errors: Floats, level: float) -> Floats:
    """The empirical quantile of each column, rounded away from the middle; 0 where a column has too few errors."""
    ordered = np.sort(errors, axis=0)  # NaN last
    known = np.isfinite(errors).sum(axis=0)
    place = level * (known - 1)
    index = np.floor(place) if level < 0.5 else np.ceil(place)
    columns = np.arange(errors.shape[1])
    return np.where(known >= FEWEST_ORIGINS, ordered[np.maximum(index, 0).astype(int), columns], 0.0)
