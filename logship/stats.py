"""Counts of the log shipper, as samples for the parent."""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping

from forewarn.base.clock import Clock

RawSample = tuple[str, dict[str, str], float, bool]
"""Metric name, labels, value, whether it is a counter."""

OUTCOMES = ("acknowledged", "duplicate", "quarantined", "dead", "lost")
"""How a line may end: there, there already, in the failure store, refused and kept, gone before it was read."""
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0)
"""Upper bounds, in seconds, of the buckets of the time from writing to acknowledgement."""


class Stats:
    """Counts since the start; may be used from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lines = Counter(dict.fromkeys(OUTCOMES, 0))
        self._requests: Counter[str] = Counter()
        self._times = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self._bytes = 0
        self._lost_files = 0
        self._lag: Mapping[str, tuple[int, float]] = {}
        self._lag_samples: list[RawSample] | None = []
        self._last_ack_ms: int | None = None
        self._up: bool | None = None

    def lines(self, outcomes: Counter[str]) -> None:
        """Lines came to their end; see OUTCOMES."""
        with self._lock:
            self._lines.update(outcomes)

    def settled(self, size: int) -> None:
        """Bytes of sources were settled for good."""
        with self._lock:
            self._bytes += size
            self._last_ack_ms = self._clock.now_ms()

    def delivered(self, seconds: float, lines: int) -> None:
        """Lines arrived this long after the first of them was written."""
        seconds = max(0.0, seconds)
        with self._lock:
            self._times[bisect_left(BOUNDS, seconds)] += lines
            self._seconds += seconds * lines

    def lost(self) -> None:
        """A file was given up before its end."""
        with self._lock:
            self._lost_files += 1

    def request(self, status: int) -> None:
        """A bulk request was answered; 0 means that it was not."""
        with self._lock:
            self._requests[str(status) if status else "none"] += 1

    def up(self, *, value: bool) -> bool:
        """The server takes logs, or does not; whether that is news."""
        with self._lock:
            changed, self._up = self._up is not value, value
            return changed

    def lag(self, lag: Mapping[str, tuple[int, float]]) -> None:
        """Bytes that wait, and seconds that the first of them has waited, by path."""
        with self._lock:
            if lag != self._lag:
                self._lag, self._lag_samples = lag, None

    def samples(self) -> list[RawSample]:
        """All counts as they stand."""
        with self._lock:
            samples: list[RawSample] = [
                ("forewarn_logs_lines_total", {"outcome": outcome}, float(count), True)
                for outcome, count in self._lines.items()
            ]
            samples.append(("forewarn_logs_bytes_total", {}, float(self._bytes), True))
            samples.append(("forewarn_logs_files_lost_total", {}, float(self._lost_files), True))
            samples += [
                ("forewarn_logs_bulk_requests_total", {"status": status}, float(count), True)
                for status, count in sorted(self._requests.items())
            ]
            if self._lag_samples is None:
                self._lag_samples = list(_lags(self._lag))
            samples += self._lag_samples
            samples += self._histogram("forewarn_logs_delivery_seconds")
            if self._up is not None:
                samples.append(("forewarn_logs_up", {}, float(self._up), False))
            if self._last_ack_ms is not None:
                samples.append(("forewarn_logs_last_ack_timestamp_seconds", {}, self._last_ack_ms / 1000, False))
            return samples

    def _histogram(self, name: str) -> list[RawSample]:
        samples: list[RawSample] = []
        total = 0
        for bound, count in zip((*BOUNDS, "+Inf"), self._times, strict=True):
            total += count
            samples.append((f"{name}_bucket", {"le": str(bound)}, float(total), True))
        samples.append((f"{name}_sum", {}, self._seconds, True))
        samples.append((f"{name}_count", {}, float(total), True))
        return samples


def _lags(lag: Mapping[str, tuple[int, float]]) -> Iterator[RawSample]:
    for path, (size, seconds) in lag.items():
        yield "forewarn_logs_lag_bytes", {"path": path}, float(size), False
        yield "forewarn_logs_lag_seconds", {"path": path}, seconds, False
