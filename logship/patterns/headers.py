"""The headers of all sources: learned from lines that look alike, again while there are few of them."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logship.patterns.header import SURE, Header, learn
from logship.patterns.table import store

MOST_SHAPES = 256
"""Leading shapes of a source that have a header."""
MOST_SOURCES = 2_000
"""Sources whose headers are known: the ones that spoke last."""
MOST_HELD = 4 << 20
"""Bytes of lines that are held until there are enough to be sure of a header."""
LONGEST_LINE = 512
"""Bytes of a line that its header is looked for in."""
_OBJECT_BYTES = 64
_FIRST_CELLS = 16
_SPARE = 4
"""Cells of the table for each shape in it."""


@dataclass(slots=True)
class Headers:
    """The headers of one source, by leading shape.

    Attributes:
        known: the header of each shape.
        wanted: shapes at whose next line a scan stops, for too few of their lines were seen.
        shapes: the same as a table: the shapes,
        cuts: and columns, rule and whether it is wanted, beside them.
    """

    known: dict[int, Header] = field(default_factory=dict)
    wanted: set[int] = field(default_factory=set)
    shapes: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(_FIRST_CELLS, np.uint64))
    cuts: NDArray[np.int32] = field(default_factory=lambda: np.zeros((_FIRST_CELLS, 3), np.int32))

    @property
    def closed(self) -> bool:
        """Whether there are so many that a line of another shape has no header."""
        return len(self.known) >= MOST_SHAPES

    def put(self, shape: int, header: Header) -> None:
        """Set the header of a leading shape."""
        self.known[shape] = header
        if _SPARE * len(self.known) > len(self.shapes):
            cells = 2 * len(self.shapes)
            self.shapes, self.cuts = np.zeros(cells, np.uint64), np.zeros((cells, 3), np.int32)
            for known in self.known:
                self._write(known)
        self._write(shape)

    def want(self, shape: int, *, wanted: bool) -> None:
        """Set whether a scan stops at the next line of a shape."""
        if wanted != (shape in self.wanted):
            (self.wanted.add if wanted else self.wanted.remove)(shape)
            self._write(shape)

    def _write(self, shape: int) -> None:
        header = self.known[shape]
        cut = np.array([header.columns, header.rule, shape in self.wanted], np.int32)
        with np.errstate(over="ignore"):
            store(self.shapes, self.cuts, np.uint64(shape), cut)


class Sources:
    """What is known of each source, and the lines of shapes of which there are too few yet."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Headers] = OrderedDict()
        self._few: OrderedDict[tuple[str, int], list[bytes]] = OrderedDict()
        self._held = 0

    def __len__(self) -> int:
        return len(self._known)

    def of(self, source: str) -> Headers:
        """The headers of a source, which speaks now."""
        headers = self._known.get(source)
        if headers is None:
            headers = self._known[source] = Headers()
            if len(self._known) > MOST_SOURCES:
                self._drop()
        self._known.move_to_end(source)
        return headers

    def learn(self, source: str, shape: int, lines: list[bytes]) -> None:
        """Learn a header from more lines of a leading shape; a scan does not stop there until ``ask_again``."""
        headers = self._known[source]
        lines = [*self._taken(source, shape), *lines]
        if shape not in headers.known or len(lines) >= SURE:
            headers.put(shape, learn(lines))
        headers.want(shape, wanted=False)
        if len(lines) < SURE:
            self._few[source, shape] = lines
            self._held += _size(lines)

    def ask_again(self, source: str, shapes: Iterable[int]) -> None:
        """From the next chunk on look at these shapes again, where too few lines were seen.

        Shapes that were not seen for longest are given up where too much is held: their headers stay as they are.
        """
        for shape in shapes:
            if (source, shape) in self._few:
                self._known[source].want(shape, wanted=True)
        while self._held > MOST_HELD:
            name, shape = next(iter(self._few))
            self._taken(name, shape)
            self._known[name].want(shape, wanted=False)

    def save(self) -> dict[str, Any]:
        """The headers as JSON, those of the source that spoke last at the end."""
        return {
            name: [(shape, *astuple(header)) for shape, header in headers.known.items()]
            for name, headers in self._known.items()
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Go on from what was saved."""
        for name in [*saved][-MOST_SOURCES:]:
            headers = self._known[name] = Headers()
            for shape, *parts in saved[name]:
                header = Header(*parts)
                headers.put(shape, header)
                headers.want(shape, wanted=header.lines < SURE)

    def _taken(self, source: str, shape: int) -> list[bytes]:
        lines = self._few.pop((source, shape), [])
        self._held -= _size(lines)
        return lines

    def _drop(self) -> None:
        """Forget the source that was silent for longest."""
        source, headers = self._known.popitem(last=False)
        for shape in headers.known:
            self._taken(source, shape)


def _size(lines: list[bytes]) -> int:
    return sum(map(len, lines)) + _OBJECT_BYTES * len(lines)
