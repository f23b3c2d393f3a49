"""What fills up: levels at the end of every hour, from what flows in by the hour, for many series at once.

The steps from hour to hour are forecast as the rate that they are, and integrated from the last level. Steps against
the growth that are far larger than the usual one are clean-ups: they are no part of the rate. Series that are cleaned
up again and again have, beside that path, those of their own past days and weeks; which of them holds, their errors at
earlier origins say.
"""

from dataclasses import dataclass

import numpy as np

from forecast.combiner import combine
from forecast.grid import DAY_HOURS, WEEK_HOURS, Flags, Grid, Ints
from forecast.members import MEMBERS
from forecast.members.past import Past
from forecast.members.statistics import mean, median
from forecast.quantiles import mean_of
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

CLEANUP_STEPS = 6.0
FEWEST_CLEANUPS = 2
RATES = ("smoothed", "level")
"""Members that forecast the rate; their mean is integrated, as is what the combiner expects: halfway lies the path."""
REPEATED = ("yesterday", "last_week", "profile")
"""Members that forecast the level of what is cleaned up again and again."""
LOOKS = (72, 144, 216)
"""Hours before the origin at which earlier origins lie."""
POWER = 3
OFFSETS = np.array([-7.0, -3.0, 0.0, 5.5, 25.0])
"""Of the quantiles, in units of the width: what held on the openly licensed measured series."""
CLEANED_OFFSETS = np.array([-2.9, -1.6, 0.0, 1.35, 2.2])
"""The same for what is cleaned up again and again, in units of its error."""
ERROR_SHARE = 0.4
WIDENING = 0.9
GROWN_HOURS = 240
YOUNG_HOURS = np.array([100.0, 25.0, 0.0, 25.0, 100.0])
"""How much further the quantiles of what began so lately lie, in shares of its length, beyond those of four weeks."""
LEAST_SHARE = 0.02
"""The least error of a rate that a day of history shows no spread of, as a share of what flows in."""
UNKNOWN_ERROR = 2.5
"""The usual error in units of the rate's spread, for series without an earlier origin."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Levels taken apart.

    Attributes:
        levels: [n, 672] without holes, NaN before a series began.
        rates: [n, 672] hourly steps without clean-ups and holes, NaN before the second value.
        cleanups: [n] how many there were.
        never_fell: [n] whether no step went down.
    """

    levels: Floats
    rates: Floats
    cleanups: Ints
    never_fell: Flags

    @classmethod
    def of(cls, grid: Grid) -> "Flow":
        """The flow behind the levels of a grid; a step over a gap is spread evenly over it."""
        levels = _joined(grid.values)
        steps = np.diff(levels, axis=1, prepend=np.nan)
        cleanups = find_cleanups(steps)
        rates = Grid(grid.end_ms, np.where(cleanups, np.nan, steps)).bridged
        past_end = ~np.isfinite(levels) & np.isfinite(rates)
        grown = np.cumsum(np.where(past_end, rates, 0.0), axis=1)
        last = np.take_along_axis(levels, _last_known(levels)[:, None], axis=1)
        fell = np.nan_to_num(steps).min(axis=1) < 0
        return cls(np.where(past_end, last + grown, levels), rates, cleanups.sum(axis=1), ~fell)

    @property
    def last(self) -> Floats:
        """The level at the origin, [n]."""
        return np.take_along_axis(self.levels, _last_known(self.levels)[:, None], axis=1)[:, 0]

    @property
    def spread(self) -> Floats:
        """How far the rate of the last week strays from its mean over 72 hours, were each hour on its own, [n]."""
        week = self.rates[:, -WEEK_HOURS:]
        spread = mean(np.abs(week - mean(week)[:, None]))
        return np.asarray(np.nan_to_num(spread) * np.sqrt(HORIZON_HOURS))

    def paths(self) -> Floats:
        """The rate integrated, then what the members say of the level, [n, 1 + REPEATED, 72]; NaN where unknown."""
        flow, level = Past(self.rates), Past(self.levels)
        rate = mean(np.stack([MEMBERS[name](flow) for name in RATES], axis=1))
        grown = self.last[:, None] + np.cumsum(np.nan_to_num(rate), axis=1)
        return np.stack([grown, *(MEMBERS[name](level) for name in REPEATED)], axis=1)


def find_cleanups(steps: Floats) -> Flags:
    """Which steps are clean-ups: against the growth, and over six times the usual step's size, [n, hours]."""
    size = np.where(steps != 0, np.abs(steps), np.nan)
    usual = CLEANUP_STEPS * np.nan_to_num(median(size))[:, None]
    growth = np.clip(np.nan_to_num(steps), -usual, usual).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(growth < 0, -1.0, 1.0)[:, None] * steps < -usual) & (usual > 0)


