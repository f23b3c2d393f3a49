"""Where a short text stands in a chunk of lines: 64 places at a time, by its last two bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from logship.engine.documents import Bytes, Int64
from logship.patterns.compiled import AVAILABLE, brief, compiled

_FIRST_ROOM = 1024

if AVAILABLE:
    from logship.engine.vectors import alike, lowest

    @brief
    def _places(data: Any, size: int, text: Any, pairs: Any, found: Any) -> int:
        """Write places to found; how many there are, also those that it has no room for."""
        length, count, i = len(text), 0, 0
        while i + 64 + length <= size:
            mask = alike(data, i + length - 1, pairs, 64) & alike(data, i + length - 2, pairs, 0)
            while mask:
                at = i + lowest(mask)
                mask &= mask - np.uint64(1)
                count = _note(data, at, text, found, count)
            i += 64
        for at in range(i, size - length + 1):
            count = _note(data, at, text, found, count)
        return count

    @compiled
    def _note(data: Any, at: int, text: Any, found: Any, count: int) -> int:
        for k in range(len(text)):
            if data[at + k] != text[k]:
                return count
        if count < len(found):
            found[count] = at
        return count + 1


class Finder:
    """Looks for one text, of two bytes at least, in one chunk after the other."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._bytes = np.frombuffer(text, np.uint8)
        self._pairs: NDArray[np.uint8] = np.repeat(self._bytes[-2:], 64)
        self._found = np.empty(_FIRST_ROOM, np.int64)

    def places(self, data: Bytes, size: int) -> Int64:
        """Where it begins in the first so many bytes; good until the next call."""
        if not AVAILABLE:
            return np.fromiter(_plainly(data[:size].tobytes(), self._text), np.int64)
        count = _places(data, size, self._bytes, self._pairs, self._found)
        if count > len(self._found):
            self._found = np.empty(2 * count, np.int64)
            _places(data, size, self._bytes, self._pairs, self._found)
        return self._found[:count]


def _plainly(data: bytes, text: bytes) -> Any:
    at = data.find(text)
    while at >= 0:
        yield at
        at = data.find(text, at + 1)
