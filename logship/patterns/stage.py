"""Stage 1: known lines to slots, compiled or plain, with the same result."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from logship.patterns.compiled import AVAILABLE
from logship.patterns.header import NO_HEADER
from logship.patterns.headers import Headers
from logship.patterns.lines import message_start, shape_of

Bytes = NDArray[np.uint8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Places = tuple[int, ...]

SLACK = 64
"""Bytes that a chunk carries behind its last line."""
MOST_SIGNATURES = 1 << 17
MOST_TOKENS = 128
"""Tokens of a message that its signature covers."""
MASKS = 8
"""Masks for one number of tokens."""
_WHITE = bytes(range(33))


@dataclass(slots=True)
class Chunk:
    """Whole lines of one source.

    Attributes:
        data: the lines, then the slack.
        starts: where each line begins in data, and the end of the last.
        slots: the template of each line, by its slot.
        number: of the first line, over all sources.
        shapes: the leading shape of each line, where it was asked for.
    """

    data: Bytes
    starts: Int64
    slots: Int32
    number: int
    shapes: Int64 | None = None

    def text(self, i: int, most: int | None = None) -> bytes:
        """One line without the blanks at its end; the first bytes of it, where so many are asked for."""
        start, end = int(self.starts[i]), int(self.starts[i + 1])
        return self.data[start : end if most is None else min(end, start + most)].tobytes().rstrip(_WHITE)


@dataclass(frozen=True, slots=True)
class Stop:
    """A line that stage 1 does not know, or of whose looks more is to be learned.

    Attributes:
        line: its index in the chunk.
        shape: its leading shape where that is new or wanted, else None.
        message: the message.
        elements: its tokens, equal where the tokens are equal.
        key: its signature.
    """

    line: int
    shape: int | None
    message: bytes = b""
    elements: tuple[Any, ...] = ()
    key: Any = None


class Stage(Protocol):
    """Signatures of lines and the slots of their templates."""

    @property
    def size(self) -> int:
        """Signatures known."""

    def scan(self, chunk: Chunk, first: int, headers: Headers, counts: Int64, latest: Int64) -> Stop | None:
        """Fill in slots from a line on, up to one that is not known; None when all were."""

    def shapes(self, chunk: Chunk) -> Int64:
        """The leading shape of each line."""

    def learn(self, stop: Stop, slot: int, places: Places | None = None) -> None:
        """Set the slot of a line's signature, or of its signature with some tokens left out."""

    def mask(self, count: int, places: Places) -> bool:
        """Try these places from now on for messages of so many tokens; False where there is no room."""

    def drop(self, slots: Sequence[int]) -> None:
        """Forget the signatures of some slots."""

    def forget(self) -> None:
        """Begin anew, with no signatures and no masks."""


def make_stage(*, fast: bool = AVAILABLE) -> Stage:
    """The compiled stage where the extra ``fast`` is installed, else the plain one."""
    if not fast:
        return PlainStage()
    from logship.patterns.machine import Machine  # noqa: PLC0415  the extra may be missing

    return Machine()


_BLANKS = re.compile(rb"[\x00-\x20]+")
_GAP = rb"\x20=,;:()\[\]{}<>\"'|"
_VARIABLE = re.compile(rb"(?<![^%b])(?![A-Za-z]{2,6}\d(?![^%b]))(?=/|[^%b]*\d|[^%b/]*/[^%b/]*/)[^%b]+" % ((_GAP,) * 6))
_RUN = re.compile(rb"\x00(?:[ ,;:]+\x00)+")
_TOKEN = re.compile(rb"([^%b]+)" % _GAP)
_OUT = b"\x01"


class PlainStage:
    """The same with regular expressions and a dictionary."""

    def __init__(self) -> None:
        self.forget()

    @property
    def size(self) -> int:
        """Signatures known."""
        return len(self._slots)

    def forget(self) -> None:
        """Begin anew."""
        self._slots: dict[bytes, int] = {}
        self._masks: dict[int, list[Places]] = {}

    def scan(self, chunk: Chunk, first: int, headers: Headers, counts: Int64, latest: Int64) -> Stop | None:
        """Fill in slots up to a line that is not known."""
        for i in range(first, len(chunk.slots)):
            line = chunk.text(i)
            shape = shape_of(line, 0, len(line))
            header = headers.known.get(shape)
            if shape in headers.wanted or (header is None and not headers.closed):
                return Stop(i, shape)
            header = header or NO_HEADER
            message = line[message_start(line, 0, len(line), header.columns, header.rule) :]
            key = _key(message)
            slot = self._slots.get(key)
            if slot is None:
                parts = _TOKEN.split(key)
                slot = self._try_masks(parts)
                if slot is None:
                    return Stop(i, None, message, tuple(parts[1::2]), key)
            chunk.slots[i] = slot
            counts[slot] += 1
            latest[slot] = chunk.number + i
        return None

    def shapes(self, chunk: Chunk) -> Int64:
        """The leading shape of each line."""
        texts = map(chunk.text, range(len(chunk.slots)))
        return np.array([shape_of(text, 0, len(text)) for text in texts], np.int64)

    def drop(self, slots: Sequence[int]) -> None:
        """Forget the signatures of some slots."""
        gone = set(slots)
        self._slots = {key: slot for key, slot in self._slots.items() if slot not in gone}

    def learn(self, stop: Stop, slot: int, places: Places | None = None) -> None:
        """Set the slot of a signature, or of it with some tokens left out."""
        self._slots[stop.key if places is None else _without(_TOKEN.split(stop.key), places)] = slot

    def mask(self, count: int, places: Places) -> bool:
        """Try these places from now on; False where there is no room."""
        masks = self._masks.setdefault(count, [])
        if places not in masks and len(masks) < MASKS:
            masks.append(places)
        return places in masks

    def _try_masks(self, parts: list[bytes]) -> int | None:
        for places in self._masks.get(len(parts) // 2, ()):
            if not any(parts[2 * place + 1].endswith((b"Error", b"Exception")) for place in places):
                slot = self._slots.get(_without(parts, places))
                if slot is not None:
                    return slot
        return None


def _key(message: bytes) -> bytes:
    plain = _BLANKS.sub(b" ", message).strip(b" ")
    if len(plain) > 2 * MOST_TOKENS - 2:
        for n, token in enumerate(_TOKEN.finditer(plain), 1):
            if n == MOST_TOKENS:
                plain = plain[: token.end()]
                break
    return _RUN.sub(b"\x00", _VARIABLE.sub(b"\x00", plain))


def _without(parts: list[bytes], places: Places) -> bytes:
    parts = list(parts)
    for place in places:
        parts[2 * place + 1] = _OUT
    return b"".join(parts)
