"""Counters of the hardware made whole: totals that never go back."""

from typing import Final

from collector.nvml.wire import Cell

_SPAN: Final = 2**32


class Odometer:
    """A total over parts whose counters begin anew one by one, as that of a link does when it is trained again."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}
        self.total = 0.0

    def take(self, part: int, count: float) -> None:
        """Take in what the part's counter shows; one that shows less than before has begun anew."""
        before = self._last.get(part, 0.0)
        self.total += count - before if count >= before else count
        self._last[part] = count


class Unwrapped:
    """A counter of 32 bits that begins anew at 2**32, which at the speed of PCIe may be many times a second."""

    def __init__(self) -> None:
        self._last: float | None = None
        self.total = 0.0

    def take(self, count: float, expected: float | None = None) -> float:
        """Take in what the counter shows; returns the total.

        Args:
            count: what it shows now.
            expected: about how much it has counted since the last time, where that is known; without it, what goes
                beyond 2**32 between two times is missed.
        """
        if self._last is None:
            self.total = count
        else:
            step = (count - self._last) % _SPAN
            self.total += step + _SPAN * max(0, round(((expected or 0.0) - step) / _SPAN))
        self._last = count
        return self.total


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
