"""Ways to continue daily peaks: a few plain ones, of which a series' own past says which hold.

Every way is a function of the last 28 days of many series at once; NaN where it has nothing to say.
"""

from collections.abc import Callable

import numpy as np

from forecast.filling import find_cleanups
from forecast.members.statistics import mean, median
from forecast.sources import Floats

WINDOW_DAYS = 28
WEEK = 7
DAMPING = 0.93
"""Share of a slope that is left the day after, where it is damped: half of it is gone in ten days."""
STEEPEST = 0.1
"""Of exponential growth, the natural logarithm a day: no load is believed to double more often than weekly."""
SHAPE_PRIOR_WEEKS = 1.0


def continued(past: Floats, days: int) -> Floats:
    """Every way's daily peaks for the days ahead, [n, ways, days].

    Args:
        past: [n, 28] daily peaks, the newest last, NaN where unknown.
        days: how far ahead.
    """
    view = _View(past, days)
    return np.stack([way(view) for way in WAYS], axis=1)


class _View:
    """What the ways share: level, weekly shape and slopes of the past, and the days ahead."""

    def __init__(self, past: Floats, days: int) -> None:
        self.past = past
        self.ahead = np.arange(1.0, days + 1)
        self.shape = _weekly(past)
        places = (np.arange(WINDOW_DAYS) - WINDOW_DAYS) % WEEK
        self.plain = past - self.shape[:, places]
        self.shape_ahead = self.shape[:, np.arange(days) % WEEK]
        self.slope = _slope(self.plain)
        self.slope_lately = _slope(self.plain[:, -2 * WEEK :])

    def level(self, slope: Floats | None = None) -> Floats:
        """Median of the last week, and where a slope is given, brought to the last day along it, [n, 1]."""
        week = self.plain[:, -WEEK:]
        if slope is not None:
            week = week + slope[:, None] * np.arange(WEEK - 1.0, -1.0, -1.0)
        return median(week)[:, None]

    @property
    def last(self) -> Floats:
        """The newest of the last three days that is known, [n, 1]."""
        newest = self.past[:, -1:]
        for back in (-2, -3):
            newest = np.where(np.isfinite(newest), newest, self.past[:, back, None])
        return newest

    def step(self, days: int) -> Floats:
        """Mean step from day to day over so many days, clean-ups left out, [n, 1]."""
        steps = np.diff(self.past, axis=1)
        return mean(np.where(find_cleanups(steps), np.nan, steps)[:, -days:])[:, None]


def _weekly(past: Floats) -> Floats:
    """How days of the week differ, [n, 7], the first that of the day ahead; 0 with less than two weeks."""
    weeks = past.reshape(past.shape[0], -1, WEEK)
    off = weeks - median(weeks, axis=2)[..., None]
    known = np.isfinite(off).sum(axis=1)
    shape = np.nan_to_num(median(off, axis=1)) * (known / (known + SHAPE_PRIOR_WEEKS))
    shape = np.where((known >= 2).all(axis=1)[:, None], shape, 0.0)
    return np.asarray(shape - shape.mean(axis=1, keepdims=True))


def _slope(values: Floats) -> Floats:
    """The median slope between days at least a week apart (Theil 1950, Sen 1968), [n]; NaN with fewer than 8 days."""
    first, second = np.triu_indices(values.shape[1], WEEK)
    return median((values[:, second] - values[:, first]) / (second - first))


def _level(view: _View) -> Floats:
    return view.level() + view.shape_ahead


def _damped(view: _View) -> Floats:
    travelled = np.cumsum(DAMPING**view.ahead)
    return view.level(view.slope) + view.slope[:, None] * travelled + view.shape_ahead


def _line(view: _View) -> Floats:
    return view.level(view.slope) + view.slope[:, None] * view.ahead + view.shape_ahead


def _line_lately(view: _View) -> Floats:
    return view.level(view.slope_lately) + view.slope_lately[:, None] * view.ahead + view.shape_ahead


def _exponential(view: _View) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithm = np.where(view.past > 0, np.log(view.past), np.nan)
    slope = np.clip(_slope(logarithm), -STEEPEST, STEEPEST)
    grown = np.exp(slope[:, None] * (view.ahead + WEEK / 2 - 0.5))
    positive = np.asarray((view.past <= 0).sum(axis=1) == 0)
    return np.where(positive[:, None], median(view.past[:, -WEEK:])[:, None] * grown + view.shape_ahead, np.nan)


def _last(view: _View) -> Floats:
    return np.repeat(view.last, view.ahead.size, axis=1)


def _step_of_a_week(view: _View) -> Floats:
    return view.last + view.step(WEEK) * view.ahead


def _step_of_four_weeks(view: _View) -> Floats:
    return view.last + view.step(WINDOW_DAYS) * view.ahead


def _highest(view: _View) -> Floats:
    high = np.fmax.reduce(view.past[:, -2 * WEEK :], axis=1)
    return np.repeat(high[:, None], view.ahead.size, axis=1)


WAYS: tuple[Callable[[_View], Floats], ...] = (
    _level,
    _damped,
    _line,
    _line_lately,
    _exponential,
    _last,
    _step_of_a_week,
    _step_of_four_weeks,
    _highest,
)
