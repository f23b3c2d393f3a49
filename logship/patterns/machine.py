"""Stage 1 with tables in arrays, read in machine code."""

from collections.abc import Sequence

import numpy as np

from logship.patterns.headers import Headers
from logship.patterns.kernel import PLACES, SHAPE, masked, powers, scan, shapes
from logship.patterns.stage import MASKS, MOST_SIGNATURES, MOST_TOKENS, Chunk, Int64, Places, Stop
from logship.patterns.table import keep, store

_CELLS = MOST_SIGNATURES * 4


class Machine:
    """Tables in arrays, read in machine code."""

    def __init__(self) -> None:
        self._factors = powers()
        self._elements = np.zeros(MOST_TOKENS, np.uint64)
        self._starts, self._stops = np.zeros((2, MOST_TOKENS), np.int64)
        self._looks = np.zeros(64, np.uint8)
        self._about = np.zeros(7, np.int64)
        self.forget()

    @property
    def size(self) -> int:
        """Signatures known."""
        return self._size

    def forget(self) -> None:
        """Begin anew."""
        self._size = 0
        self._keys = np.zeros(_CELLS, np.uint64)
        self._values = np.zeros(_CELLS, np.int32)
        self._masks = np.full((MOST_TOKENS + 1, MASKS, PLACES), -1, np.int64)

    def drop(self, slots: Sequence[int]) -> None:
        """Forget the signatures of some slots."""
        dropped = np.zeros(int(self._values.max()) + 1 + max(slots), np.bool_)
        dropped[list(slots)] = True
        keys, values = np.zeros_like(self._keys), np.zeros_like(self._values)
        self._size = keep(self._keys, self._values, dropped, keys, values)
        self._keys, self._values = keys, values

    def scan(self, chunk: Chunk, first: int, headers: Headers, counts: Int64, latest: Int64) -> Stop | None:
        """Fill in slots up to a line that is not known."""
        i = scan(
            chunk.data,
            chunk.starts,
            first,
            chunk.slots,
            headers.shapes,
            headers.cuts,
            headers.closed,
            self._keys,
            self._values,
            self._masks,
            self._factors,
            self._elements,
            self._starts,
            self._stops,
            self._looks,
            self._about,
            counts,
            latest,
            chunk.number,
        )
        if i == len(chunk.slots):
            return None
        why, count, begin, end, shape, *key = self._about.tolist()
        if why == SHAPE:
            return Stop(i, shape)
        elements = tuple(self._elements[:count].tolist())
        return Stop(i, None, chunk.data[begin:end].tobytes(), elements, np.array(key).view(np.uint64))

    def shapes(self, chunk: Chunk) -> Int64:
        """The leading shape of each line."""
        found = np.empty(len(chunk.slots), np.int64)
        shapes(chunk.data, chunk.starts, found)
        return found

    def learn(self, stop: Stop, slot: int, places: Places | None = None) -> None:
        """Set the slot of a signature, or of it with some tokens left out."""
        key, whole = stop.key
        if places is not None:
            key = masked(
                whole,
                np.array(stop.elements, np.uint64),
                self._factors,
                np.array([*places, -1, -1, -1, -1], np.int64),
                0,
            )
        store(self._keys, self._values, np.uint64(key), slot)
        self._size += 1

    def mask(self, count: int, places: Places) -> bool:
        """Try these places from now on; False where there is no room."""
        row = self._masks[count]
        for m in range(MASKS):
            if row[m, 0] < 0:
                row[m, : len(places)] = places
                return True
            if tuple(place for place in row[m].tolist() if place >= 0) == places:
                return True
        return False
