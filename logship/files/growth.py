"""When a file had which size: of any byte of it, since when it is there at the latest."""

from collections import deque

_MOST_MARKS = 256


class Growth:
    """Sizes of a file over time; when they get many, every second one is forgotten.

    Attributes:
        end: the largest one.
    """

    def __init__(self) -> None:
        self.end = 0
        self._marks: deque[tuple[int, int]] = deque()

    def saw(self, size: int, time_ms: int) -> None:
        """The file has this size, and was written to last at this time (ms since the epoch)."""
        self.end = max(self.end, size)
        if self._marks and size <= self._marks[-1][0]:
            return
        if len(self._marks) >= _MOST_MARKS:
            self._marks = deque(list(self._marks)[1::2])
        self._marks.append((size, time_ms))

    def since(self, offset: int) -> int | None:
        """When the byte at an offset was written, at the latest; None where it was not seen yet."""
        return next((time_ms for size, time_ms in self._marks if size > offset), None)

    def forget(self, offset: int) -> None:
        """Bytes before an offset are asked of no more."""
        while self._marks and self._marks[0][0] <= offset:
            self._marks.popleft()

    def clear(self) -> None:
        """The file begins anew."""
        self.end = 0
        self._marks.clear()
