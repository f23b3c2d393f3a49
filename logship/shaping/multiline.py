"""Lines that belong together as one document: stack traces, CUDA errors, indented lines, what an expression says."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from logship.engine.documents import Bytes, Pieces
from logship.patterns.compiled import AVAILABLE
from logship.shaping.joining import classify, join
from logship.shaping.kinds import FIRST, INDENT, PLAIN
from logship.shaping.settings import START, MultilineSettings


class Joined(NamedTuple):
    """Documents of a chunk's lines.

    Attributes:
        pieces: the documents.
        held: how many at the end, 0 or 1, may go on behind the chunk.
    """

    pieces: Pieces
    held: int


@dataclass(slots=True)
class _Room:
    kinds: NDArray[np.uint8]
    prefixes: NDArray[np.int16]
    first: NDArray[np.bool_]
    cut: NDArray[np.bool_]


def _room(size: int) -> _Room:
    return _Room(np.zeros(size, np.uint8), np.zeros(size, np.int16), np.zeros(size, np.bool_), np.zeros(size, np.bool_))


class Joiner:
    """Joins the lines of one source; for one thread at a time.

    Args:
        mode: ``auto``, or ``start:`` and an expression.
        limits: of documents.
        longest: bytes of a document's text; a joined one is no longer.
    """

    def __init__(self, mode: str, limits: MultilineSettings, longest: int) -> None:
        self._start = re.compile(mode.removeprefix(START).encode()) if mode.startswith(START) else None
        self._lines, self._bytes = limits.lines, min(limits.size, longest)
        self._room = _room(0)

    def join(self, data: Bytes, pieces: Pieces, *, final: bool) -> Joined:
        """The documents of whole lines.

        Args:
            data: the chunk.
            pieces: its lines.
            final: whether the last document is taken to be complete.
        """
        count = len(pieces.begins)
        if count > len(self._room.kinds):
            self._room = _room(2 * count)
        room = self._room
        kinds, prefixes, first, cut = room.kinds[:count], room.prefixes[:count], room.first[:count], room.cut[:count]
        text, begins, stops = _texts(data, pieces)
        if not self._classify(text, begins, stops, data, pieces, kinds, prefixes):
            return Joined(pieces, 0 if final or not count else 1)
        held = join(
            text, begins, stops, _breaks(pieces), kinds, prefixes, self._lines, self._bytes, final, first,
            cut,
        )  # fmt: skip
        if held == count and first.all() and not cut.any():
            return Joined(pieces, 0)
        return Joined(_documents(pieces, first, cut, held), int(held < count))

    def _classify(
        self,
        text: Any,
        begins: Any,
        stops: Any,
        data: Bytes,
        pieces: Pieces,
        kinds: NDArray[np.uint8],
        prefixes: NDArray[np.int16],
    ) -> bool:
        """Set kinds and prefixes; whether any line is more than plain."""
        if self._start is None:
            if not AVAILABLE:
                kinds[:] = PLAIN
                prefixes[:] = 0
            chosen = np.arange(len(begins)) if AVAILABLE else np.flatnonzero(FIRST[data[pieces.begins]]).tolist()
            return bool(classify(text, begins, stops, chosen, kinds, prefixes))
        chunk, match = data.tobytes(), self._start.match
        pairs = zip(pieces.begins.tolist(), pieces.stops.tolist(), strict=True)
        kinds[:] = [PLAIN if match(chunk, begin, stop) else INDENT for begin, stop in pairs]
        prefixes[:] = 0
        return bool(kinds.any())


def _texts(data: Bytes, pieces: Pieces) -> tuple[Any, Any, Any]:
    """The chunk and its lines as compiled code takes them, or as Python is quickest with."""
    if AVAILABLE:
        return data, pieces.begins, pieces.stops
    return data.tobytes(), pieces.begins.tolist(), pieces.stops.tolist()


def _breaks(pieces: Pieces) -> NDArray[np.bool_]:
    breaks = np.zeros(len(pieces.begins), np.bool_)
    if pieces.odd:
        breaks |= pieces.split | (pieces.origins != pieces.begins)
        breaks[1:] |= np.diff(pieces.line_of) != 1
    return breaks


def _documents(pieces: Pieces, first: NDArray[np.bool_], cut: NDArray[np.bool_], held: int) -> Pieces:
    first[held:] = False
    if held < len(first):
        first[held] = True
    begins = np.flatnonzero(first)
    lasts = np.append(begins[1:], len(first)) - 1
    return Pieces(
        pieces.begins[begins],
        pieces.stops[lasts],
        pieces.origins[begins],
        pieces.split[lasts] | cut[begins],
        pieces.line_of[begins],
        odd=True,
        joined=lasts > begins,
    )
