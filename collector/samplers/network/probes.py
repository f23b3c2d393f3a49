"""What the connects to one target add up to: jitter, loss, and the latencies of a window."""

from collections import deque

from collector.samplers.network.connects import Outcome

MIN_PROBES = 10
_ANSWERS = frozenset({"", "refused", "reset"})


class Probes:
    """The connects of the last ``window`` seconds."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._probes: deque[tuple[float, float | None, bool]] = deque()
        self._latency: float | None = None
        self._jitter: float | None = None

    def add(self, now: float, outcome: Outcome) -> None:
        """One more connect, at ``now`` seconds of a clock that never goes back."""
        lost = outcome.repeated or outcome.code not in _ANSWERS
        self._probes.append((now, outcome.seconds, lost))
        while self._probes[0][0] <= now - self._window:
            self._probes.popleft()
        if outcome.seconds is None:
            return
        if self._latency is not None:
            change = abs(outcome.seconds - self._latency)
            jitter = self._jitter or 0.0
            self._jitter = jitter + (change - jitter) / 16  # RFC 3550, 6.4.1
        self._latency = outcome.seconds

    def summary(self) -> dict[str, float]:
        """Values by the ends of their metrics' names; what cannot be said yet is left out."""
        found: dict[str, float] = {}
        latencies = [seconds for _, seconds, _ in self._probes if seconds is not None]
        if latencies:
            found["latency_min_seconds"] = min(latencies)
            found["latency_mean_seconds"] = sum(latencies) / len(latencies)
            found["latency_max_seconds"] = max(latencies)
        if self._jitter is not None:
            found["jitter_seconds"] = self._jitter
        if len(self._probes) >= MIN_PROBES:
            found["loss_ratio"] = sum(lost for _, _, lost in self._probes) / len(self._probes)
        return found
