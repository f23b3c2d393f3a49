"""The engine without a compiler: whole chunks are escaped at once, documents joined from lists."""

from typing import cast

import numpy as np
import orjson
from numpy.typing import NDArray

from logship.engine.documents import LEVELS, Bytes, Int32, Int64, Pieces, Surroundings, pieces_of
from logship.engine.hand import Written
from logship.engine.plain_levels import levels_of
from logship.engine.plain_times import PlainTimes
from logship.engine.times import Clockwork, Start

_PARTS = 5
"""Parts of a document."""
_NAME = 12
"""Digits of an offset in an id."""
_CONTROLS = [(bytes([c]), b"\\u%04x" % c) for c in range(32) if c not in b"\b\t\n\f\r"]
_ESCAPES = [
    (b"\b", rb"\b"),
    (b"\t", rb"\t"),
    (b"\f", rb"\f"),
    (b"\r", rb"\r"),
    *_CONTROLS,
]


def escaped(text: bytes) -> bytes:
    """A text, or lines of it, as JSON without quotes; bad UTF-8 replaced as CPython does."""
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode(errors="replace").encode()
    text = text.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    array = np.frombuffer(text, np.uint8)
    if ((array < 32) & (array != ord("\n"))).any():
        for byte, escape in _ESCAPES:
            text = text.replace(byte, escape)
    return text


class Plain:
    """By ``bytes.replace``, lists and numpy."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._levels = [b"", *(level.encode() for level in LEVELS)]

    def ends(self, data: Bytes, size: int) -> Int64:
        """Where the line ends are."""
        return np.flatnonzero(data[:size] == ord("\n"))

    def pieces(self, data: Bytes, size: int, ends: Int64, longest: int) -> Pieces:
        """The documents of a chunk."""
        return pieces_of(data, size, ends, longest)

    def write(
        self,
        data: Bytes,
        pieces: Pieces,
        clock: Clockwork,
        start: Start,
        templates: Int32,
        offset: int,
        out: Bytes,
        cap: int,
    ) -> Written:
        """Documents up to the cap, one at least."""
        count = len(pieces.begins)
        if not count:
            return Written(0, 0, start.carried, fallback=False)
        at = pieces.origins + offset
        times = PlainTimes(data, pieces, clock, start)
        parts: list[bytes] = [b""] * (_PARTS * count)
        parts[0::_PARTS] = self._heads(at, times.stamps)
        parts[1::_PARTS] = _messages(data.tobytes(), pieces)
        parts[2::_PARTS] = [self._around.before_offset] * count
        parts[3::_PARTS] = orjson.dumps(at, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
        parts[4::_PARTS] = self._tails(data, pieces, templates)
        bounds = np.fromiter(map(len, parts), np.int64, len(parts)).cumsum()[_PARTS - 1 :: _PARTS]
        written = max(1, int(np.searchsorted(bounds, cap, side="right")))
        size = int(bounds[written - 1])
        times.settle(written)
        out[:size] = np.frombuffer(b"".join(parts[: _PARTS * written]), np.uint8)
        return Written(written, size, times.carried(written), fallback=not times.carried(1).stamp)

    def _heads(self, at: Int64, stamps: list[bytes]) -> list[bytes]:
        """What stands before each message: for stamps of one length, rows of one width."""
        around = self._around
        names = np.frombuffer(at.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:].tobytes().hex().encode(), np.uint8)
        names = names.reshape(-1, _NAME)
        lengths = np.fromiter(map(len, stamps), np.int64, len(stamps))
        heads = np.empty(len(stamps), object)
        for length in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == length)
            texts = b"".join(stamps) if len(rows) == len(stamps) else b"".join([stamps[row] for row in rows.tolist()])
            heads[rows] = _rows(
                around.before_id,
                names[rows],
                around.before_stamp,
                np.frombuffer(texts, np.uint8).reshape(-1, length),
                around.before_message,
            )
        return cast("list[bytes]", heads.tolist())

    def _tails(self, data: Bytes, pieces: Pieces, templates: Int32) -> list[bytes]:
        """What stands behind each offset: made once for all that are the same."""
        levels = levels_of(data, pieces, self._levels)
        numbers = templates[pieces.line_of] if len(templates) else np.full(len(levels), -1)
        keys = (np.maximum(numbers, -1).astype(np.int64) + 1) * 32 + levels * 2 + pieces.split
        distinct, places = np.unique(keys, return_inverse=True)
        tails = np.empty(len(distinct), object)
        for n, key in enumerate(distinct.tolist()):
            tails[n] = self._tail(key % 32 // 2, key % 2, key // 32 - 1)
        return cast("list[bytes]", tails[places].tolist())

    def _tail(self, level: int, split: int, number: int) -> bytes:
        around = self._around
        return b"".join(
            (
                around.levels[level - 1] if level else b"",
                around.split if split else b"",
                around.before_template + b"%d" % number if number >= 0 else b"",
                around.end,
            )
        )


def _rows(*parts: bytes | Bytes) -> NDArray[np.bytes_]:
    """Constants and rows of bytes beside each other."""
    count = next(len(part) for part in parts if isinstance(part, np.ndarray))
    widths = [len(part) if isinstance(part, bytes) else part.shape[1] for part in parts]
    lines = np.empty((count, sum(widths)), np.uint8)
    at = 0
    for part, width in zip(parts, widths, strict=True):
        lines[:, at : at + width] = np.frombuffer(part, np.uint8) if isinstance(part, bytes) else part
        at += width
    return lines.view(f"S{at}").ravel()


def _messages(chunk: bytes, pieces: Pieces) -> list[bytes]:
    if pieces.odd:
        pairs = zip(pieces.begins.tolist(), pieces.stops.tolist(), strict=True)
        return [escaped(chunk[begin:stop]).replace(b"\n", rb"\n") for begin, stop in pairs]
    end = int(pieces.stops[-1])
    return escaped(chunk[:end].replace(b"\r\n", b"\n")).split(b"\n")
