"""Demand behind a level that is capped: hours at the cap say only that as much was wanted, or more.

A Tobit model (Tobin, Estimation of relationships for limited dependent variables, Econometrica 1958) by expectation and
maximisation: the demand of an hour is normal around the mean of its hour of the day and the two days about it; hours at
the cap take what is to be expected of it there, and mean and spread are worked out anew.
"""

import numpy as np

from forecast.grid import DAY_HOURS, Flags, Grid
from forecast.members.statistics import mean
from forecast.sources import Floats

STEPS = 4
AROUND_HOURS = 49
AT_CAP = 0.99
"""An hour whose value is this share of the cap counts as capped: it may have been below for a moment."""
FARTHEST = 6.0


def capped(grid: Grid, caps: Floats) -> Flags:
    """Which hours stand at the cap, [n, 672].

    Args:
        grid: of n levels.
        caps: [n], infinite where there is none; one of 0 or below is none.
    """
    return np.asarray((grid.values >= AT_CAP * caps[:, None]) & (caps > 0)[:, None])


def uncapped(grid: Grid, caps: Floats) -> Grid:
    """The same with the demand that is to be expected in place of the hours at the cap."""
    censored = capped(grid, caps)
    rows = np.flatnonzero(censored.any(axis=1))
    values = grid.values.copy()
    if rows.size:
        unit = caps[rows, None]
        values[rows] = _expected(values[rows] / unit, censored[rows]) * unit
    return Grid(grid.end_ms, values)


def _expected(levels: Floats, censored: Flags) -> Floats:
    """Levels in units of their cap."""
    known = np.isfinite(levels)
    demand = levels.copy()
    for _ in range(STEPS):
        usual = _usual(demand, known)
        away = np.where(known, demand - usual, 0.0)
        spread = np.sqrt((away**2).sum(axis=1) / known.sum(axis=1))[:, None] + 1e-9
        score = np.clip((1.0 - usual) / spread, -FARTHEST, FARTHEST)
        demand = np.where(censored, np.maximum(usual + spread * _hazard(score), 1.0), levels)
    return demand


def _usual(values: Floats, known: Flags) -> Floats:
    """The mean by hour of the day, and how far the hours around lie from theirs."""
    days = values.reshape(values.shape[0], -1, DAY_HOURS)
    shape = np.tile(np.nan_to_num(mean(days)), days.shape[1])
    away = np.where(known, values - shape, 0.0)
    return np.asarray(shape + _around(away) / np.maximum(_around(known.astype(np.float64)), 1.0))


def _around(values: Floats) -> Floats:
    """The sum over the hours around each."""
    half = AROUND_HOURS // 2
    total = np.cumsum(np.pad(values, ((0, 0), (half + 1, half))), axis=1)
    return np.asarray(total[:, AROUND_HOURS:] - total[:, :-AROUND_HOURS])


def _hazard(score: Floats) -> Floats:
    """The mean of a standard normal above a score: its density over what lies beyond.

    The tail by Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.17; |error| <= 7.5e-8.
    """
    density = np.exp(-(score**2) / 2) / np.sqrt(2 * np.pi)
    t = 1 / (1 + 0.2316419 * np.abs(score))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.where(score >= 0, density * series, 1 - density * series)
    return np.asarray(density / tail)
