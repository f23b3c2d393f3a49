"""Frames between processes: four bytes of length, big endian, then one JSON object.

Arrays of numbers travel as JSON lists; NaN and infinities have no place in a frame and become null.
"""

import asyncio
import struct
from typing import Any, BinaryIO

import orjson

from forewarn.base.errors import ChildError

Frame = dict[str, Any]
MAX_FRAME_BYTES = 64 * 1024 * 1024
_LENGTH = struct.Struct(">I")


def encode(frame: Frame) -> bytes:
    """One frame, ready for the pipe; NumPy arrays are written as lists."""
    body = orjson.dumps(frame, option=orjson.OPT_SERIALIZE_NUMPY)
    return _LENGTH.pack(len(body)) + body


def _length(head: bytes) -> int:
    (length,) = _LENGTH.unpack(head)
    if length > MAX_FRAME_BYTES:
        raise ChildError(f"a frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}")
    return int(length)


def read(stream: BinaryIO) -> Frame | None:
    """The next frame of a blocking stream, None at its end."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    body = stream.read(_length(head))
    return orjson.loads(body) if body else None


async def read_async(stream: asyncio.StreamReader) -> Frame | None:
    """The next frame of an asyncio stream, None at its end."""
    try:
        body = await stream.readexactly(_length(await stream.readexactly(_LENGTH.size)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    frame: Frame = orjson.loads(body)
    return frame
