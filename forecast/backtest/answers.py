"""What Forewarn says at each origin, and what the forecasts it is compared with say."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from forecast.adaptive import reaching, widened
from forecast.combiner import Combination, combine
from forecast.filling import fill_quantiles
from forecast.grid import DAY_HOURS, Flags, Grid, Ints
from forecast.members.past import Past
from forecast.models.prophet_map import fit_many
from forecast.scores import LEVELS
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

Kind = Literal["gauge", "fill", "allocation", "auto"]
Statistic = Literal["mean", "max"]
Progress = Callable[[int, int], None]
Heard = Callable[[Ints, Grid, Combination], None]
"""Is given the rows of a batch, their past, and what the combiner said."""
BATCH = 128
FILL_RISES, FILL_HOURS = 0.9, 48
YOUNG_DOUBT = np.array([-0.9, -0.5, 0.0, 0.6, 2.0])
"""How far the bands of a series that has only just begun reach further, in units of its mean size or its range."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Forecasts of n windows.

    Attributes:
        quantiles: [n, 72, 5] at ``LEVELS``, rising; NaN where not one value was known before the origin.
        yesterday: [n, 72] same hour yesterday.
        prophet: [n, 72] Prophet's yhat by its exact MAP; NaN with less than two days of history.
        filled: [n] whether the rule for what fills up spoke.
    """

    quantiles: Floats
    yesterday: Floats
    prophet: Floats
    filled: Flags


def answer(
    grid: Grid,
    kind: Kind,
    statistic: Statistic = "mean",
    progress: Progress | None = None,
    *,
    heard: Heard | None = None,
    widening: Floats | None = None,
) -> Answers:
    """All windows' forecasts; what they are does not hang on which other windows there are.

    Args:
        grid: the past of each window.
        kind: how the series are used up.
        statistic: which value of each hour it is.
        progress: called with the number of windows done and of all.
        heard: is told what the combiner says.
        widening: [n, 2] what the 95 % and the 80 % band of what does not fill up are multiplied by.
    """
    count = grid.values.shape[0]
    shape = (count, HORIZON_HOURS)
    found = Answers(
        np.full((*shape, len(LEVELS)), np.nan), np.full(shape, np.nan), np.full(shape, np.nan), fills(grid, kind)
    )
    usable = grid.known.any(axis=1)
    fill, level = np.flatnonzero(usable & found.filled), np.flatnonzero(usable & ~found.filled)
    batches = [rows[begin : begin + BATCH] for rows in (fill, level) for begin in range(0, rows.size, BATCH)]
    done = count - int(usable.sum())
    for rows in batches:
        part = grid.take(rows)
        fits = fit_many(part)
        found.prophet[rows] = fits.forecast
        found.yesterday[rows] = _yesterday(part)
        if found.filled[rows[0]]:
            said = fill_quantiles(part)
        else:
            combination = combine(part, statistic, fits)
            said = combination.quantiles + _doubt(part)
            if heard is not None:
                heard(rows, part, replace(combination, quantiles=said))
            said = reaching(said, part)
            if widening is not None:
                said = widened(said, widening[rows])
        found.quantiles[rows] = np.maximum.accumulate(_bounded(said, part), axis=2)
        done += rows.size
        if progress is not None:
            progress(done, count)
    return found


def fills(grid: Grid, kind: Kind) -> Flags:
    """Which series fill up: all or none where the kind says so, else those whose steps nearly all go one way."""
    count = grid.values.shape[0]
    if kind != "auto":
        return np.full(count, kind == "fill")
    steps = np.nan_to_num(np.diff(grid.values, axis=1))
    moved = (steps != 0).sum(axis=1)
    up = (steps > 0).sum(axis=1)
    return np.asarray((moved >= FILL_HOURS) & (up >= FILL_RISES * moved))


def _yesterday(grid: Grid) -> Floats:
    """Same hour yesterday, the last value for hours of the day never seen."""
    past = Past.of(grid)
    day = np.where(np.isfinite(past.day), past.day, past.last[:, None])
    return past.repeated(day[:, -DAY_HOURS:])


def _doubt(grid: Grid) -> Floats:
    """What less than a day of history does not show is added to the bands, [n, 1, 5]; nothing from a day on.

    The combiner is trained and calibrated from a day on. What it lacks before was read from the openly licensed
    measured series, cut to hours.
    """
    values = np.nan_to_num(grid.values)
    size = np.abs(values).sum(axis=1) / np.maximum(grid.known.sum(axis=1), 1)
    low = np.where(grid.known, grid.values, np.inf).min(axis=1)
    high = np.where(grid.known, grid.values, -np.inf).max(axis=1)
    young = np.maximum(1 - grid.length / DAY_HOURS, 0.0)
    return np.asarray((young * np.maximum(size, high - low))[:, None, None] * YOUNG_DOUBT)


def _bounded(quantiles: Floats, grid: Grid) -> Floats:
    """What was never below 0 does not go there."""
    low = np.where(grid.known, grid.values, np.inf).min(axis=1)
    return np.where((low >= 0)[:, None, None], np.maximum(quantiles, 0.0), quantiles)