def fill_quantiles(grid: Grid) -> Floats:
    """The levels ahead at the five quantiles, [n, 72, 5]; every series has at least one value.

    The bands go with the rule's errors at earlier origins and with the spread of the rate, and widen with the hours
    ahead to the power 0.9; those of what is cleaned up again and again go with the errors alone. Under ten days of
    history they are wider, the more the shorter it is. Levels that never fell do not fall.
    """
    flow = Flow.of(grid)
    paths = flow.paths()
    errors = mean(np.stack([_errors(grid, hours, flow.levels) for hours in LOOKS], axis=1))
    weights = _weights(paths, errors, flow.cleanups)
    paths[:, 0] = (paths[:, 0] + _combined(flow)) / 2
    path = np.einsum("nm,nmh->nh", weights, np.nan_to_num(paths))
    error = np.where(np.isfinite(errors[:, 0]), (weights * np.nan_to_num(errors)).sum(axis=1), np.nan)
    found = path[..., None] + _offsets(error, flow, path[:, -1]) * _youth(grid)
    rising = np.maximum.accumulate(np.maximum(found, flow.last[:, None, None]), axis=1)
    return np.asarray(np.where(flow.never_fell[:, None, None], rising, found))


def _combined(flow: Flow) -> Floats:
    """The combiner's expected rate integrated, [n, 72]; the last level where no rate is known."""
    rate = np.zeros((flow.last.size, HORIZON_HOURS))
    known = np.flatnonzero(np.isfinite(flow.rates[:, -1]))
    if known.size:
        rate[known] = mean_of(combine(Grid(0, flow.rates[known])).quantiles)
    return np.asarray(flow.last[:, None] + np.cumsum(rate, axis=1))


def _offsets(error: Floats, flow: Flow, reached: Floats) -> Floats:
    """The quantiles' distances from the path, [n, 72, 5]; a path's error is NaN where no earlier origin showed it."""
    short = np.isfinite(flow.rates).sum(axis=1) <= DAY_HOURS
    least = np.where(short, LEAST_SHARE * np.abs(reached - flow.last), 0.0)
    spread = np.maximum(flow.spread, least)
    known = np.where(np.isfinite(error), error, UNKNOWN_ERROR * spread)
    width = ERROR_SHARE * known + (1 - ERROR_SHARE) * spread
    ahead = (np.arange(1, HORIZON_HOURS + 1) / HORIZON_HOURS) ** WIDENING
    rate = (width[:, None] * ahead)[..., None] * OFFSETS
    cleaned = known[:, None, None] * CLEANED_OFFSETS
    return np.asarray(np.where((flow.cleanups >= FEWEST_CLEANUPS)[:, None, None], cleaned, rate))


def _youth(grid: Grid) -> Floats:
    """How much further than after four weeks the quantiles lie, [n, 1, 5]; 1 from ten days of history on."""
    length = np.maximum(grid.length, 1)[:, None, None]
    return np.asarray(1 + np.maximum(YOUNG_HOURS / length - YOUNG_HOURS / GROWN_HOURS, 0.0))


def _errors(grid: Grid, hours: int, levels: Floats) -> Floats:
    """Each path's mean absolute error over the 72 hours after an earlier origin, [n, paths]."""
    begin = levels.shape[1] - hours
    actual = levels[:, None, begin : begin + HORIZON_HOURS]
    return mean(np.abs(Flow.of(grid.before(hours)).paths() - actual), axis=2)


def _weights(paths: Floats, errors: Floats, cleanups: Ints) -> Floats:
    """In proportion to 1 / error^3 where there are clean-ups, else all for the integrated rate, [n, paths]."""
    judged = np.isfinite(paths[:, :, 0]) & np.isfinite(errors)
    bounded = np.where(judged, errors, np.inf)
    least = bounded.min(axis=1)
    usable = (cleanups >= FEWEST_CLEANUPS) & np.isfinite(least) & (least > 0)
    share = np.zeros_like(bounded)
    share[usable] = (least[usable, None] / bounded[usable]) ** POWER
    share[~usable, 0] = 1.0
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def _joined(levels: Floats) -> Floats:
    """Straight lines over all gaps between known levels; NaN before the first and after the last."""
    hours = np.broadcast_to(np.arange(levels.shape[1]), levels.shape)
    known = np.isfinite(levels)
    left = np.maximum.accumulate(np.where(known, hours, 0), axis=1)
    right = np.minimum.accumulate(np.where(known, hours, levels.shape[1] - 1)[:, ::-1], axis=1)[:, ::-1]
    start, stop = (np.take_along_axis(levels, place, axis=1) for place in (left, right))
    line = start + (stop - start) * ((hours - left) / np.maximum(right - left, 1))
    return np.where(known, levels, line)


def _last_known(levels: Floats) -> Ints:
    """The place of each row's last value; the last place where there is none."""
    return np.asarray(levels.shape[1] - 1 - np.isfinite(levels)[:, ::-1].argmax(axis=1), dtype=np.int64)
