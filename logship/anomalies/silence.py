"""Heartbeats: templates that come at a regular interval, and go missing."""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from logship.anomalies.rates import WHOLE, Finding
from logship.anomalies.tails import silent_for
from logship.anomalies.usual import MOST_ROWS, TICK_MS, Floats

LEAST_GAPS = 12
LEAST_REGULAR = 2.5
"""The squared mean of a heartbeat's gaps over their variance, at least; of lines at random it is 1."""
LEAST_INTERVALS = 3.0
"""No sooner than after so many intervals with nothing."""
_KEEP_GAPS = 64.0
_LONG = 4.0
_STILL = 0.5
"""Lines for each of its intervals that a heartbeat has usually at this hour, at least."""
_QUANTUM = 1 / 3
"""Variance, in ticks, that comes from looking each tick only: of the sum of two uniform errors twice over."""
_TICKS_A_DAY = 86_400_000 // TICK_MS


@dataclass(slots=True)
class Silence:
    """Gaps between the ticks in which each row of one data set had lines.

    Attributes:
        last: tick of its newest lines.
        mean: of its gaps, in ticks.
        spread: their variance.
        gaps: how many were seen.
        missed: lines that were to be expected since.
    """

    last: Floats
    mean: Floats
    spread: Floats
    gaps: Floats
    missed: Floats

    @classmethod
    def nothing(cls) -> "Silence":
        """Of rows that were never seen."""
        return cls(*(np.zeros(MOST_ROWS) for _ in fields(cls)))

    def clear(self, row: int) -> None:
        """A row begins anew."""
        for field in fields(self):
            getattr(self, field.name)[row] = 0

    def begin(self, row: int, tick: int) -> None:
        """A row that is seen for the first time."""
        self.clear(row)
        self.last[row] = tick

    def rest(self, tick: int, rows: int) -> None:
        """What was written in this tick is not known: all wait anew."""
        self.last[:rows] = tick
        self.missed[:rows] = 0

    def tick(self, tick: int, counts: Floats, expected: Floats) -> None:
        """Take in the counts of a tick."""
        rows = len(counts)
        here = np.flatnonzero(counts)
        self.missed[:rows] += expected
        if counts[WHOLE] and self.held(WHOLE, tick):
            self.rest(tick - 1, rows)  # nobody could be heard: all wait anew
        gap = tick - self.last[here]
        gap = np.where(self.gaps[here] >= LEAST_GAPS, np.minimum(gap, _LONG * self.mean[here]), gap)
        seen = self.gaps[here] + (gap > 0)
        share = (gap > 0) / np.clip(seen, 1, _KEEP_GAPS)
        off = gap - self.mean[here]
        self.mean[here] += share * off
        self.spread[here] = (1 - share) * (self.spread[here] + share * off**2)
        self.gaps[here], self.last[here], self.missed[here] = seen, tick, 0

    def held(self, row: int, tick: int) -> bool:
        """Whether a row is still silent for longer than is usual."""
        return bool(tick - self.last[row] >= LEAST_INTERVALS * max(1.0, self.mean[row]))

    def judge(self, tick: int, steady: Floats, judged: NDArray[np.bool_]) -> list[Finding]:
        """Which rows are silent for longer than chance brings.

        Args:
            tick: now.
            steady: lines per tick that each row has at this hour, see ``Around``: what usually ends now is not missed.
            judged: rows of which enough is known.
        """
        rows = len(judged)
        silent = tick - self.last[:rows]
        long = (silent >= LEAST_INTERVALS * self.mean[:rows]) & (self.missed[:rows] >= LEAST_INTERVALS - 0.5)
        regular = (self.gaps[:rows] >= LEAST_GAPS) & (
            self.mean[:rows] ** 2 >= LEAST_REGULAR * (self.spread[:rows] + _QUANTUM)
        )
        due = judged & regular & long & (steady * self.mean[:rows] >= _STILL)
        alive = (self.last[:rows] < self.last[WHOLE]) & (not self.held(WHOLE, tick))
        alive[WHOLE] = True
        gaps_a_day = _TICKS_A_DAY * max(1, int(regular.sum()))
        found = []
        for row in np.flatnonzero(due & alive).tolist():
            mean = float(self.mean[row])
            chance = silent_for(float(silent[row]), mean, math.sqrt(float(self.spread[row]) + _QUANTUM))
            score = max(0.0, 1 - math.exp(chance) * gaps_a_day / mean)
            kind = "source_silent" if row == WHOLE else "heartbeat_missing"
            seconds, expected = float(silent[row]) * TICK_MS / 1000, float(silent[row]) / mean
            found.append(Finding(row, kind, 0.0, expected, seconds, score))  # type: ignore[arg-type]
        return found
