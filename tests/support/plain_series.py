"""What the store must answer, computed one sample at a time."""

import math
from dataclasses import dataclass, field
from itertools import pairwise

from collector.store import Rollup, Table


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

    def rates(self, start_ms: int, end_ms: int, step_ms: int) -> list[tuple[int, float]]:
        """Growth a second since the window before that has samples; none in the very first window."""
        rows = {row[0]: row[-1] for row in self.rollup(-(2**40), 2**43, step_ms)}
        pairs = pairwise(sorted(int(window) for window in rows))
        start_ms, end_ms = start_ms // step_ms * step_ms, math.ceil(end_ms / step_ms) * step_ms
        return [(w, rows[w] / ((w - before) / 1000)) for before, w in pairs if start_ms <= w < end_ms]

    def _row(self, window: int, values: list[float], increase: float) -> tuple[float, ...]:
        if self.counter:
            return (window, len(values), values[0], values[-1], increase)
        return (window, len(values), values[0], values[-1], min(values), max(values), sum(values))


def rows_of(rollup: Rollup, *, counter: bool) -> list[tuple[float, ...]]:
    """A roll-up in the form of ``PlainSeries.rollup``."""
    levels = (rollup.increase,) if counter else (rollup.min, rollup.max, rollup.sum)
    columns = (rollup.times, rollup.count, rollup.first, rollup.last, *levels)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def rows_of_table(table: Table, line: int) -> list[tuple[float, ...]]:
    """A line of a table in the form of ``PlainSeries.rollup``, without the first values."""
    names = ("count", "last", "increase") if table.series[line].counter else ("count", "last", "min", "max", "sum")
    there = table["count"][line] > 0
    columns = (table.times[there], *(table[name][line][there] for name in names))
    return list(zip(*(column.tolist() for column in columns), strict=True))
