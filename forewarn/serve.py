"""HTTP in the parent: uvicorn on sockets that were bound before anything else was started."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from forewarn.base.address import Address
from forewarn.base.errors import ForewarnError

log = logging.getLogger(__name__)


def bind(address: Address) -> socket.socket:
    """A listening socket.

    Raises:
        ForewarnError: the address is in use, or cannot be had.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # asyncio turns Nagle off only where the protocol is named; without it an answer takes 40 ms longer
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        used = error.errno == errno.EADDRINUSE
        raise ForewarnError(
            f"cannot listen on {address}: {error.strerror}",
            hint=f"see who does with 'ss -ltnp sport = :{address.port}', or choose another with --listen"
            if used
            else "choose another with --listen",
        ) from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """The address of a bound socket, for a person."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class HttpServer(uvicorn.Server):
    """One ASGI app on one socket; signals stay with the daemon.

    Args:
        app: what answers.
        listener: the bound socket.
        on_loss: told where the server ends without having been asked to.
    """

    def __init__(self, app: Any, listener: socket.socket, on_loss: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                http="h11",
                ws="none",
                timeout_graceful_shutdown=1,
                limit_concurrency=256,
            )
        )
        self._listener = listener
        self._on_loss = on_loss
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def main_loop(self) -> None:
        """Keep the date in the answers' heads right; uvicorn's own looks ten times a second whether to end."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1.0)

    async def start(self) -> None:
        """Serve until ``stop``."""
        self._task = asyncio.create_task(self.serve(sockets=[self._listener]), name="http")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Answer what is under way, then let go of the socket."""
        self.should_exit = True
        self._stopping.set()
        if self._task is not None:
            _, pending = await asyncio.wait([self._task], timeout=2.0)
            for task in pending:
                task.cancel()
        self._listener.close()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if not self._stopping.is_set():
            facts = {"url": url_of(self._listener) if self._listener.fileno() >= 0 else ""}
            log.critical("the HTTP server ended by itself, the daemon ends too", extra=facts, exc_info=error)
            self._on_loss()
