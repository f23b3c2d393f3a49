"""Jumps and drops: windows of a minute and of ten minutes beside what is usual at this hour of the week."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from forewarn.base.clock import HOUR
from logship.anomalies.tails import at_least, at_most
from logship.anomalies.usual import DAY_HOURS, KEPT, MOST_ROWS, SCALES, TICK_MS, Around, Floats, Usual

Kind = Literal["rate_jump", "rate_drop", "source_silent", "heartbeat_missing", "new_template", "request_sequence"]

WHOLE = 0
"""The row of a data set as a whole."""
FACTOR = 2.5
"""A jump or a drop is at least by so much."""
HOLDS = math.sqrt(FACTOR)
"""It goes on while the rate is off by this."""
LEAST_LINES = 10
LEAST_EXPECTED = 5.0
_SPAN = SCALES[-1]
_TICKS_A_DAY = 86_400_000 // TICK_MS
_LOOKS = 3.0
"""Windows that overlap give as many chances as so many side by side."""
_WINDOWS_A_DAY = _LOOKS * _TICKS_A_DAY / SCALES[-1]
_LEAST_TICKS = 30
_FEW_ROWS = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that chance rarely brings.

    Attributes:
        row: whose.
        kind: what it is.
        observed: lines in the window.
        expected: lines that are usual in it.
        seconds: length of the window.
        score: 1 less the number of such findings that chance brings a day.
    """

    row: int
    kind: Kind
    observed: float
    expected: float
    seconds: float
    score: float


