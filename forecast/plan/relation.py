"""How a resource goes with a load: a robust curve that only rises, and what it says beyond the highest load seen."""

from dataclasses import dataclass

import numpy as np

from forecast.grid import Ints
from forecast.members.statistics import median
from forecast.sources import Floats

BINS = 40
FEWEST_HOURS = 72
FEWEST_DAYS = 4
LEAST_SWING = 0.2
"""The load's middle 90 % in units of its highest value: less says nothing about more load."""
LEAST_EXPLAINED = 0.5
FARTHEST = 1.5
"""No statement beyond so many times the highest load seen: queues do not stay on their line."""
DRAWS = 200
QUARTERS = 4
POINTS = 400


@dataclass(frozen=True, slots=True)
class Relation:
    """A level as a rising function of a load.

    Attributes:
        explained: part of the level's variance that the load explains on days left out of the fit.
        loads: [bins] rising.
        levels: [bins] of the fitted curve, never falling.
        slopes: [draws] of the upper half, each from days drawn anew; never below 0.
        errors: what the curve missed on days left out.
    """

    explained: float
    loads: Floats
    levels: Floats
    slopes: Floats
    errors: Floats

    @classmethod
    def of(cls, load: Floats, level: Floats, random: np.random.Generator) -> "Relation | str":
        """From hours of both that end together, NaN where missing; in words, why they cannot be related."""
        known = np.isfinite(load) & np.isfinite(level)
        day = np.arange(load.size)[known] // 24
        load, level = load[known], level[known]
        if load.size < FEWEST_HOURS or np.unique(day).size < FEWEST_DAYS:
            return f"{load.size} hours have both, {FEWEST_HOURS} on {FEWEST_DAYS} days are needed"
        low, high = np.quantile(load, [0.05, 0.95])
        if high - low < LEAST_SWING * np.abs(load).max() or load.max() <= 0:
            return "varies too little"
        if np.ptp(level) == 0:
            return "the resource does not move"
        errors = np.empty(level.size)
        for half in (0, 1):
            left_out = day % 2 == half
            errors[left_out] = level[left_out] - np.interp(load[left_out], *_curve(load[~left_out], level[~left_out]))
        explained = 1 - float((errors**2).mean() / level.var())
        return cls(explained, *_curve(load, level), _slopes(load, level, day, random), errors)

    def chance(self, loads: Floats, limit: float) -> Floats:
        """The probability that an hour at such a load finds the level at the limit, [m]."""
        beyond = np.maximum(loads - self.loads[-1], 0.0)
        expected = np.interp(loads, self.loads, self.levels)[:, None] + beyond[:, None] * self.slopes
        room = limit - expected
        ordered = np.sort(self.errors)
        return np.asarray((1 - np.searchsorted(ordered, room, side="left") / ordered.size).mean(axis=1))

    def load_at(self, limit: float, probability: float, highest: float) -> float | None:
        """The least load with that probability of a breach in an hour; None beyond 1.5 times the highest seen."""
        loads = np.linspace(0.0, FARTHEST * highest, POINTS)
        chance = np.maximum.accumulate(self.chance(loads, limit))
        reached = np.flatnonzero(chance >= probability)
        if not reached.size:
            return None
        place = int(reached[0])
        if place == 0:
            return 0.0
        return float(np.interp(probability, chance[place - 1 : place + 1], loads[place - 1 : place + 1]))


def _curve(load: Floats, level: Floats) -> tuple[Floats, Floats]:
    """Medians of equally many hours by load, made to rise by pooling neighbours (Ayer et al. 1955)."""
    order = np.argsort(load, kind="stable")
    parts = np.array_split(order, min(BINS, max(order.size // 8, 2)))
    loads = np.array([np.median(load[part]) for part in parts])
    return loads, rising(np.array([np.median(level[part]) for part in parts]))


def rising(values: Floats) -> Floats:
    """The nearest values, by least squares, that never fall."""
    means: list[float] = []
    sizes: list[int] = []
    for value in values.tolist():
        means.append(value)
        sizes.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            size = sizes[-2] + sizes[-1]
            means[-2:] = [(means[-2] * sizes[-2] + means[-1] * sizes[-1]) / size]
            sizes[-2:] = [size]
    return np.repeat(means, sizes)


def _slopes(load: Floats, level: Floats, day: Ints, random: np.random.Generator) -> Floats:
    """Theil's slope between the quarters of the upper half of loads, for days drawn with replacement, [draws]."""
    upper = load >= np.median(load)
    load, level, (days, place) = load[upper], level[upper], np.unique(day[upper], return_inverse=True)
    quarter = np.minimum(np.argsort(np.argsort(load)) * QUARTERS // load.size, QUARTERS - 1)
    cell = place * QUARTERS + quarter
    sums = [
        np.bincount(cell, weights, days.size * QUARTERS).reshape(days.size, QUARTERS)
        for weights in (np.ones(load.size), load, level)
    ]
    drawn = random.multinomial(days.size, np.full(days.size, 1 / days.size), DRAWS)
    count, loads, levels = (drawn @ one for one in sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        loads, levels = loads / count, levels / count
        first, second = np.triu_indices(QUARTERS, 1)
        run = loads[:, second] - loads[:, first]
        slopes = np.where(run > 0, (levels[:, second] - levels[:, first]) / run, np.nan)
    return np.maximum(np.nan_to_num(median(slopes)), 0.0)
