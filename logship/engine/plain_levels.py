"""The levels of a chunk's lines without a compiler: of those that begin alike once."""

from collections.abc import Sequence

import numpy as np

from logship.engine.documents import Bytes, Int64, Pieces
from logship.engine.plain_times import Words
from logship.stamps import level_of, level_within

_LOOKED_AT = 160
"""Bytes of a line on which its level depends."""
_WIDTH = 48
"""Bytes by which lines begin alike, digits aside."""
_PLAIN = np.arange(256, dtype=np.uint8)
_PLAIN[list(b"0123456789")] = ord("0")
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_FEW = 16
_UNKNOWN = -1


def levels_of(data: Bytes, pieces: Pieces, levels: Sequence[bytes]) -> Int64:
    """The place of each document's level among some levels, of which the first stands for none."""
    places = {level: n for n, level in enumerate(levels)}
    found = np.full(len(pieces.begins), _UNKNOWN, np.int64)
    if len(found) > _FEW:
        _by_beginning(data, pieces, places, found)
    left = np.flatnonzero(found == _UNKNOWN)
    begins, stops = pieces.begins[left], np.minimum(pieces.stops[left], pieces.begins[left] + _LOOKED_AT)
    found[left] = [
        places[level_of(data[begin:stop].tobytes()) or b""]
        for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True)
    ]
    return found


def _by_beginning(data: Bytes, pieces: Pieces, places: dict[bytes, int], found: Int64) -> None:
    """Fill in levels that stand in the beginning: there the first one counts, whatever comes behind."""
    rows = np.flatnonzero(pieces.stops - pieces.begins >= _WIDTH)
    if not len(rows):
        return
    words = Words(data)
    heads = np.empty((len(rows), _WIDTH // 8), np.uint64)
    for i in range(_WIDTH // 8):
        heads[:, i] = words.at(pieces.begins[rows] + 8 * i)
    texts = _PLAIN[heads.view(np.uint8)]
    heads = texts.view(np.uint64)
    hashes = np.zeros(len(rows), np.uint64)
    for i in range(_WIDTH // 8):
        hashes = (hashes ^ heads[:, i]) * _SPREAD
        hashes ^= hashes >> np.uint64(29)
    _, first, of = np.unique(hashes, return_index=True, return_inverse=True)
    known = np.full(len(first), _UNKNOWN, np.int64)
    for n, row in enumerate(first.tolist()):
        level = level_within(texts[row].tobytes())
        if level is not None:
            known[n] = places[level]
    alike = (heads == heads[first[of]]).all(1)
    found[rows] = np.where(alike, known[of], _UNKNOWN)
