"""What the store must answer, computed one sample at a time."""

import math
from dataclasses import dataclass, field

from collector.store import Rollup


@dataclass
class PlainSeries:
    """A series as a dict: the last written value of each time."""

    counter: bool = False
    points: dict[int, float] = field(default_factory=dict)

    def samples(self, start_ms: int, end_ms: int) -> list[tuple[int, float]]:
        return sorted((time, value) for time, value in self.points.items() if start_ms <= time < end_ms)

    def rollup(self, start_ms: int, end_ms: int, step_ms: int) -> list[tuple[float, ...]]:
        start_ms, end_ms = start_ms // step_ms * step_ms, math.ceil(end_ms / step_ms) * step_ms
        windows: dict[int, list[float]] = {}
        increases: dict[int, float] = {}
        before = None
        for time, value in sorted(self.points.items()):
            window = time // step_ms * step_ms
            windows.setdefault(window, []).append(value)
            step = 0.0 if before is None else value - before if value >= before else value
            increases[window] = increases.get(window, 0.0) + step
            before = value
        return [
            self._row(window, values, increases[window])
            for window, values in windows.items()
            if start_ms <= window < end_ms
        ]

    def _row(self, window: int, values: list[float], increase: float) -> tuple[float, ...]:
        if self.counter:
            return (window, len(values), values[0], values[-1], increase)
        return (window, len(values), values[0], values[-1], min(values), max(values), sum(values))


def rows_of(rollup: Rollup, *, counter: bool) -> list[tuple[float, ...]]:
    """A roll-up in the form of ``PlainSeries.rollup``."""
    levels = (rollup.increase,) if counter else (rollup.min, rollup.max, rollup.sum)
    columns = (rollup.times, rollup.count, rollup.first, rollup.last, *levels)
    return list(zip(*(column.tolist() for column in columns), strict=True))
