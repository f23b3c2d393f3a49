"""What is usual: lines per tick of each row by hour of the week, and how far counts stray from that.

An hour of the week that was seen rarely leans on the same hour of other days, and that on the mean of all hours: each
is a mean of its own observations and of one of what it leans on. A level on top follows shifts that stay.

Work begins and ends on its own clock: at the full hour or in the middle of one, an hour later in winter. So what comes
now is held against all that is usual within an hour of now, where these hours are not alike.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from forewarn.base.clock import HOUR

Floats = NDArray[np.float64]
Single = NDArray[np.float32]

WEEK_HOURS, DAY_HOURS = 168, 24
TICK_MS = 10_000
MOST_ROWS = 1_000
SCALES = (6, 60)
"""Ticks of the windows that are judged: a minute, ten minutes."""
_KEEP_WEEKS, _KEEP_DAYS, _KEEP_HOURS = 4.0, 7.0, 48.0
_LEVEL_SHARE = 1 - 0.5 ** (1 / 4)
"""Of the distance to the last hour's level, what is taken over: a shift is half learned after four hours."""
_MOST_LEVEL = 1.6
_MOST_CHANGE = 3.0
"""An hour further off than this times what was expected counts as this far off."""
_KEEP_WINDOWS = 300.0
_PRIOR_DISPERSION, _PRIOR_WINDOWS = 0.1, 10.0
_MARGIN = 1.15
"""Tails are longer than those of a negative binomial, for what is usual is not known exactly either."""
_LEAST_MEAN = 2.0
_ALIKE = 2.5
"""Hours are alike where none has so many times as many lines as another, ..."""
_FEW_AN_HOUR = 3 * TICK_MS / HOUR
"""... or only as many more as chance brings."""
_STRAY, _STRAY_OF_FEW = 9.0, 1.5
"""A window counts as no further off than so many times what is ordinary; of few lines more is."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is usual of some rows within an hour of the windows that are judged now; lines per tick.

    Attributes:
        low: the least; where the hours are alike, what is expected now.
        high: the most; likewise.
        steady: what was seen in all these hours; 0 where one was unlike another.
    """

    low: Floats
    high: Floats
    steady: Floats


