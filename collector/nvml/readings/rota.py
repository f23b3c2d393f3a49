"""Whose turn it is: work that is due once in a period, spread evenly over the rounds in it."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Rota(Generic[T]):
    """Pieces of work that take turns; in the first round all of them are due.

    Args:
        period: seconds in which each has its turn once; 0 for every round.
        work: the pieces.
        shift: how many of them go to the end of the line, so that many lines are not all at the same piece.
    """

    def __init__(self, period: float, work: Iterable[T], *, shift: int = 0) -> None:
        self._period = period
        self._waiting = deque(work)
        self._waiting.rotate(-shift)
        self._last: float | None = None
        self._owed = 0.0

    def add(self, piece: T) -> None:
        """One more piece of work, whose turn is next."""
        self._waiting.appendleft(piece)

    def run(self, now: float, do: Callable[[T], Iterable[T]]) -> None:
        """Do what is due; ``do`` returns what takes the piece's place from now on: as a rule, the piece itself.

        Args:
            now: seconds that never go backwards.
            do: does one piece.
        """
        for _ in range(self._due(now)):
            self._waiting.extend(do(self._waiting.popleft()))

    def _due(self, now: float) -> int:
        count = len(self._waiting)
        if self._last is None or not self._period:
            self._last = now
            return count
        self._owed = min(self._owed + count * (now - self._last) / self._period, count)
        self._last = now
        due = int(self._owed)
        self._owed -= due
        return due
