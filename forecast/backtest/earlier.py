"""How forecasts of the same file made earlier held, for the bands of those that are asked for.

Forecasts are made of every series that is asked about at whole multiples of 48 hours in the four weeks before each
origin, and judged by the hours that were over at the last such multiple, of whatever series. A series' own count for
four weeks and less the older they are; those of the file's other series count alike, however old.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forecast import adaptive
from forecast.backtest.answers import Kind, Statistic, fills
from forecast.backtest.hourly import HourlySeries
from forecast.backtest.origins import Origin
from forecast.backtest.windows import Windows
from forecast.combiner import combine
from forecast.grid import DAY_HOURS, Ints
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats

Progress = Callable[[int, int], None]
Places = np.ndarray[tuple[int, ...], np.dtype[np.int8]]
BATCH = 128
EVERY = adaptive.EVERY_HOURS


def widening(
    series: Mapping[str, HourlySeries],
    asked: Sequence[Origin],
    kind: Kind,
    statistic: Statistic,
    progress: Progress | None = None,
) -> Floats:
    """What the bands at each origin are to be multiplied by, [n, 2] of the 95 % and the 80 % band.

    Only what does not fill up by then is looked at.
    """
    names = list(dict.fromkeys(origin.series for origin in asked))
    owner = {name: place for place, name in enumerate(names)}
    judged_at = np.array([origin.hour // EVERY * EVERY for origin in asked], dtype=np.int64)
    whose = np.array([owner[origin.series] for origin in asked], dtype=np.int64)
    moments = _moments(series, names, judged_at, whose)
    record = _Record(
        np.array([moment.hour for moment in moments], dtype=np.int64),
        np.array([owner[moment.series] for moment in moments], dtype=np.int64),
        _judged(series, moments, kind, statistic, progress),
    )
    found = np.ones((len(asked), len(adaptive.BANDS)))
    for hour in np.unique(judged_at):
        rows = judged_at == hour
        found[rows] = record.factors(int(hour), len(names))[whose[rows]]
    return found


def _moments(series: Mapping[str, HourlySeries], names: Sequence[str], judged_at: Ints, whose: Ints) -> list[Origin]:
    """The earlier origins that somebody's look back reaches, each once, of series that are a day old by then."""
    found = []
    back = np.arange(EVERY, adaptive.LOOK_BACK_HOURS + EVERY, EVERY)
    for place, name in enumerate(names):
        hours = np.unique(np.subtract.outer(judged_at[whose == place], back))
        known = series[name].hours
        recent = np.searchsorted(known, hours) > np.searchsorted(known, hours - DAY_HOURS)
        found += [Origin(name, int(hour)) for hour in hours[recent & (hours >= known[0] + DAY_HOURS)]]
    return found


def _judged(
    series: Mapping[str, HourlySeries],
    moments: Sequence[Origin],
    kind: Kind,
    statistic: Statistic,
    progress: Progress | None,
) -> Places:
    """In which bins the scores of forecasts made at these moments lie, [k, 72, 2]."""
    found = np.empty((len(moments), HORIZON_HOURS, len(adaptive.BANDS)), dtype=np.int8)
    for begin in range(0, len(moments), BATCH):
        rows = slice(begin, begin + BATCH)
        some = Windows.of(series, moments[rows], statistic)
        told = adaptive.reaching(combine(some.grid, statistic).quantiles, some.grid)
        found[rows] = adaptive.places(told, some.actual)
        found[rows][fills(some.grid, kind)] = -1
        if progress is not None:
            progress(min(begin + BATCH, len(moments)), len(moments))
    return found


@dataclass(frozen=True, slots=True)
class _Record:
    """Earlier forecasts.

    Attributes:
        hour: [k] when each began.
        owner: [k] which series it is of.
        places: [k, 72, 2] in which bin its scores lie.
    """

    hour: Ints
    owner: Ints
    places: Places

    def factors(self, hour: int, count: int) -> Floats:
        """The factors of all series by what was over at this hour, [count, 2]; of others, however long ago."""
        own = self._tally(hour, count, adaptive.LOOK_BACK_HOURS, adaptive.MEMORY_HOURS)
        return adaptive.factors(own, np.zeros(count, dtype=np.int64), self._tally(hour, count, np.inf, np.inf))

    def _tally(self, hour: int, count: int, look_back: float, memory: float) -> Floats:
        rows = np.flatnonzero((self.hour < hour) & (self.hour >= hour - look_back))
        places, ages = self.places[rows].astype(np.int64), hour - self.hour[rows]
        return adaptive.tally(places, ages, self.owner[rows], count, memory)
