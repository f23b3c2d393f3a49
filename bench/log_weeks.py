"""Weeks of log lines, counted every ten seconds by template: hours of the week, bursts, heartbeats, and faults."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from forewarn.base.clock import DAY, HOUR

TICK_MS = 10_000
START_MS = 1_799_625_600_000
"""A Monday, 00:00 UTC."""
TICKS_A_DAY = DAY // TICK_MS
_BURST_TICKS = 60
_BURST_SHAPE, _SHARED_SHAPE = 10.0, 20.0

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
    """Templates with rates of their own, all following one hour of the week.

    Args:
        rates: mean lines in ten seconds of each ordinary template.
        intervals: ticks between two lines of each heartbeat; they come behind the ordinary ones.
        news: templates that come in troubles only; behind the heartbeats.
        seed: of what is random.
    """

    def __init__(self, rates: Sequence[float], intervals: Sequence[int] = (), news: int = 0, seed: int = 0) -> None:
        self._rates = np.array(rates)
        self._intervals = intervals
        self._chance = np.random.default_rng(seed)
        self.ordinary, self.size = len(rates), len(rates) + len(intervals) + news
        hours = np.arange(168)
        daily = np.exp(0.8 * np.sin(2 * np.pi * (hours % 24 - 8) / 24))
        self._shape = daily * np.where(hours // 24 >= 5, 0.55, 1.0)

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
        means = np.outer(self._shape[ticks * TICK_MS // HOUR % 168], self._rates * level)
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
