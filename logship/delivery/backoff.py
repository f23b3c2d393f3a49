"""When to try again, and how much at once."""

import random
import threading
from types import TracebackType
from typing import Self

FIRST_WAIT = 0.25
LONGEST_WAIT = 5.0
"""Short, so that catching up begins soon after an outage: the few workers of a node hammer nothing."""
PAUSE_SECONDS = 15.0
"""Between tries while somebody has to mend something: credentials, rights, a block, a full disk."""
_LOOK_SECONDS = 0.2


def full_jitter(chance: random.Random, failures: int) -> float:
    """Seconds to wait after so many failures: anything up to a bound that doubles.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return chance.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures, 16)))


class Window:
    """How many requests may be under way at once: one more after a round of answers, half as many when it is too much.

    For use in a ``with`` block around a request; several threads use one.

    Args:
        most: its size at the beginning, and at most.
        stopping: ends waiting for a place.
    """

    def __init__(self, most: int, stopping: threading.Event) -> None:
        self._most = most
        self._size = float(most)
        self._busy = 0
        self._stopping = stopping
        self._changed = threading.Condition()

    @property
    def size(self) -> int:
        """Requests that may be under way now."""
        return int(self._size)

    def __enter__(self) -> Self:
        with self._changed:
            while self._busy >= self.size and not self._stopping.is_set():
                self._changed.wait(_LOOK_SECONDS)
            self._busy += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify()

    def widen(self) -> None:
        """A request was taken."""
        if self._size < self._most:
            with self._changed:
                self._size = min(float(self._most), self._size + 1 / self._size)
                self._changed.notify()

    def halve(self) -> None:
        """The server has too much to do."""
        with self._changed:
            self._size = max(1.0, self._size / 2)
