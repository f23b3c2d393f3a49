"""When a file had which size: of any byte of it, since when it is there at the latest."""

from collections import deque

from logship.feed import LATE_MS

_MOST_MARKS = 256


class Growth:
    """Sizes of a file over time; when they get many, every second one is forgotten.

    Attributes:
        end: the largest one.
    """

    def __init__(self) -> None:
        self.end = 0
        self._found: int | None = None
        self._marks: deque[tuple[int, int]] = deque()

    def saw(self, size: int, time_ms: int) -> None:
        """The file has this size, and was written to last at this time (ms since the epoch)."""
        self._found = size if self._found is None else self._found
        self.end = max(self.end, size)
        if self._marks and size <= self._marks[-1][0]:
            return
        if len(self._marks) >= _MOST_MARKS:
            self._marks = deque(list(self._marks)[1::2])
        self._marks.append((size, time_ms))

    def since(self, offset: int) -> int | None:
        """When the byte at an offset was written, at the latest; None where it was not seen yet."""
        return next((time_ms for size, time_ms in self._marks if size > offset), None)

    def is_late(self, offset: int, now_ms: int, birth_ms: int) -> bool:
        """Whether the byte at an offset may be an older one: what was found at first may be as old as the file."""
        since = birth_ms if offset < (self._found or 0) else self.since(offset)
        return since is not None and now_ms - since > LATE_MS

    def forget(self, offset: int) -> None:
        """Bytes before an offset are asked of no more."""
        while self._marks and self._marks[0][0] <= offset:
            self._marks.popleft()

    def clear(self) -> None:
        """The file begins anew."""
        self.end, self._found = 0, 0
        self._marks.clear()
