"""Many series judged window by window: how unusual is each against its recent level and against its usual day?

A value must be unusual in both ways, and outside the forecast's envelope where there is a forecast. Residuals are
smoothed over ``SMOOTH_HOURS`` and measured in units of their own usual size, which is learned robustly: what is
extreme counts as no more than ``CLIP`` times the usual. So single spikes count little, the daily rhythm counts nothing,
what becomes the new normal is learned within days, and a series that often deviates is heard less.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecast.anomalies.calibration import BAND_DEVIATION

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

HOUR_MS = 3_600_000
DAY_HOURS = 24
LEAST_AGE_HOURS = 48.0
LEAST_HOURS = 24.0
"""Before so many hours since the first value, and so many with values, nothing is judged."""
SMOOTH_HOURS = 1.0
LEVEL_HOURS = 1.0
OFFSET_HOURS = 24.0
SCALE_HOURS = 168.0
SPREAD_HOURS = 336.0
PROFILE_DAYS = 4.0
CLIP = 4.0
PRECISION = 1e-3
"""Residuals below this share of the mean are no deviation: readings are no more precise."""
SPREAD_SHARE = 1.0
"""Nor are those below this share of the mean distance from the usual day, extremes and all."""
HABIT = 6.0
HABIT_GROWTH = 2.0
HABIT_EVENTS = 3.0
"""A series that deviates by more than ``HABIT`` more often than so many times a week is heard less: each time its
unit grows, up to ``HABIT_GROWTH`` fold, and between them it shrinks."""
REST_HOURS = 6.0
DRIFT = 1.5
"""Usual deviations that a level shift's sum allows each hour (the reference value of a CUSUM)."""
MOST_SHIFT = 24.0
STILL_SHARE = 0.02


