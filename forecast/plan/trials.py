"""Every way to continue daily peaks tried at every day of the past: what it said, and what came."""

from dataclasses import dataclass

import numpy as np

from forecast.members.statistics import mean
from forecast.plan.candidates import WAYS, WEEK, WINDOW_DAYS, continued
from forecast.sources import Floats

DAY_HOURS = 24
FEWEST_HOURS = 6
"""Known hours of a day that has a peak."""
FEWEST_DAYS = 7
"""Days before an origin of the past at which the ways are tried."""
POWER = 4
GROWTH = 0.5
"""Errors usually grow with the lead to this power, as a random walk's do."""
_ROWS = 2_000


def daily_peaks(hours: Floats) -> Floats:
    """The highest hour of every day counted back from the end, [n, days], NaN for days hardly known."""
    days = hours.shape[1] // DAY_HOURS
    by_day = hours[:, hours.shape[1] - days * DAY_HOURS :].reshape(hours.shape[0], days, DAY_HOURS)
    known = np.isfinite(by_day).sum(axis=2) >= FEWEST_HOURS
    return np.where(known, np.where(np.isfinite(by_day), by_day, -np.inf).max(axis=2), np.nan)


@dataclass(frozen=True, slots=True)
class Trials:
    """The highest peak up to each day after the origins of n series; the last origin is now.

    Attributes:
        came: [n, origins, days] what came, NaN where it is not over or too little lay before it.
        said: [n, origins, days] the ways' mean by their weights.
        high: [n, origins] the highest peak of the week before.
    """

    came: Floats
    said: Floats
    high: Floats

    @classmethod
    def of(cls, peaks: Floats, days: int) -> "Trials":
        """Of daily peaks, [n, past], the newest last."""
        told, came = _told(peaks, days), _came(peaks, days)
        return cls(came, _weighted(told, _weights(came[:, :, None] - told)), _week_before(peaks))

    @property
    def errors(self) -> Floats:
        """What came less what had been said, [n, origins, days]."""
        return self.came - self.said


def _told(peaks: Floats, days: int) -> Floats:
    """What each way said of the highest peak to come, [n, origins, ways, days]."""
    windows = _windows(peaks, WINDOW_DAYS)
    rows = windows.reshape(-1, WINDOW_DAYS)
    told = np.empty((rows.shape[0], len(WAYS), days), dtype=np.float64)
    for begin in range(0, rows.shape[0], _ROWS):
        told[begin : begin + _ROWS] = continued(rows[begin : begin + _ROWS], days)
    return np.fmax.accumulate(told, axis=2).reshape(*windows.shape[:2], len(WAYS), days)


def _came(peaks: Floats, days: int) -> Floats:
    padded = np.concatenate([peaks, np.full((peaks.shape[0], days), np.nan)], axis=1)
    highest = np.fmax.accumulate(np.lib.stride_tricks.sliding_window_view(padded, days, axis=1), axis=2)
    origin = np.arange(peaks.shape[1] + 1)[:, None]
    over = np.arange(days) < peaks.shape[1] - origin
    before = np.cumsum(np.isfinite(_windows(peaks, 1)[..., 0]), axis=1) >= FEWEST_DAYS
    return np.where(over & before[..., None], highest, np.nan)


def _week_before(peaks: Floats) -> Floats:
    return np.asarray(np.fmax.reduce(_windows(peaks, WEEK), axis=2))


def _windows(peaks: Floats, days: int) -> Floats:
    """So many days before each origin, [n, origins, days]."""
    padded = np.concatenate([np.full((peaks.shape[0], days), np.nan), peaks], axis=1)
    return np.lib.stride_tricks.sliding_window_view(padded, days, axis=1)


def _weights(errors: Floats) -> Floats:
    """In proportion to 1 / error^4, errors being those of all leads in units of their usual growth, [n, ways]."""
    usual = np.arange(1, errors.shape[3] + 1) ** GROWTH
    by_way = (np.abs(errors) / usual).transpose(0, 2, 1, 3)
    tried = mean(by_way.reshape(*by_way.shape[:2], -1), axis=2)
    known = np.isfinite(tried)
    least = np.where(known, tried, np.inf).min(axis=1, keepdims=True)
    floor = np.where(np.isfinite(least), 0.05 * least, 0.0) + 1e-12
    weights = np.where(
        known,
        ((np.where(known, tried, np.inf) + floor) / (np.where(np.isfinite(least), least, 1.0) + floor)) ** -POWER,
        0.0,
    )
    total = weights.sum(axis=1, keepdims=True)
    return np.where(total > 0, weights / np.where(total > 0, total, 1.0), 1.0)


def _weighted(told: Floats, weights: Floats) -> Floats:
    shares = np.where(np.isfinite(told), weights[:, None, :, None], 0.0)
    total = shares.sum(axis=2)
    return np.where(total > 0, (shares * np.nan_to_num(told)).sum(axis=2) / np.where(total > 0, total, 1.0), np.nan)
