"""What was masked in a chunk, and what stood there: many texts at once, for a line may hold thousands of them.

The compiled functions do what those beside them do with slices.
"""

from collections import Counter
from typing import Any

import numpy as np

from logship.engine.documents import Bytes, Int64
from logship.patterns.compiled import AVAILABLE, brief

_RETURN, _MASK = b"\r*"
_ROOM = 256


if AVAILABLE:

    @brief
    def _cover(data: Any, spans: Any, kept: Any, used: int) -> tuple[int, int]:
        count = 0
        for n in range(len(spans)):
            begin, end = spans[n, 0], spans[n, 1]
            seen = False
            for i in range(begin, end):
                kept[used + i - begin] = data[i]
                seen = seen or data[i] != _MASK
            if not seen:
                continue
            for i in range(begin, end):
                if data[i] != _RETURN:
                    data[i] = _MASK
            spans[count, 0], spans[count, 1] = begin, end
            used += end - begin
            count += 1
        return count, used

    @brief
    def _put_back(data: Any, spans: Any, kept: Any, used: int) -> None:
        for n in range(len(spans) - 1, -1, -1):
            begin, end = spans[n, 0], spans[n, 1]
            used -= end - begin
            for i in range(begin, end):
                data[i] = kept[used + i - begin]

else:

    def _cover(data: Bytes, spans: Int64, kept: Bytes, used: int) -> tuple[int, int]:
        """Mask spans that are not masked yet, and keep what they were; how many, moved to the beginning."""
        count = 0
        for begin, end in spans.tolist():
            text = data[begin:end]
            if (text == _MASK).all():
                continue
            kept[used : used + end - begin] = text
            text[text != _RETURN] = _MASK
            spans[count] = begin, end
            used += end - begin
            count += 1
        return count, used

    def _put_back(data: Bytes, spans: Int64, kept: Bytes, used: int) -> None:
        """Undo it, the last first."""
        for begin, end in spans[::-1].tolist():
            used -= end - begin
            data[begin:end] = kept[used : used + end - begin]


class Masked:
    """Masks texts, says what it masked, and puts it back; for one thread at a time."""

    def __init__(self) -> None:
        self._kept = np.empty(_ROOM, np.uint8)
        self._spans = np.empty((_ROOM, 2), np.int64)
        self._owners = np.empty(_ROOM, np.int64)
        self._numbers: dict[str, int] = {"": 0}
        self._count = self._used = 0

    def clear(self) -> None:
        """Begin with another chunk."""
        self._count = self._used = 0

    def cover(self, data: Bytes, spans: Int64, name: str = "") -> None:
        """Mask what is not masked yet.

        Args:
            data: the chunk.
            spans: begin and end of each text, in order; a rule of the user's may name texts that overlap.
            name: of the rule that is counted; empty for none.
        """
        mine = self._take(len(spans), name)
        mine[:] = spans
        self._kept = _roomy(self._kept, self._used, int((spans[:, 1] - spans[:, 0]).sum()))
        count, self._used = _cover(data, mine, self._kept, self._used)
        self._count += count

    def note(self, place: int, name: str) -> None:
        """Count a rule at a place where nothing needs to be masked."""
        self._take(1, name)[:] = place
        self._count += 1

    def counted(self, size: int) -> Counter[str]:
        """How often each rule masked something that begins before a place."""
        if not self._count:
            return Counter()
        begun = self._owners[: self._count][self._begins < size]
        times = np.bincount(begun, minlength=len(self._numbers)).tolist()
        return Counter({name: times[number] for name, number in self._numbers.items() if name and times[number]})

    def holds(self, place: int) -> bool:
        """Whether a place is inside something that was masked, or at the end of it."""
        return bool(((self._begins < place) & (place <= self._spans[: self._count, 1])).any())

    def marks(self) -> list[tuple[int, str]]:
        """Where each rule masked something."""
        names = list(self._numbers)
        rows = zip(self._begins.tolist(), self._owners[: self._count].tolist(), strict=True)
        return [(place, names[owner]) for place, owner in rows if owner]

    def put_back(self, data: Bytes) -> None:
        """Undo what was masked in the chunk."""
        if self._count:
            _put_back(data, self._spans[: self._count], self._kept, self._used)

    @property
    def _begins(self) -> Int64:
        return self._spans[: self._count, 0]

    def _take(self, count: int, name: str) -> Int64:
        """The next places of spans, marked as a rule's."""
        self._spans = _roomy(self._spans, self._count, count)
        self._owners = _roomy(self._owners, self._count, count)
        mine = slice(self._count, self._count + count)
        self._owners[mine] = self._numbers.setdefault(name, len(self._numbers))
        return self._spans[mine]


def _roomy(array: Any, used: int, more: int) -> Any:
    """An array, or a larger one that begins with what is used of it."""
    if used + more <= len(array):
        return array
    larger = np.empty((2 * (used + more), *array.shape[1:]), array.dtype)
    larger[:used] = array[:used]
    return larger