@dataclass(slots=True)
class Usual:
    """What is known of the rows of one data set.

    Attributes:
        week: mean lines per tick by hour of the week, and how many such hours it is a mean of.
        day: the same by hour of the day.
        hour: the same of all hours.
        level: logarithm of the recent level over what the hour says.
        dispersion: by scale, variance beyond Poisson's over the squared mean, and of how many windows.
    """

    week: Single
    week_seen: Single
    day: Single
    day_seen: Single
    hour: Single
    hour_seen: Single
    level: Single
    dispersion: Single
    windows: Single
    _worked_out: dict[tuple[int, int], Floats] = field(default_factory=dict, init=False)
    _ranges: dict[tuple[range, int], tuple[Floats, Floats, Floats]] = field(default_factory=dict, init=False)

    @classmethod
    def nothing(cls) -> "Usual":
        """Of rows that were never seen; memory is taken as rows are used."""
        widths = (WEEK_HOURS, WEEK_HOURS, DAY_HOURS, DAY_HOURS, 0, 0, 0, len(SCALES), len(SCALES))
        shapes = [(MOST_ROWS, width) if width else (MOST_ROWS,) for width in widths]
        return cls(*(np.zeros(shape, np.float32) for shape in shapes))

    def clear(self, row: int) -> None:
        """A row begins anew."""
        for name in KEPT:
            getattr(self, name)[row] = 0
        self._begin_anew()

    def join(self, row: int, into: int) -> None:
        """What was usual of a row comes on top of another's."""
        for means in (self.week, self.day, self.hour):
            means[into] += means[row]
        self._begin_anew()

    def expected(self, now_ms: int, rows: int) -> Floats:
        """Lines per tick that are usual now, of so many rows; between the middles of two hours in proportion."""
        half = (now_ms - HOUR // 2) / HOUR
        first = int(half)
        share = half - first
        return (1 - share) * self._at(first, rows) + share * self._at(first + 1, rows)

    def around(self, now_ms: int, rows: int) -> Around:
        """What is usual within an hour of the longest window that ends now, of so many rows."""
        low, high, steady = self._within(range((now_ms - SCALES[-1] * TICK_MS) // HOUR - 1, now_ms // HOUR + 2), rows)
        now = self.expected(now_ms, rows)
        alike = _alike(low, high)
        return Around(np.where(alike, now, low), np.where(alike, now, high), steady)

    def learn(self, hour: int, observed: Floats) -> None:
        """Lines per tick in an hour that is over (counted from the epoch), of the rows from the first on."""
        rows = len(observed)
        self._begin_anew()
        known = self.hour_seen[:rows] >= DAY_HOURS
        base = self._seasonal(hour, rows)
        shown = np.where(known, np.clip(observed, base / _MOST_CHANGE, base * _MOST_CHANGE + 0.01), observed)
        ratio = np.clip(np.log((observed + 0.01) / (base + 0.01)), -_MOST_LEVEL, _MOST_LEVEL)
        self.level[:rows] += np.where(known, _LEVEL_SHARE * (ratio - self.level[:rows]), 0)
        week, day = _hours(hour)
        for mean, seen, most in (
            (self.week[:rows, week], self.week_seen[:rows, week], _KEEP_WEEKS),
            (self.day[:rows, day], self.day_seen[:rows, day], _KEEP_DAYS),
            (self.hour[:rows], self.hour_seen[:rows], _KEEP_HOURS),
        ):
            np.add(seen, 1, out=seen)
            np.add(mean, (shown - mean) / np.minimum(seen, most), out=mean)

    def stray(self, scale: int, observed: Floats, mean: Floats, mask: NDArray[np.bool_]) -> None:
        """Learn from a window how far counts stray; of the rows in the mask."""
        rows = len(observed)
        mask = mask & (mean >= _LEAST_MEAN)
        safe = np.maximum(mean, _LEAST_MEAN)
        found = ((observed - safe) ** 2 - safe) / safe**2
        held, seen = self.dispersion[:rows, scale], self.windows[:rows, scale]
        found = np.minimum(found, _STRAY * (np.maximum(held, _PRIOR_DISPERSION) + _STRAY_OF_FEW / safe))
        seen += mask
        held += np.where(mask, (found - held) / np.clip(seen, 1, _KEEP_WINDOWS), 0)

    def dispersed(self, scale: int, row: int) -> float:
        """The dispersion of a row's counts, from what was seen and what is to be expected of any."""
        seen = min(float(self.windows[row, scale]), _KEEP_WINDOWS)
        held = max(0.0, float(self.dispersion[row, scale]))
        return _MARGIN * (seen * held + _PRIOR_WINDOWS * _PRIOR_DISPERSION) / (seen + _PRIOR_WINDOWS)

    def _at(self, hour: int, rows: int) -> Floats:
        """Of an hour; worked out once, for it changes only when something is learned."""
        found = self._worked_out.get((hour, rows))
        if found is None:
            if len(self._worked_out) > 8:
                self._worked_out.clear()
            found = self._worked_out[hour, rows] = self._seasonal(hour, rows) * np.exp(self.level[:rows])
        return found

    def _seen(self, hour: int, rows: int) -> Floats:
        """What was seen in just this hour of the week; where it never was, in this hour of the day."""
        week, day = _hours(hour)
        by_day = np.where(self.day_seen[:rows, day] > 0, self.day[:rows, day], self.hour[:rows])
        return np.where(self.week_seen[:rows, week] > 0, self.week[:rows, week], by_day).astype(np.float64)

    def _within(self, hours: range, rows: int) -> tuple[Floats, Floats, Floats]:
        """Of some hours the least and the most that is usual, and what was seen in all of them; worked out once."""
        found = self._ranges.get((hours, rows))
        if found is None:
            self._ranges.clear()
            seen = np.array([self._seen(hour, rows) for hour in hours])
            both = np.concatenate(([self._at(hour, rows) for hour in hours], seen))
            steady = _alike(seen.min(axis=0), seen.max(axis=0)) * seen.mean(axis=0) * np.exp(self.level[:rows])
            found = self._ranges[hours, rows] = both.min(axis=0), both.max(axis=0), steady
        return found

    def _begin_anew(self) -> None:
        self._worked_out.clear()
        self._ranges.clear()

    def _seasonal(self, hour: int, rows: int) -> Floats:
        week, day = _hours(hour)
        seen = self.day_seen[:rows, day]
        by_day = (self.hour[:rows] + seen * self.day[:rows, day]) / (1 + seen)
        seen = np.minimum(self.week_seen[:rows, week], _KEEP_WEEKS)
        found: Floats = (by_day + seen * self.week[:rows, week]) / (1 + seen)
        return found


KEPT = ("week", "week_seen", "day", "day_seen", "hour", "hour_seen", "level", "dispersion", "windows")
"""What of it outlives a process."""


def _alike(low: Floats, high: Floats) -> NDArray[np.bool_]:
    alike: NDArray[np.bool_] = low + _FEW_AN_HOUR >= high / _ALIKE
    return alike


def _hours(hour: int) -> tuple[int, int]:
    return hour % WEEK_HOURS, hour % DAY_HOURS
