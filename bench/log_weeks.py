"""Weeks of log lines, counted every ten seconds by template: hours of the week, bursts, heartbeats, and faults."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from forewarn.base.clock import DAY, HOUR, MINUTE

TICK_MS = 10_000
START_MS = 1_799_625_600_000
"""A Monday, 00:00 UTC."""
TICKS_A_DAY = DAY // TICK_MS
_BURST_TICKS = 60
_BURST_SHAPE, _SHARED_SHAPE = 10.0, 20.0
_HALF_HOURS = 2 * 168
_OFFICE, _CLOSED = (8.5, 18.0), 0.2
_NIGHT = 2

Counts = NDArray[np.int64]
Fault = Literal["new", "jump", "drop", "heartbeat", "silent"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is done to the lines.

    Attributes:
        kind: a new template comes, one comes five times as often, one stops, a heartbeat stops, all lines stop.
        place: of the template; ignored where all stop.
        first: tick at which it begins.
        ticks: how long it lasts.
    """

    kind: Fault
    place: int
    first: int
    ticks: int


class Weeks:
    """Templates with rates of their own, following the hour of the week: most a curve, some steps.

    Args:
        rates: mean lines in ten seconds of each ordinary template.
        intervals: ticks between two lines of each heartbeat; they come behind the ordinary ones.
        news: templates that come in troubles only; behind the heartbeats.
        seed: of what is random.
        office: so many of the ordinary ones come five times as often from 8:30 to 18:00 on workdays.
        nightly: so many of them, the last ones, come from 2:00 to 3:00 only.
        winter: tick from which on everything comes an hour later.
    """

    def __init__(  # noqa: PLR0917  the parts of a week
        self,
        rates: Sequence[float],
        intervals: Sequence[int] = (),
        news: int = 0,
        seed: int = 0,
        office: int = 0,
        nightly: int = 0,
        winter: int | None = None,
    ) -> None:
        self._rates = np.array(rates)
        self._intervals = intervals
        self._chance = np.random.default_rng(seed)
        self.ordinary, self.size = len(rates), len(rates) + len(intervals) + news
        self._winter = winter
        hours = np.arange(_HALF_HOURS) / 2
        curve = np.exp(0.8 * np.sin(2 * np.pi * (hours // 1 % 24 - 8) / 24)) * np.where(hours // 24 >= 5, 0.55, 1.0)
        self._shapes = np.repeat(curve[:, None], self.ordinary, axis=1)
        steps = self.ordinary - office - nightly
        at_work = (hours // 24 < 5) & (hours % 24 >= _OFFICE[0]) & (hours % 24 < _OFFICE[1])
        self._shapes[:, steps : steps + office] = np.where(at_work, 1.0, _CLOSED)[:, None]
        self._shapes[:, steps + office :] = (hours // 1 % 24 == _NIGHT)[:, None]

    def ticks(self, first: int, last: int, troubles: Sequence[Trouble] = ()) -> Iterator[tuple[int, Counts]]:
        """The end of each tick in milliseconds, and the lines of each template in it."""
        begin = first
        while begin < last:
            end = min(last, begin - begin % _BURST_TICKS + _BURST_TICKS)
            level = self._chance.gamma(_BURST_SHAPE, 1 / _BURST_SHAPE, self.ordinary)
            level *= self._chance.gamma(_SHARED_SHAPE, 1 / _SHARED_SHAPE)
            for tick, counts in enumerate(self._counts(begin, end, level, troubles), begin):
                yield START_MS + (tick + 1) * TICK_MS, counts
            begin = end

    def _counts(self, begin: int, end: int, level: NDArray[np.float64], troubles: Sequence[Trouble]) -> Counts:
        ticks = np.arange(begin, end)
        local_ms = ticks * TICK_MS - (0 if self._winter is None else HOUR * (ticks >= self._winter))
        means = self._shapes[local_ms // (30 * MINUTE) % _HALF_HOURS] * (self._rates * level)
        counts = np.zeros((len(ticks), self.size), np.int64)
        on = [(one, (ticks >= one.first) & (ticks < one.first + one.ticks)) for one in troubles]
        on = [(one, while_on) for one, while_on in on if while_on.any()]
        for one, while_on in on:
            if one.kind == "jump":
                means[while_on, one.place] *= 5
        counts[:, : self.ordinary] = self._chance.poisson(means)
        for number, interval in enumerate(self._intervals):
            counts[:, self.ordinary + number] = (ticks + 7 * number) % interval == 0
        for one, while_on in on:
            if one.kind in {"drop", "heartbeat"}:
                counts[while_on, one.place] = 0
            elif one.kind == "new":
                lines = self._chance.poisson(0.5, len(ticks)) + (ticks == one.first)
                counts[while_on, one.place] = lines[while_on]
            elif one.kind == "silent":
                counts[while_on] = 0
        return counts
