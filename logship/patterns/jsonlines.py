"""JSON lines: the message of each, so that templates are mined from what was said, not from its wrapping."""

from itertools import pairwise

import numpy as np
import orjson

from logship.patterns.stage import Int64

MESSAGE_KEYS = ("message", "msg", "log", "event", "MESSAGE", "text")
"""Fields that hold the message, the first one found."""


def holds_json(data: bytes) -> bool:
    """Whether a chunk holds lines that look like JSON objects."""
    return data.startswith(b'{"') or b'\n{"' in data


def messages_of(data: bytes, starts: Int64) -> tuple[bytes, Int64]:
    """The chunk with each JSON object replaced by its message; other lines stay as they are."""
    ends = starts.tolist()
    lines = [_message(data[start:end]) for start, end in pairwise(ends)]
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
