"""What remote write says of itself."""

from collections import Counter
from dataclasses import dataclass, field

from collector.series import Sample, SeriesKey


@dataclass
class Tally:
    """Counts of one receiver since the start.

    Attributes:
        delivered: samples that the receiver took.
        retried: samples in requests that failed and are sent again.
        dropped: samples given up, by reason.
        requests: requests by status, or by the word for what went wrong.
        delivered_ms: everything up to here is delivered or dropped; None until the bookmark was read.
        success_ms: when the receiver last took something.
    """

    receiver: str
    delivered: int = 0
    retried: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    delivered_ms: int | None = None
    success_ms: int | None = None

    def samples(self, newest_ms: int | None) -> list[Sample]:
        """As metrics.

        Args:
            newest_ms: time of the newest sample in the store.
        """
        found = [
            self._counter("samples_total", self.delivered),
            self._counter("retried_samples_total", self.retried),
            *(self._counter("dropped_samples_total", count, reason=reason) for reason, count in self.dropped.items()),
            *(self._counter("requests_total", count, code=code) for code, count in self.requests.items()),
        ]
        if self.delivered_ms is not None and newest_ms is not None:
            found.append(self._gauge("lag_seconds", max(0, newest_ms - self.delivered_ms) / 1000))
        if self.success_ms is not None:
            found.append(self._gauge("last_success_timestamp_seconds", self.success_ms / 1000))
        return found

    def _counter(self, what: str, value: int, **labels: str) -> Sample:
        return Sample(self._key(what, labels), float(value), counter=True)

    def _gauge(self, what: str, value: float) -> Sample:
        return Sample(self._key(what, {}), value)

    def _key(self, what: str, labels: dict[str, str]) -> SeriesKey:
        return SeriesKey.of(f"forewarn_remote_write_{what}", receiver=self.receiver, **labels)
