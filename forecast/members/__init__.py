"""The members: cheap forecasts of every series of a grid, [n, 72] each, NaN where the history does not allow one."""

from collections.abc import Callable

import numpy as np

from forecast.grid import DAY_HOURS, WEEK_HOURS, Flags, Grid
from forecast.members.past import AHEAD, Past
from forecast.members.statistics import mean, median
from forecast.models.prophet_map import Fits, fit_many
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

__all__ = ["MEMBERS", "NAMES", "forecasts"]

PROPHET_HOURS = 72
"""Prophet's model is a member from three days of history on: with less its trend runs away."""
PROPHET_STEPS = 16
"""To judge by: with 100 steps its errors are 1 % smaller."""
RECENT_HOURS = 72
DRIFT_HOURS = 72
DRIFT_DAMPING = 0.97
FADING = 0.95

Member = Callable[[Past], Floats]


def _flat(level: Floats) -> Floats:
    return np.repeat(level[:, None], HORIZON_HOURS, axis=1)


def _since(past: Past, hours: int) -> Flags:
    """Which series are at least so old."""
    return np.isfinite(past.values[:, -hours])


def _where(old: Flags, values: Floats) -> Floats:
    return np.where(old[:, None], values, np.nan)


def _yesterday(past: Past) -> Floats:
    return past.repeated(past.day)


def _last_week(past: Past) -> Floats:
    return past.repeated(past.week)


def _profile(past: Past) -> Floats:
    return _where(_since(past, 2 * DAY_HOURS), past.repeated(past.daily))


def _monthly_profile(past: Past) -> Floats:
    return _where(_since(past, 4 * DAY_HOURS), past.repeated(median(past.by_date)))


def _three_days(past: Past) -> Floats:
    return _where(_since(past, 2 * DAY_HOURS), past.repeated(mean(past.by_day[:, -3:])))


def _weekly_profile(past: Past) -> Floats:
    return _where(_since(past, 2 * WEEK_HOURS), past.repeated(median(past.by_week)))


def _smoothed(past: Past) -> Floats:
    return past.smoothed[:, None] + past.repeated(past.shape)


def _level(past: Past) -> Floats:
    return _flat(np.where(np.isfinite(past.level(DAY_HOURS)), past.level(DAY_HOURS), past.last))


def _resting(past: Past) -> Floats:
    """Where exponential smoothing stands, whatever the hour."""
    return _flat(past.smoothed)


def _middle(past: Past) -> Floats:
    return _flat(median(past.week))


def _recent_middle(past: Past) -> Floats:
    return _flat(median(past.values[:, -RECENT_HOURS:]))


def _last(past: Past) -> Floats:
    return _flat(past.last)


def _week_at_level(past: Past) -> Floats:
    """Last week's shape, moved to where the last day stands beside the same day of last week."""
    return past.repeated(past.week) + (past.level(DAY_HOURS) - past.level(DAY_HOURS, ago=WEEK_HOURS))[:, None]


def _theta(past: Past) -> Floats:
    """Assimakopoulos and Nikolopoulos, The theta model, 2000: a smoothed level with half of the slope."""
    return _smoothed(past) + 0.5 * (past.slope / DAY_HOURS)[:, None] * (AHEAD + 1)


def _drift(past: Past) -> Floats:
    """The last value, and the last three days' drift, fading."""
    fading = DRIFT_DAMPING * (1 - DRIFT_DAMPING ** (AHEAD + 1)) / (1 - DRIFT_DAMPING)
    drift = (past.last - past.values[:, -DRIFT_HOURS]) / (DRIFT_HOURS - 1)
    return past.last[:, None] + drift[:, None] * fading


def _returning(past: Past) -> Floats:
    """The profile, reached from the last three hours' distance from it, which fades."""
    profile = past.daily
    distance = mean(past.day[:, -3:] - profile[:, -3:])
    return _profile(past) + distance[:, None] * FADING ** (AHEAD + 1)


MEMBERS: dict[str, Member] = {
    "yesterday": _yesterday,
    "last_week": _last_week,
    "profile": _profile,
    "three_days": _three_days,
    "weekly_profile": _weekly_profile,
    "monthly_profile": _monthly_profile,
    "smoothed": _smoothed,
    "level": _level,
    "resting": _resting,
    "middle": _middle,
    "recent_middle": _recent_middle,
    "last": _last,
    "week_at_level": _week_at_level,
    "theta": _theta,
    "drift": _drift,
    "returning": _returning,
}
"""By name; Prophet's model and its damped variant come after them."""
NAMES = (*MEMBERS, "prophet", "damped")


def forecasts(grid: Grid, fits: Fits | None = None) -> Floats:
    """What every member says, [n, members, 72], within a range of what was seen.

    Args:
        grid: every series has at least one value.
        fits: Prophet's model where it is fitted already; else it is, in fewer steps.
    """
    past = Past.of(grid)
    fits = fits if fits is not None else fit_many(grid, PROPHET_STEPS)
    old = grid.length >= PROPHET_HOURS
    fitted = np.stack([_where(old, fits.forecast), _where(old, fits.damped())], axis=1)
    return np.concatenate([without_fits(past), _sensible(fitted, past)], axis=1)


def without_fits(past: Past) -> Floats:
    """What the members say that need no fit of Prophet's model, [n, members - 2, 72]."""
    return _sensible(np.stack([member(past) for member in MEMBERS.values()], axis=1), past)


def _sensible(found: Floats, past: Past) -> Floats:
    """Not further beyond what was seen than what was seen is wide; not below 0 where nothing was."""
    low, high = np.nanmin(past.values, axis=1), np.nanmax(past.values, axis=1)
    floor = np.where(low >= 0, np.maximum(2 * low - high, 0.0), 2 * low - high)
    return np.clip(found, floor[:, None, None], (2 * high - low)[:, None, None])
