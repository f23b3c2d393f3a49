"""Finds texts in chunks: in machine code, or by tables of bytes."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from logship.engine.documents import Bytes, Int64
from logship.patterns.compiled import AVAILABLE
from logship.shaping.buckets import WIDTH
from logship.shaping.triggers import FOUND, Trigger, look, tables_of

_ROOM = 4096


class Sieve:
    """Finds where a chunk holds any of some texts; for one thread at a time.

    Args:
        triggers: the texts.
        fast: whether to use machine code.
    """

    def __init__(self, triggers: Sequence[Trigger], *, fast: bool = AVAILABLE) -> None:
        tables = tables_of(tuple(triggers))
        self._search = _compiled() if fast else None
        self._first = (tables.halves, tables.whole)
        self._likely = tables.likely
        self._then = (tables.heads, tables.texts, tables.rows)
        columns = tables.whole.view(np.uint8).reshape(256, WIDTH)
        self._columns = [columns[:, k].tobytes() for k in range(WIDTH)]
        self._found = np.empty((_ROOM, FOUND), np.int64)

    def find(self, data: Bytes, size: int) -> Int64:
        """Begin, end and number of each text, in order; good until the next call.

        Args:
            data: the chunk, 64 bytes of slack behind it.
            size: its bytes.
        """
        while True:
            if self._search is not None:
                count = int(self._search(data, size, *self._first, *self._then, self._found))
            else:
                count = self._by_bytes(data, size)
            if count <= len(self._found):
                return self._found[:count]
            self._found = np.empty((2 * count, FOUND), np.int64)

    def _by_bytes(self, data: Bytes, size: int) -> int:
        places = max(size - 2, 0)
        chunk = data[: places + WIDTH - 1].tobytes()
        columns = (np.frombuffer(chunk.translate(column), np.uint8)[k:] for k, column in enumerate(self._columns))
        spots = np.flatnonzero(reduce(np.bitwise_and, (column[:places] for column in columns)) != 0)
        if len(spots):
            spots = spots[self._likely(np.frombuffer(chunk, np.uint8), spots)]
        text, found = data if AVAILABLE else chunk, self._found.ravel()
        count = 0
        for spot in spots.tolist():
            count = look(text, spot, size, *self._then, found, len(self._found), count)
        return count


def _compiled() -> Any:
    from logship.shaping.spots import search  # noqa: PLC0415  the extra may be missing

    return search
