"""Frames from asyncio streams: the parent's side of its pipes and sockets."""

import asyncio

import orjson

from forewarn.base.frames import HEAD, Frame, body_length


async def read_frame(stream: asyncio.StreamReader) -> Frame | None:
    """The next frame of a stream, None at its end."""
    try:
        body = await stream.readexactly(body_length(await stream.readexactly(HEAD.size)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    frame: Frame = orjson.loads(body)
    return frame
