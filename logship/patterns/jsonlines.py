"""JSON lines: the message of each, so that templates are mined from what was said, not from its wrapping."""

from itertools import pairwise

import numpy as np
import orjson

from logship.patterns.compiled import AVAILABLE, brief
from logship.patterns.stage import Bytes, Int64

MESSAGE_KEYS = ("message", "msg", "log", "event", "MESSAGE", "text")
"""Fields that hold the message, the first one found."""


@brief
def _stands(data: Bytes, places: Int64, byte: int) -> bool:
    for place in places:  # noqa: SIM110  a generator would not be compiled
        if data[place] == byte:
            return True
    return False


def stands(data: Bytes, places: Int64, byte: int) -> bool:
    """Whether a byte stands at one of these places."""
    return _stands(data, places, byte) if AVAILABLE else bool((data[places] == byte).any())


def holds_json(data: Bytes, starts: Int64) -> bool:
    """Whether a chunk holds lines that look like JSON objects."""
    begins = starts[:-1]
    return stands(data, begins, ord("{")) and bool(((data[begins] == ord("{")) & (data[begins + 1] == ord('"'))).any())


def messages_of(data: Bytes, starts: Int64) -> tuple[bytes, Int64]:
    """The chunk with each JSON object replaced by its message; other lines stay as they are."""
    ends = starts.tolist()
    text = data[: ends[-1]].tobytes()
    lines = [_message(text[start:end]) for start, end in pairwise(ends)]
    return b"".join(lines), np.cumsum([0, *map(len, lines)], dtype=np.int64)


def _message(line: bytes) -> bytes:
    if not line.startswith(b'{"'):
        return line
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    for key in MESSAGE_KEYS:
        said = fields.get(key)
        if isinstance(said, str):
            return " ".join(said.splitlines()).encode() + b"\n"
    return line
