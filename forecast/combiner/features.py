"""What the combiner's net sees of a series: members, window statistics, the days behind. No calendar."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from forecast.combiner.plain import Plain, combine
from forecast.grid import DAY_HOURS, WEEK_HOURS, Flags, Grid, Halves, Ints
from forecast.members import MEMBERS, NAMES, forecasts, without_fits
from forecast.members.past import AHEAD, Past
from forecast.members.statistics import mean, median
from forecast.models.prophet_map import Fits, fit_many
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

ORIGINS = (72, 144, 216)
"""Hours before the origin at which earlier origins lie; the first two decide the weights."""
LATELY = 24
"""Hours before the origin from which members are judged by what is known since, those without a fit."""
ORIGIN_STEPS = 30
"""Of Prophet's model where it is not fitted already: with 100 steps its errors are the same to three digits."""
SCALE_FLOOR = 1e-3
_LAG_DAYS = (1, 2, 3, 4, 5, 6, 7, 14, 21, 28)
_LEVEL_HOURS = (3, 6, 12, 24, 48, 72, 168, 336, 672)
_SPREAD_HOURS = (6, 24, 72, 168, 336, 672)
_CORRELATED_HOURS = (1, 3, 6, 12, 24, 48, 72, 168)
_MOVED_HOURS = (1, 3, 6, 12, 48, 72, 168)
_UNKNOWN_ERROR = 1.5
_SMALLEST_ERROR = 0.02


