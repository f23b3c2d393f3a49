"""Counts of the log shipper, as samples for the parent."""

import threading
from collections import Counter

from forewarn.base.clock import Clock

RawSample = tuple[str, dict[str, str], float, bool]
"""Metric name, labels, value, whether it is a counter."""


class Stats:
    """Counts since the start; may be used from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lines = Counter({"acknowledged": 0, "duplicate": 0, "dead": 0})
        self._requests: Counter[str] = Counter()
        self._bytes = 0
        self._lost = 0
        self._lag: dict[str, int] = {}
        self._last_ack_ms: int | None = None
        self._up: bool | None = None

    def lines(self, outcomes: Counter[str]) -> None:
        """Lines came to their end: acknowledged, duplicate or dead."""
        with self._lock:
            self._lines.update(outcomes)

    def settled(self, size: int) -> None:
        """Bytes of log files were settled for good."""
        with self._lock:
            self._bytes += size
            self._last_ack_ms = self._clock.now_ms()

    def lost(self) -> None:
        """A file was given up before its end."""
        with self._lock:
            self._lost += 1

    def request(self, status: int) -> None:
        """A bulk request was answered; 0 means that it was not."""
        with self._lock:
            self._requests[str(status) if status else "none"] += 1

    def up(self, *, value: bool) -> bool:
        """The server takes logs, or does not; whether that is news."""
        with self._lock:
            changed, self._up = self._up is not value, value
            return changed

    def lag(self, lag: dict[str, int]) -> None:
        """Bytes that wait, by path."""
        with self._lock:
            self._lag = lag

    def samples(self) -> list[RawSample]:
        """All counts as they stand."""
        with self._lock:
            samples: list[RawSample] = [
                ("forewarn_logs_lines_total", {"outcome": outcome}, float(count), True)
                for outcome, count in self._lines.items()
            ]
            samples.append(("forewarn_logs_bytes_total", {}, float(self._bytes), True))
            samples.append(("forewarn_logs_files_lost_total", {}, float(self._lost), True))
            samples += [
                ("forewarn_logs_bulk_requests_total", {"status": status}, float(count), True)
                for status, count in sorted(self._requests.items())
            ]
            samples += [
                ("forewarn_logs_lag_bytes", {"path": path}, float(lag), False) for path, lag in self._lag.items()
            ]
            if self._up is not None:
                samples.append(("forewarn_logs_up", {}, float(self._up), False))
            if self._last_ack_ms is not None:
                samples.append(("forewarn_logs_last_ack_timestamp_seconds", {}, self._last_ack_ms / 1000, False))
            return samples
