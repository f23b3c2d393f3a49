"""Exponential smoothing of many series at once."""

import numpy as np

from forecast.grid import DAY_HOURS
from forecast.sources import Floats

ALPHAS = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.7])
SPAN_HOURS = 14 * DAY_HOURS
BATCH = 32
"""Series at once: so many levels stay in a core's cache."""
_LAG = np.arange(DAY_HOURS)
_CARRIED = (1 - ALPHAS)[:, None] ** (_LAG + 1)
_KERNEL = np.where(
    _LAG[None, :, None] <= _LAG[None, None, :],
    ALPHAS[:, None, None] * (1 - ALPHAS)[:, None, None] ** np.maximum(_LAG[None, None, :] - _LAG[None, :, None], 0),
    0.0,
)
"""[alpha, hour in, hour out]: a day's levels are its hours times this, plus the level before it, fading."""


def smoothed_level(values: Floats) -> Floats:
    """The level of the last 14 days' hours, [n], by the alpha whose level was nearest to the values 24 hours later.

    Args:
        values: [n, 336], NaN before a series began.
    """
    parts = [_smoothed(values[begin : begin + BATCH]) for begin in range(0, values.shape[0], BATCH)]
    return np.concatenate(parts) if parts else np.empty(0)


def _smoothed(values: Floats) -> Floats:
    known = np.isfinite(values)
    first = np.take_along_axis(values, known.argmax(axis=1)[:, None], axis=1)
    filled = np.where(known, values, first)
    levels = np.empty((values.shape[0], ALPHAS.size, values.shape[1]))
    level = np.repeat(first, ALPHAS.size, axis=1)
    kernel = _KERNEL.transpose(1, 0, 2).reshape(DAY_HOURS, -1)
    for begin in range(0, values.shape[1], DAY_HOURS):
        today = (filled[:, begin : begin + DAY_HOURS] @ kernel).reshape(-1, ALPHAS.size, DAY_HOURS)
        today += level[:, :, None] * _CARRIED
        levels[:, :, begin : begin + DAY_HOURS] = today
        level = today[:, :, -1]
    errors = np.abs(filled[:, None, DAY_HOURS:] - levels[:, :, :-DAY_HOURS])
    counted = known[:, DAY_HOURS:] & known[:, :-DAY_HOURS]
    best = np.where(counted[:, None], errors, 0.0).sum(axis=2).argmin(axis=1)
    return np.asarray(np.take_along_axis(level, best[:, None], axis=1)[:, 0])
