"""A counter of 32 bits, followed with what is known of its rate."""

from collector.nvml.odometer import Unwrapped
from collector.nvml.wire import Cell


class Meter:
    """Makes the counter whole.

    Args:
        rate: tells how much it counted a second, on the mean since the last round; None where nobody does.
    """

    def __init__(self, rate: Cell | None) -> None:
        self._rate = rate
        self._counter = Unwrapped()
        self._taken = 0
        self._last = 0.0

    @property
    def blind(self) -> bool:
        """Whether the second value is at hand and no rate is: it is known by then, or never."""
        return self._taken == 1 and (self._rate is None or self._rate.value is None)

    def take(self, count: float, time: float) -> float:
        """Take in what the counter showed at that time, in seconds; returns the total."""
        rate = self._rate.value if self._rate else None
        expected = None if rate is None else rate * (time - self._last)
        self._taken += 1
        self._last = time
        return self._counter.take(count, expected)
