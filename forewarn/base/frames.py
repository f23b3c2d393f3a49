"""Frames between processes: four bytes of length, big endian, then one JSON object.

Arrays of numbers travel as JSON lists; NaN and infinities have no place in a frame and become null.
"""

import struct
from typing import Any, BinaryIO

import orjson

from forewarn.base.errors import ChildError

Frame = dict[str, Any]
MAX_FRAME_BYTES = 64 * 1024 * 1024
HEAD = struct.Struct(">I")


def encode(frame: Frame) -> bytes:
    """One frame, ready for the pipe; NumPy arrays are written as lists."""
    body = orjson.dumps(frame, option=orjson.OPT_SERIALIZE_NUMPY)
    return HEAD.pack(len(body)) + body


def body_length(head: bytes) -> int:
    """The length that a frame's first four bytes tell.

    Raises:
        ChildError: it is over the limit.
    """
    (length,) = HEAD.unpack(head)
    if length > MAX_FRAME_BYTES:
        raise ChildError(f"a frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}")
    return int(length)


def read(stream: BinaryIO) -> Frame | None:
    """The next frame of a blocking stream, None at its end, also where that comes in the middle of a frame."""
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length = body_length(head)
    body = stream.read(length)
    if len(body) < length:
        return None  # the other side died in the middle of it
    frame: Frame = orjson.loads(body)
    return frame
