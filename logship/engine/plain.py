"""The engine without a compiler: whole chunks are escaped at once, documents joined from lists."""

from itertools import accumulate

import numpy as np
import orjson

from logship.engine.documents import Bytes, Int32, Int64, Pieces, Surroundings
from logship.engine.times import LOOKED_AT, Carried, Clockwork, Start, Times
from logship.stamps import level_of

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
        self._ends: dict[tuple[bytes | None, bool, int], bytes] = {}
        self._levels = {level[len(b',"level":"') : -1]: level for level in around.levels}

    def ends(self, data: Bytes, size: int) -> Int64:
        """Where the line ends are."""
        return np.flatnonzero(data[:size] == ord("\n"))

    def times(self, data: Bytes, pieces: Pieces, clock: Clockwork, start: Start) -> "PlainTimes":
        """The stamps of all documents."""
        clock.begin()
        chunk = data.tobytes()
        carried, read, seen = start.carried, clock.read, start.seen
        states = [carried]
        for begin, stop in zip(pieces.begins.tolist(), pieces.stops.tolist(), strict=True):
            carried = read(chunk[begin : min(stop, begin + LOOKED_AT)], carried, seen)
            states.append(carried)
        return PlainTimes(states, start.read_at)

    def write(
        self, data: Bytes, pieces: Pieces, times: Times, templates: Int32, offset: int, out: Bytes, cap: int
    ) -> tuple[int, int]:
        """Documents and bytes written."""
        assert isinstance(times, PlainTimes)
        if not len(pieces.begins):
            return 0, 0
        around = self._around
        chunk = data.tobytes()
        at = pieces.origins + offset
        heads = [
            b"%s%012x%s%s%s" % (around.before_id, one, around.before_stamp, stamp, around.before_message)
            for one, stamp in zip(at.tolist(), times.stamps(), strict=True)
        ]
        documents = [
            b"".join(parts)
            for parts in zip(
                heads,
                _messages(chunk, pieces),
                [around.before_offset] * len(heads),
                orjson.dumps(at, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b","),
                self._tails(chunk, pieces, templates),
                strict=True,
            )
        ]
        bounds = list(accumulate(map(len, documents)))
        count = max(1, int(np.searchsorted(bounds, cap, side="right")))
        out[: bounds[count - 1]] = np.frombuffer(b"".join(documents[:count]), np.uint8)
        return count, bounds[count - 1]

    def _tails(self, chunk: bytes, pieces: Pieces, templates: Int32) -> list[bytes]:
        numbers = templates[pieces.line_of].tolist() if len(templates) else [-1] * len(pieces.begins)
        known = self._ends
        tails = []
        for begin, stop, split, number in zip(
            pieces.begins.tolist(), pieces.stops.tolist(), pieces.split.tolist(), numbers, strict=True
        ):
            key = (level_of(chunk[begin : min(stop, begin + 160)]), split, number)
            tail = known.get(key)
            if tail is None:
                if len(known) >= _MOST_TAILS:
                    known.clear()
                tail = known[key] = self._tail(*key)
            tails.append(tail)
        return tails

    def _tail(self, level: bytes | None, split: bool, number: int) -> bytes:  # noqa: FBT001  a key's parts
        around = self._around
        return b"".join(
            (
                self._levels[level] if level else b"",
                around.split if split else b"",
                around.before_template + b"%d" % number if number >= 0 else b"",
                around.end,
            )
        )


_MOST_TAILS = 1 << 16


def _messages(chunk: bytes, pieces: Pieces) -> list[bytes]:
    if pieces.odd:
        pairs = zip(pieces.begins.tolist(), pieces.stops.tolist(), strict=True)
        return [escaped(chunk[begin:stop]) for begin, stop in pairs]
    end = int(pieces.stops[-1])
    return escaped(chunk[:end].replace(b"\r\n", b"\n")).split(b"\n")


class PlainTimes:
    """What is carried before the first document and behind each."""

    def __init__(self, states: list[Carried], read_at: bytes) -> None:
        self._states, self._read_at = states, read_at

    def stamps(self) -> list[bytes]:
        """The stamp of each document."""
        return [state.stamp or self._read_at for state in self._states[1:]]

    def carried(self, k: int) -> Carried:
        """What is carried behind so many documents."""
        return self._states[k]
