"""The store's query surface over arrays in memory, for tests of what reads series: plain code, nothing tiered."""

import numpy as np
from numpy.typing import ArrayLike

from collector.series import Matcher, SeriesKey
from collector.store import Rollup, Series


class MemoryReader:
    """Series held as arrays; windows are computed sample by sample, whole also beyond the range's ends."""

    def __init__(self) -> None:
        self._data: list[tuple[Series, np.ndarray, np.ndarray]] = []

    def add(self, key: SeriesKey | str, times_ms: ArrayLike, values: ArrayLike, *, counter: bool = False) -> SeriesKey:
        key = SeriesKey.parse(key) if isinstance(key, str) else key
        times, samples = np.asarray(times_ms, dtype=np.int64), np.asarray(values, dtype=np.float64)
        order = np.argsort(times, kind="stable")
        self._data.append((Series(len(self._data), key, counter), times[order], samples[order]))
        return key

    def series(self, *matchers: Matcher) -> list[Series]:
        return [series for series, _, _ in self._data if all(matcher.matches(series.key) for matcher in matchers)]

    def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int) -> Rollup:
        series, times, values = self._data[series_id]
        growth = _growth(values) if series.counter else np.full(values.shape, np.nan)
        inside = (times >= start_ms // step_ms * step_ms) & (times < -(-end_ms // step_ms) * step_ms)
        times, values, growth = times[inside], values[inside], growth[inside]
        starts, first, count = np.unique(times // step_ms, return_index=True, return_counts=True)
        rows = [slice(begin, begin + size) for begin, size in zip(first, count, strict=True)]
        gauge = np.nan if series.counter else 1.0
        return Rollup(
            times=starts.astype(np.int64) * step_ms,
            min=np.array([values[row].min() * gauge for row in rows]),
            max=np.array([values[row].max() * gauge for row in rows]),
            sum=np.array([values[row].sum() * gauge for row in rows]),
            count=count.astype(np.int64),
            first=np.array([values[row][0] for row in rows]),
            last=np.array([values[row][-1] for row in rows]),
            increase=np.array([growth[row].sum() for row in rows]),
        )


def _growth(values: np.ndarray) -> np.ndarray:
    """From sample to sample; a smaller value means that the counter began again at 0."""
    steps = np.diff(values, prepend=values[:1])
    return np.where(steps < 0, values, steps)
