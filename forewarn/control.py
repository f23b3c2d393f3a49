"""The control socket: how commands that write reach the daemon that holds the data directory.

A unix socket, 0600, in the data directory. A request is one frame with ``kind``; the answer is one frame, either
``{"ok": true, ...}`` or ``{"ok": false, "error": ..., "hint": ...}``.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

from forewarn.base import frames
from forewarn.base.errors import ChildError, ForewarnError
from forewarn.base.frames import Frame
from forewarn.base.streams import read_frame

log = logging.getLogger(__name__)

Handler = Callable[[Frame], Awaitable[Frame]]


class ControlServer:
    """Answers requests of commands, by their kind."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _short(self._path) as address:
            mask = os.umask(0o177)
            try:
                listener.bind(address)
            finally:
                os.umask(mask)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener)

    async def close(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            while (request := await self._next(reader)) is not None:
                writer.write(frames.encode(await self._answer(request)))
                await writer.drain()

    async def _next(self, reader: asyncio.StreamReader) -> Frame | None:
        """The next request, None at the end; whoever sends what is no frame is hung up on."""
        try:
            return await read_frame(reader)
        except (ChildError, ValueError) as error:
            log.warning("somebody sent garbage to the control socket", extra={"error": str(error)})
            return None

    async def _answer(self, request: Frame) -> Frame:
        handler = self._handlers.get(request.get("kind", ""))
        if handler is None:
            return {"ok": False, "error": f"unknown request {request.get('kind')!r}", "hint": "is the daemon older?"}
        try:
            return {"ok": True, **await handler(request)}
        except ForewarnError as error:
            return {"ok": False, "error": error.message, "hint": error.hint}
        except (KeyError, TypeError, ValueError) as error:
            return {"ok": False, "error": f"malformed request: {error}", "hint": None}


class ControlClient:
    """A command's connection to the daemon.

    Args:
        path: the daemon's socket.
        timeout: seconds to wait for an answer; None where it may take any time.
    """

    def __init__(self, path: Path, *, timeout: float | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        try:
            with _short(path) as address:
                self._socket.connect(address)
        except OSError as error:
            self._socket.close()
            raise ForewarnError(
                f"no daemon answers at {path}: {error.strerror}", hint="start it with 'forewarn run'"
            ) from error
        self._stream = self._socket.makefile("rb")

    def ask(self, kind: str, **fields: object) -> Frame:
        """The daemon's answer.

        Raises:
            ForewarnError: it refused, went away, or did not answer in time.
        """
        try:
            self._socket.sendall(frames.encode({"kind": kind, **fields}))
            answer = frames.read(self._stream)
        except OSError as error:
            raise ForewarnError(f"the daemon does not answer: {error}", hint="look at its log") from error
        if answer is None:
            raise ForewarnError("the daemon went away", hint="look at its log")
        if not answer.get("ok"):
            raise ForewarnError(str(answer.get("error")), hint=answer.get("hint"))
        return answer

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """The socket's path by way of its folder's descriptor: unix addresses end at 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