@dataclass(frozen=True)
class Envelope:
    """What the forecasts say of one window, for n series; NaN where there is none."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Verdict:
    """What one window says of n series.

    Attributes:
        deviation: the smallest smoothed deviation of all that are looked at, in units of the usual one; NaN where there
            is no value or not history enough.
        seasonal: the one from the usual day alone.
        expected: what the window was expected to bring.
        shift: one-sided sum of deviations, in hours times usual deviations; the sign is its direction.
        still: hours without a change, over the longest such time that was usual (an hour at least).
        still_hours: hours without a change.
        longest: the longest such time that was usual.
    """

    deviation: Floats
    seasonal: Floats
    expected: Floats
    shift: Floats
    still: Floats
    still_hours: Floats
    longest: Floats


class _Seen(NamedTuple):
    known: Flags
    values: Floats
    residuals: Floats
    expected: Floats


class Detector:
    """The state of n series, some 350 bytes each. Feed it windows in the order of time."""

    def __init__(self, count: int) -> None:
        self._profile = np.full((count, DAY_HOURS), np.nan, dtype=np.float32)
        self._seen = np.zeros((count, DAY_HOURS), dtype=np.float32)
        self._level, self._anchor = np.full((2, count), np.nan)
        self._age, self._hours, self._offset, self._centre, self._spread = np.zeros((5, count))
        self._raw = np.full((2, count), np.nan)
        self._scale = np.full((2, count), np.nan)
        self._smooth = np.zeros((3, count))
        self._sums = np.zeros((2, count))
        self._still, self._longest = np.zeros((2, count))
        self._habit, self._habit_before = np.full((2, count), HABIT)
        self._quiet = np.full(count, np.inf)
        self._time_ms: int | None = None

    def step(self, time_ms: int, values: Floats, hours: float, envelope: Envelope | None = None) -> Verdict:
        """Judge a window, then learn it.

        Args:
            time_ms: start of the window.
            values: its mean of each series, NaN where it has none.
            hours: its length.
            envelope: what the forecasts expect of it.
        """
        known = np.isfinite(values)
        passed = hours if self._time_ms is None else max(hours, (time_ms - self._time_ms) / HOUR_MS)
        self._time_ms = time_ms
        fresh = known & np.isnan(self._level)
        self._level = np.where(fresh, values, self._level)
        self._anchor = np.where(fresh, values, self._anchor)
        self._hours += np.where(known, hours, 0.0)
        self._age += np.where(np.isfinite(self._level), passed, 0.0)
        profile = self._usual_at(time_ms, hours)
        has_day = np.isfinite(profile)
        expected = np.where(has_day, profile + self._offset, self._level)
        residuals = np.stack([values - self._level, values - expected])
        verdict = self._judge(_Seen(known, values, residuals, expected), passed, envelope)
        self._learn(known, residuals, hours)
        self._level += np.where(known, _rate(hours, LEVEL_HOURS) * self._tame(residuals)[0], 0.0)
        self._offset += np.where(known & has_day, _rate(hours, OFFSET_HOURS) * self._tame(residuals)[1], 0.0)
        self._learn_day(known, values, time_ms, hours)
        self._learn_spread(known, values, residuals[1], hours)
        self._learn_stillness(known, values, hours)
        return verdict

    def _usual_at(self, time_ms: int, hours: float) -> Floats:
        """The profile, between the middles of two hours."""
        hour = (time_ms / HOUR_MS + hours / 2) % DAY_HOURS - 0.5
        share = hour - np.floor(hour)
        left = int(np.floor(hour)) % DAY_HOURS
        before, after = self._profile[:, left], self._profile[:, (left + 1) % DAY_HOURS]
        return np.asarray(before if share == 0 else before * (1 - share) + after * share, dtype=np.float64)

    def _judge(self, seen: "_Seen", passed: float, envelope: Envelope | None) -> Verdict:
        known, values, residuals, expected = seen
        ahead = np.full(values.shape, np.nan) if envelope is None else values - envelope.mean
        news = np.vstack([residuals, ahead])
        usable = np.isfinite(news)
        keep = np.exp(-passed / SMOOTH_HOURS)
        self._smooth = np.where(usable, self._smooth * keep + np.nan_to_num(news) * (1 - keep), self._smooth)
        self._smooth[2] = np.where(known & ~usable[2], 0.0, self._smooth[2])
        floor = np.maximum(PRECISION * np.abs(self._centre), SPREAD_SHARE * self._spread) + 1e-12
        unit = np.fmax(self._scale, floor)
        ripe = known & (self._age > LEAST_AGE_HOURS) & (self._hours > LEAST_HOURS)
        local, seasonal = np.where(ripe, np.abs(self._smooth[:2]) / unit, np.nan)
        beyond = self._beyond(envelope)
        deviation = self._heard(np.fmin(np.minimum(local, seasonal), beyond), ripe, passed)
        signed = np.clip(np.where(ripe, self._smooth[1] / unit[1], 0.0), -CLIP, CLIP)
        pushes = (np.stack([signed, -signed]) - DRIFT) * min(passed, 1.0)
        self._sums = np.where(known, np.clip(self._sums + pushes, 0.0, MOST_SHIFT), self._sums)
        up, down = self._sums
        still = np.where(ripe & (self._longest > 0), self._still / np.maximum(self._longest, 1.0), 0.0)
        centre = expected if envelope is None else np.where(np.isfinite(envelope.mean), envelope.mean, expected)
        shift = np.where(up >= down, up, -down)
        return Verdict(deviation, seasonal, centre, shift, still, self._still.copy(), self._longest.copy())

    def _beyond(self, envelope: Envelope | None) -> Floats:
        """Deviation from the forecast, so scaled that the edge of its 95 % band is what 5 % of normal time exceeds."""
        if envelope is None:
            return np.full(self._level.shape, np.nan)
        edge = np.where(self._smooth[2] > 0, envelope.high - envelope.mean, envelope.mean - envelope.low)
        return np.asarray(BAND_DEVIATION * np.abs(self._smooth[2]) / np.maximum(edge, 1e-12))

    def _heard(self, deviation: Floats, ripe: Flags, passed: float) -> Floats:
        heard = deviation * HABIT / self._habit
        loud = ripe & (np.nan_to_num(deviation) > self._habit)
        self._habit_before = np.where(loud & (self._quiet > REST_HOURS), self._habit, self._habit_before)
        most = np.minimum(np.nan_to_num(deviation), self._habit_before * HABIT_GROWTH)
        calm = np.exp(-np.log(HABIT_GROWTH) * HABIT_EVENTS * passed / (7 * DAY_HOURS))
        rested = np.where(ripe, np.maximum(HABIT, self._habit * calm), self._habit)
        self._habit = np.where(loud, np.maximum(self._habit, most), rested)
        self._quiet = np.where(loud, 0.0, self._quiet + passed)
        return np.asarray(heard)

    def _tame(self, residuals: Floats) -> Floats:
        bound = _bound(self._raw)
        return np.clip(residuals, -bound, bound)

    def _learn(self, known: Flags, residuals: Floats, hours: float) -> None:
        rate = np.maximum(_rate(hours, SCALE_HOURS), hours / np.maximum(self._hours, hours))
        for state, news in ((self._raw, np.abs(residuals)), (self._scale, np.abs(self._smooth[:2]))):
            learned = np.where(np.isnan(state), news, state + rate * (np.minimum(news, _bound(state)) - state))
            state[:] = np.where(known, learned, state)

    def _learn_day(self, known: Flags, values: Floats, time_ms: int, hours: float) -> None:
        hour = int(time_ms // HOUR_MS) % DAY_HOURS
        seen = self._seen[:, hour] + np.where(known, hours, 0.0)
        old = np.where(np.isnan(self._profile[:, hour]), values, self._profile[:, hour])
        bound = np.where(seen > 1.0, _bound(self._raw[1]), np.inf)
        rate = np.minimum(1.0, hours / np.clip(seen, hours, PROFILE_DAYS))
        learned = old + rate * np.clip(values - old, -bound, bound)
        self._profile[:, hour] = np.where(known, learned, self._profile[:, hour])
        self._seen[:, hour] = seen

    def _learn_spread(self, known: Flags, values: Floats, missed: Floats, hours: float) -> None:
        rate = np.maximum(_rate(hours, SPREAD_HOURS), hours / np.maximum(self._hours, hours))
        self._centre += np.where(known, rate * (values - self._centre), 0.0)
        self._spread += np.where(known, rate * (np.abs(missed) - self._spread), 0.0)

    def _learn_stillness(self, known: Flags, values: Floats, hours: float) -> None:
        moved = known & (np.abs(values - self._anchor) > STILL_SHARE * np.nan_to_num(self._raw[0]))
        faded = self._longest * np.exp(-self._still / (4 * SCALE_HOURS))
        self._longest = np.where(moved, np.maximum(faded, self._still), self._longest)
        self._still = np.where(moved, 0.0, self._still + np.where(known, hours, 0.0))
        self._anchor = np.where(moved, values, self._anchor)


def _rate(hours: float, memory: float) -> float:
    return float(1 - np.exp(-hours / memory))


def _bound(scale: Floats) -> Floats:
    """How much may be learned from one value; without limit while nothing is known."""
    return np.where(np.nan_to_num(scale) > 0, CLIP * np.nan_to_num(scale), np.inf)
