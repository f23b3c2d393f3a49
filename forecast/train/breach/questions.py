"""Windows and thresholds that the breach's net learns from, with features made by the serving code."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from forecast.breach.features import of_questions, of_series
from forecast.breach.turned import AT, SIDE_HOURS, Turned
from forecast.combiner import Combination, combine
from forecast.grid import DAY_HOURS, GRID_HOURS, WEEK_HOURS, Flags, Grid, Halves, Ints
from forecast.members.statistics import median
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats
from forecast.train.series import SHORTEST_HOURS, Hourly
from forecast.train.synthetic import Random, series

SHARE_CUT = 0.3
SHARE_ABOVE = 0.3
"""Of thresholds beyond which the series stands already, so many are kept."""
EVERY_HOURS = 11
MOST_WINDOWS = 120
MIXED_SIZES = (0.2, 1.0)
NEAR = 4
NEAREST_G, FARTHEST_G = -0.6, 1.4
"""So many thresholds lie so far from the last week's highest value, in units of its distance from the median."""
CAPACITIES = (1.0, 1.02, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0)
CHUNK = 500


@dataclass(frozen=True)
class Questions:
    """Thresholds of windows.

    Attributes:
        series: [n, inputs] of each window.
        asked: [m] of each question its window.
        inputs: [m, knots, inputs] of each question.
        crossed: [m, knots] whether the threshold had been reached by then.
        source: [m] which series it is of, by number.
        usual: [m] whether it asks what is usually asked: whether a value near the last week's highest will be risen to
            that the series does not stand beyond already.
    """

    series: Halves
    asked: Ints
    inputs: Halves
    crossed: Flags
    source: Ints
    usual: Flags

    @property
    def weight(self) -> Floats:
        """How much each question counts, [m]: those of a source together go with the root of their number."""
        return np.asarray(1 / np.sqrt(np.bincount(self.source)[self.source]))

    def rows(self, kept: Flags) -> "Questions":
        """Some of the questions."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        return Questions(**{name: part if name == "series" else part[kept] for name, part in columns.items()})

    @classmethod
    def joined(cls, parts: "Sequence[Questions]") -> "Questions":
        """All of them; of equal numbers the sources are the same."""
        before = np.cumsum([0, *(len(part.series) for part in parts)])
        columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)}
        columns["asked"] = np.concatenate([part.asked + at for part, at in zip(parts, before, strict=False)])
        return cls(**columns)


@dataclass(frozen=True)
class Windows:
    """Windows of 28 days and the 72 hours after them.

    Attributes:
        values: [n, 744], NaN where not known; the 72 hours are known whole.
        source: [n] which series each is of, by number.
        extreme: whether hours are maxima.
    """

    values: Floats
    source: Ints
    extreme: bool = False

    def rows(self, rows: slice) -> "Windows":
        """Some of them."""
        return Windows(self.values[rows], self.source[rows], self.extreme)


def ask(found: Windows, random: Random) -> Questions:
    """Thresholds of all windows, for rising to them and for falling to them."""
    parts: list[Questions] = []
    for begin in range(0, len(found.values), CHUNK):
        some = found.rows(slice(begin, begin + CHUNK))
        grid = Grid(0, some.values[:, :GRID_HOURS])
        combination = combine(grid, "max" if found.extreme else "mean")
        parts += [_asked(some, grid, combination, side, random) for side in (1.0, -1.0)]
    return Questions.joined(parts)


def _asked(found: Windows, grid: Grid, combination: Combination, side: float, random: Random) -> Questions:
    seen = Turned.of(grid, combination, side)
    limits = thresholds(side * grid.values, random)
    asked = np.repeat(np.arange(len(limits)), limits.shape[1])
    limit = limits.ravel()
    above = np.asarray((side * grid.values[asked, -SIDE_HOURS:] >= limit[:, None]).any(axis=1))
    kept = ~above | (random.random(limit.size) < SHARE_ABOVE)
    near = np.tile(np.arange(limits.shape[1]) < NEAR, len(limits))
    usual = (near & ~above)[kept] if side > 0 else np.zeros(int(kept.sum()), dtype=np.bool_)
    asked, limit = asked[kept], limit[kept]
    crossed = np.maximum.accumulate(side * found.values[asked, GRID_HOURS:] >= limit[:, None], axis=1)[:, AT]
    return Questions(
        of_series(seen, extreme=found.extreme).astype(np.float32),
        asked,
        of_questions(seen, asked, limit).astype(np.float32),
        crossed,
        found.source[asked],
        usual,
    )


def thresholds(past: Floats, random: Random) -> Floats:
    """Near the highest value of the last week, at quantiles of what was seen, at capacities beyond it, [n, 6]."""
    top = np.nanmax(past[:, -WEEK_HOURS:], axis=1)
    size = np.nanmax(np.abs(past), axis=1)
    height = np.maximum(top - median(past[:, -WEEK_HOURS:]), 1e-3 * size + 1e-9)
    count = len(past)
    g = random.uniform(NEAREST_G, FARTHEST_G, (count, NEAR))
    seen = np.array([np.nanquantile(row, random.uniform(0.75, 1)) for row in past])
    ever = np.nanmax(past, axis=1)
    beyond = ever + (random.choice(CAPACITIES, count) - 1) * np.maximum(np.abs(ever), height)
    return np.concatenate([top[:, None] + g * height[:, None], seen[:, None], beyond[:, None]], axis=1)


def synthetic(count: int, random: Random) -> Windows:
    """Windows of series that were never measured, each a series of its own."""
    made: list[Floats] = []
    while len(made) < count:
        window = _cut(series(random, GRID_HOURS + HORIZON_HOURS), random)
        largest = np.nanmax(np.abs(window[:GRID_HOURS]))
        if np.isfinite(window[GRID_HOURS - DAY_HOURS :]).all() and largest > 0:
            made.append(window / largest)
    return Windows(np.stack(made), np.arange(count))


def measured(sets: Sequence[Hourly], statistic: str, random: Random, most: int = MOST_WINDOWS) -> Windows:
    """Windows of measured series, drawn from all that are known whole, a part of them cut to a shorter past."""
    values, sources = [], []
    for number, one in enumerate(sets):
        hours = one.of(statistic)
        origins = np.arange(SHORTEST_HOURS, hours.size - HORIZON_HOURS + 1, EVERY_HOURS)
        for origin in random.permutation(origins)[:most]:
            window = np.full(GRID_HOURS + HORIZON_HOURS, np.nan)
            begin = max(0, origin - GRID_HOURS)
            window[GRID_HOURS - (origin - begin) :] = hours[begin : origin + HORIZON_HOURS]
            if _usable(window):
                values.append(_cut(window, random))
                sources.append(number)
    return Windows(np.stack(values), np.array(sources), statistic == "max")


def mixed(found: Windows, sets: Sequence[Hourly], count: int, random: Random) -> Windows:
    """Sums of two windows of one set, as of the series of the first."""
    past = found.values[:, :GRID_HOURS]
    size = np.nanmean(np.abs(past - np.nanmean(past, axis=1, keepdims=True)), axis=1)
    moving = np.flatnonzero(size > 0)
    belongs = np.array([one.source for one in sets])[found.source]
    one = random.choice(moving, count)
    other = np.array([random.choice(moving[belongs[moving] == belongs[row]]) for row in one])
    part = random.uniform(*MIXED_SIZES, count) * random.choice((-1.0, 1.0), count)
    values = found.values[one] / size[one, None] + part[:, None] * found.values[other] / size[other, None]
    kept = (found.source[one] != found.source[other]) & np.isfinite(values[:, GRID_HOURS - DAY_HOURS :]).all(axis=1)
    return Windows(values[kept], found.source[one][kept], found.extreme)


def _usable(window: Floats) -> bool:
    known = np.isfinite(window[:GRID_HOURS])
    return bool(np.isfinite(window[GRID_HOURS:]).all() and known[-1] and known.sum() >= 0.8 * SHORTEST_HOURS)


def _cut(window: Floats, random: Random) -> Floats:
    if random.random() < SHARE_CUT:
        window = window.copy()
        window[: GRID_HOURS - DAY_HOURS * int(np.exp(random.uniform(0, np.log(28))))] = np.nan
    return window
