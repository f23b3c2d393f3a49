"""How fast counters grow: their newest values of the last minute, as rules on a rate need them."""

from collections import deque

from alerts.inputs import LatestSample
from collector.series import SeriesKey

WINDOW_MS = 60_000
LEAST_MS = 30_000
"""A rate is not known before a counter was seen for so long."""
_FORGOTTEN_MS = 600_000


class Rates:
    """Growth a second over the last minute, from one evaluation to the next."""

    def __init__(self) -> None:
        self._seen: dict[SeriesKey, deque[tuple[int, float]]] = {}

    def rate(self, sample: LatestSample) -> float | None:
        """Of a counter whose newest value this is; None before enough is known. One that begins anew is seen anew."""
        seen = self._seen.setdefault(sample.key, deque())
        if seen and sample.value < seen[-1][1]:
            seen.clear()
        if not seen or sample.time_ms > seen[-1][0]:
            seen.append((sample.time_ms, sample.value))
        while len(seen) > 2 and seen[1][0] <= sample.time_ms - WINDOW_MS:
            seen.popleft()
        (first_ms, first), (last_ms, last) = seen[0], seen[-1]
        return (last - first) / (last_ms - first_ms) * 1000 if last_ms - first_ms >= LEAST_MS else None

    def forget(self, now_ms: int) -> None:
        """Let go of counters that are gone."""
        for key in [key for key, seen in self._seen.items() if now_ms - seen[-1][0] > _FORGOTTEN_MS]:
            del self._seen[key]