@dataclass(frozen=True, slots=True)
class Features:
    """The inputs of n series, all in units of each series' scale.

    Attributes:
        windows: [n, statistics] of the whole window.
        hours: [n, 72, inputs] of each hour ahead.
        members: [n, members, 72] distances from the plain combination, 0 where a member does not exist.
        exists: [n, members].
        plain: [n, 72] the plain combination's distance from the location.
        tolerance: [n] the plain combination's expected error.
        location: [n] the last week's median, in the series' own unit.
        scale: [n] the mean distance between hours a day apart, in the series' own unit.
    """

    windows: Halves
    hours: Halves
    members: Halves
    exists: Flags
    plain: Halves
    tolerance: Halves
    location: Floats
    scale: Floats

    def rows(self, rows: Ints | Flags | slice) -> "Features":
        """Those of some of the series."""
        return Features(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def restored(self, found: Halves | Floats) -> Floats:
        """What the net says, [n, 72, k] distances from the plain combination, in the series' own unit."""
        scaled = (found + self.plain[..., None]) * self.scale[:, None, None]
        return np.asarray(scaled + self.location[:, None, None], dtype=np.float64)


class Looks:
    """What the members say of every series at the origin and at earlier ones, each worked out once."""

    def __init__(self, grid: Grid, fits: Fits | None = None) -> None:
        self.grid = grid
        self._fits = fits
        self._members: dict[int, Floats] = {}
        self._without_fits: dict[int, Floats] = {}

    def members(self, ago: int) -> Floats:
        """[n, members, 72] at the origin so many hours earlier; NaN where a day of history was not yet there."""
        if ago not in self._members:
            self._members[ago] = self._made(ago)
        return self._members[ago]

    def without_fits(self, ago: int) -> Floats:
        """The same of the members that need no fit."""
        if ago not in self._without_fits:
            self._without_fits[ago] = self._earlier(ago, len(MEMBERS), lambda grid: without_fits(Past.of(grid)))
        return self._without_fits[ago]

    def _made(self, ago: int) -> Floats:
        if ago == 0:
            return forecasts(self.grid, self._fits or fit_many(self.grid, ORIGIN_STEPS))
        return self._earlier(ago, len(NAMES), forecasts)

    def _earlier(self, ago: int, members: int, told: Callable[[Grid], Floats]) -> Floats:
        earlier = self.grid.before(ago)
        result = np.full((self.grid.values.shape[0], members, HORIZON_HOURS), np.nan)
        rows = np.flatnonzero(earlier.length >= DAY_HOURS)
        if rows.size:
            result[rows] = told(earlier.take(rows))
        return result


def features(looks: Looks, ago: int = 0, rows: Ints | slice = slice(None)) -> Features:
    """The inputs of some of the series as they were so many hours before the origin.

    Each has at least one value by then, at the origin itself, or a day of history, before it; and values of a
    reasonable size.
    """
    past = Past.of(looks.grid.before(ago).take(rows))
    location = median(past.week)
    scale = scale_of(past)
    members = looks.members(ago)[rows]
    exists = np.isfinite(members[:, :, 0])
    unit = scale[:, None, None]
    missed = np.stack([_missed(looks.members(ago + hours)[rows], past, hours) / unit for hours in ORIGINS], axis=1)
    lately = _missed(looks.without_fits(ago + LATELY)[rows], past, LATELY) / unit
    judged = np.abs(missed).mean(axis=3)
    plain = combine(members, mean(judged[:, :2]))
    windows = np.concatenate(
        [
            _judgement(judged, plain, exists),
            _manner(missed[:, :2]),
            _logs(np.abs(lately).mean(axis=2)),
            _levels(past, location, scale),
            _statistics(past, scale),
        ],
        axis=1,
    )
    relative = np.where(exists[:, :, None], members - plain.path[:, None], 0.0) / scale[:, None, None]
    return Features(
        np.nan_to_num(windows).astype(np.float32),
        _hours(past, relative, plain, location, scale).astype(np.float32),
        relative.astype(np.float32),
        exists,
        ((plain.path - location[:, None]) / scale[:, None]).astype(np.float32),
        plain.tolerance.astype(np.float32),
        location,
        scale,
    )


def scale_of(past: Past) -> Floats:
    """The mean absolute difference of hours a day apart, [n]: the scale of MASE; never under 0.1 % of the mean."""
    apart = mean(np.abs(past.values[:, DAY_HOURS:] - past.values[:, :-DAY_HOURS]))
    spread = mean(np.abs(past.week - median(past.week)[:, None]))
    apart = np.where(np.isfinite(apart), apart, spread)
    return np.maximum(np.maximum(apart, SCALE_FLOOR * np.abs(mean(past.values))), 1e-9)


def _missed(members: Floats, past: Past, hours: int) -> Floats:
    """What members said so many hours ago less what came, as far as it is known, [n, members, 72 at most]."""
    begin = past.values.shape[1] - hours
    actual = past.values[:, begin : begin + HORIZON_HOURS]
    return np.asarray(members[:, :, : actual.shape[1]] - actual[:, None])


def _logs(errors: Floats) -> Floats:
    return np.log(np.maximum(np.where(np.isfinite(errors), errors, _UNKNOWN_ERROR), _SMALLEST_ERROR))


def _judgement(errors: Floats, plain: Plain, exists: Flags) -> Floats:
    known = np.isfinite(errors).any(axis=2)
    logs = _logs(errors).reshape(errors.shape[0], -1)
    return np.concatenate(
        [logs, plain.weights, np.log(plain.tolerance)[:, None], exists, known], axis=1, dtype=np.float64
    )


def _manner(missed: Floats) -> Floats:
    """How each member missed, whatever the size: its error of each day beside that of all, and which way it erred.

    Args:
        missed: [n, origins, members, 72].
    """
    by_day = np.abs(missed).reshape(*missed.shape[:3], HORIZON_HOURS // DAY_HOURS, DAY_HOURS).mean(axis=4)
    share = np.log((by_day + _SMALLEST_ERROR) / (by_day.mean(axis=3, keepdims=True) + _SMALLEST_ERROR))
    way = np.arcsinh(missed.mean(axis=3))
    manner = np.concatenate([share.reshape(*missed.shape[:2], -1), way], axis=2)
    return np.asarray(np.where(np.isfinite(manner), manner, 0.0).mean(axis=1))


def _levels(past: Past, location: Floats, scale: Floats) -> Floats:
    """Where the series stands and stood, beside 0 too."""
    recent = (past.day, past.week, past.values)
    levels = [past.last, *(past.level(hours) for hours in _LEVEL_HOURS)]
    levels += [np.nanmax(part, axis=1) for part in recent] + [np.nanmin(part, axis=1) for part in recent]
    levels.append(np.zeros_like(location))
    return np.arcsinh((np.stack(levels, axis=1) - location[:, None]) / scale[:, None])


def _statistics(past: Past, scale: Floats) -> Floats:
    """How wide, how jumpy, how alike from hour to hour, day to day and week to week."""
    values = past.values
    parts = [values[:, -hours:] for hours in _SPREAD_HOURS]
    spreads = [mean(np.abs(part - mean(part)[:, None])) for part in parts]
    moved = [mean(np.abs(values[:, hours:] - values[:, :-hours])) for hours in _MOVED_HOURS]
    recent = [mean(np.abs(np.diff(values[:, -hours:]))) for hours in (DAY_HOURS, WEEK_HOURS)]
    logs = np.log(np.maximum(np.nan_to_num(np.stack(spreads + moved + recent, axis=1)) / scale[:, None], 1e-3))
    off = values - mean(values)[:, None]
    variance = mean(off**2) + 1e-12
    alike = [np.nan_to_num(mean(off[:, hours:] * off[:, :-hours]) / variance) for hours in _CORRELATED_HOURS]
    return np.concatenate([logs, np.clip(np.stack(alike, axis=1), -1.5, 1.5), _stillness(values)], axis=1)


def _stillness(values: Floats) -> Floats:
    """Length, and how much of the time the series stands still, at its top and at its bottom."""
    known = np.isfinite(values)
    length = known.sum(axis=1)
    steps = np.abs(np.diff(values))
    still = steps <= 1e-9 * (1 + np.abs(np.nan_to_num(values[:, 1:])))
    moving = np.where(np.isfinite(steps) & ~still, np.arange(1, values.shape[1]), 0).max(axis=1)
    standing = np.minimum(values.shape[1] - moving, length)
    top = (known & (values >= np.nanmax(values, axis=1)[:, None] - 1e-9)).sum(axis=1)
    bottom = (known & (values <= np.nanmin(values, axis=1)[:, None] + 1e-9)).sum(axis=1)
    shares = [still.sum(axis=1) / length, top / length, bottom / length]
    return np.stack([np.log(length / WEEK_HOURS), np.log1p(standing) / 4, *shares], axis=1)


def _hours(past: Past, members: Floats, plain: Plain, location: Floats, scale: Floats) -> Floats:
    """Of each hour ahead: what members say, what the same hour was on days before, how it varies, how far ahead."""
    behind = []
    for days in _LAG_DAYS:
        start = past.values.shape[1] - DAY_HOURS * days
        width = DAY_HOURS if days < HORIZON_HOURS // DAY_HOURS + 4 else HORIZON_HOURS
        behind.append(past.values[:, start : start + width][:, AHEAD % width])
    lags = (np.stack(behind, axis=1) - plain.path[:, None]) / scale[:, None, None]
    level = (plain.path - location[:, None]) / scale[:, None]
    inputs = np.arcsinh(np.concatenate([members, np.nan_to_num(lags), level[:, None]], axis=1))
    off = np.nan_to_num(mean(np.abs(past.by_day - past.daily[:, None])) / scale[:, None])
    spread = past.repeated(np.log(np.maximum(off, _SMALLEST_ERROR)))[:, None]
    ahead = np.stack(
        [AHEAD / HORIZON_HOURS, np.log1p(AHEAD) / 4, np.exp(-AHEAD / 3), np.exp(-AHEAD / 12)]
        + [day == AHEAD // DAY_HOURS for day in range(3)]
    )
    ahead = np.broadcast_to(ahead, (inputs.shape[0], *ahead.shape))
    return np.concatenate([inputs, spread, ahead], axis=1).transpose(0, 2, 1)
