"""The probability to have reached a threshold, hour by hour."""

from dataclasses import dataclass

import numpy as np

from forecast.sources import Floats


@dataclass(frozen=True, slots=True)
class Crossing:
    """Of n questions the probability to have reached the threshold by the end of each hour, [n, 72], rising."""

    curve: Floats

    def by(self, hours: int) -> Floats:
        """The probability to reach it within so many hours, [n]."""
        return np.asarray(self.curve[:, hours - 1])

    def time(self, level: float) -> Floats:
        """The first hour by which the probability reaches the level, [n]; NaN where that lies beyond the horizon."""
        reached = self.curve >= level
        return np.where(reached.any(axis=1), reached.argmax(axis=1), np.nan)