class Rates:
    """The windows of the rows of one data set."""

    def __init__(self, usual: Usual) -> None:
        self.usual = usual
        self._ring = np.zeros((_SPAN, MOST_ROWS))
        self._sums = np.zeros((len(SCALES), MOST_ROWS))
        self._steady = 0
        self._hour = -1
        self._hour_sum = np.zeros(MOST_ROWS)
        self._hour_ticks = np.zeros(MOST_ROWS)

    def clear(self, row: int) -> None:
        """A row begins anew."""
        self.usual.clear(row)
        self._ring[:, row] = self._sums[:, row] = 0
        self._hour_sum[row] = self._hour_ticks[row] = 0

    def tick(self, now_ms: int, counts: Floats, expected: Floats, *, current: bool, upset: NDArray[np.bool_]) -> None:
        """Take in the counts of a tick.

        Args:
            now_ms: its end.
            counts: lines of each row.
            expected: of each row.
            current: whether the lines were written in this tick; else nothing is learned or judged from them.
            upset: rows of which something is anomalous now; how far they stray is not learned.
        """
        rows = len(counts)
        hour = (now_ms - 1) // HOUR
        if hour != self._hour:
            self._learn_hour(rows)
            self._hour = hour
        if not current:
            self._steady = 0
            self._sums[:] = 0
            return
        for scale, ticks in enumerate(SCALES):
            self._sums[scale, :rows] += counts
            if self._steady >= ticks:
                self._sums[scale, :rows] -= self._ring[(self._steady - ticks) % _SPAN, :rows]
        self._ring[self._steady % _SPAN, :rows] = counts
        self._steady += 1
        self._hour_sum[:rows] += counts
        self._hour_ticks[:rows] += 1
        for scale, ticks in enumerate(SCALES):
            if self._steady % ticks == 0:
                known = (self.usual.hour_seen[:rows] >= DAY_HOURS) & ~upset
                self.usual.stray(scale, self.window(scale, rows), ticks * expected, known)

    def window(self, scale: int, rows: int) -> Floats:
        """Lines of each row in the newest window."""
        return self._sums[scale, :rows]

    def held(self, row: int, kind: Kind, around: Around) -> bool:
        """Whether a row's rate is still off; so it is taken to be while nothing is known."""
        expected = float((around.high if kind == "rate_jump" else around.low)[row])
        scale = next((n for n, ticks in enumerate(SCALES) if ticks * expected >= LEAST_EXPECTED), len(SCALES) - 1)
        if self._steady < SCALES[scale]:
            return True
        observed, mean = float(self.window(scale, row + 1)[row]), SCALES[scale] * expected
        return observed > HOLDS * mean if kind == "rate_jump" else observed < mean / HOLDS

    def judge(self, around: Around, judged: NDArray[np.bool_]) -> list[Finding]:
        """What is improbable now.

        Args:
            around: what is usual of each row.
            judged: rows of which enough is known.
        """
        found: dict[int, Finding] = {}
        for scale, ticks in enumerate(SCALES):
            if self._steady >= ticks:
                for finding in self._judge(scale, ticks * around.low, ticks * around.high, judged):
                    if finding.row not in found or finding.score > found[finding.row].score:
                        found[finding.row] = finding
        return list(found.values())

    def _judge(self, scale: int, low: Floats, high: Floats, judged: NDArray[np.bool_]) -> Iterator[Finding]:
        observed = self.window(scale, len(low))
        usual = np.clip(observed, low, high)
        tests = _WINDOWS_A_DAY * max(1, int(judged.sum()))
        shared = _shared_change(observed, usual, judged)
        if judged[WHOLE] and (observed[WHOLE] == 0 or shared != 1.0):
            yield from self._tested(scale, WHOLE, (float(observed[WHOLE]), float(usual[WHOLE])), tests)
            if observed[WHOLE] == 0:
                return  # it says all that could be said of its templates
        low, high = low * min(1.0, shared), high * max(1.0, shared)
        many = (observed >= LEAST_LINES) & (observed >= FACTOR * high)
        few = (low >= LEAST_EXPECTED) & (observed <= low / FACTOR)
        for row in np.flatnonzero((many | few) & judged).tolist():
            if row != WHOLE:
                mean = high[row] if many[row] else low[row]
                yield from self._tested(scale, row, (float(observed[row]), float(mean)), tests)

    def _tested(self, scale: int, row: int, lines: tuple[float, float], tests: float) -> Iterator[Finding]:
        observed, mean = lines[0], max(lines[1], 1e-6)
        if mean / FACTOR < observed < FACTOR * mean:
            return
        more = observed > mean
        dispersion = self.usual.dispersed(scale, row)
        chance = (at_least if more else at_most)(observed, mean, dispersion)
        # Minutes of one burst are one chance; where lines come at random, each minute is one of its own.
        tests *= 1 + (SCALES[-1] / SCALES[scale] - 1) / (1 + dispersion * mean)
        kind: Kind = "rate_jump" if more else "rate_drop"
        if row == WHOLE and not observed:
            kind = "source_silent"
        seconds = SCALES[scale] * TICK_MS / 1000
        yield Finding(row, kind, observed, mean, seconds, max(0.0, 1 - math.exp(chance) * tests))

    def _learn_hour(self, rows: int) -> None:
        """Learn from the hour that is over; of a row that was not there for five minutes of it, nothing is known."""
        ticks = self._hour_ticks[:rows]
        if self._hour >= 0 and rows and ticks[WHOLE] >= _LEAST_TICKS:
            enough = np.flatnonzero(ticks >= _LEAST_TICKS)
            last = int(enough[-1]) + 1
            before = {row: self._kept(row) for row in np.flatnonzero(ticks[:last] < _LEAST_TICKS).tolist()}
            self.usual.learn(self._hour, self._hour_sum[:last] / np.maximum(ticks[:last], 1))
            for row, kept in before.items():
                self._put_back(row, kept)
        self._hour_sum[:rows] = self._hour_ticks[:rows] = 0

    def _kept(self, row: int) -> list[NDArray[np.float32]]:
        return [getattr(self.usual, name)[row].copy() for name in KEPT]

    def _put_back(self, row: int, kept: list[NDArray[np.float32]]) -> None:
        for name, values in zip(KEPT, kept, strict=True):
            getattr(self.usual, name)[row] = values


def _shared_change(observed: Floats, mean: Floats, judged: NDArray[np.bool_]) -> float:
    """By how much most templates' rates changed together: the median where it is a jump or a drop, else 1."""
    heard = judged & (mean >= LEAST_EXPECTED)
    heard[WHOLE] = False
    rows = int(heard.sum())
    much = heard & ((observed >= FACTOR * mean) | (FACTOR * observed <= mean))
    if rows < _FEW_ROWS or 2 * int(much.sum()) < rows:
        return 1.0
    change = float(np.median(observed[heard] / mean[heard]))
    return change if change >= FACTOR or change <= 1 / FACTOR else 1.0
