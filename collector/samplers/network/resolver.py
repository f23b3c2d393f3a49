"""Names looked up on a few threads; a name whose server is silent keeps one of them, and never two."""

import asyncio
import ipaddress
import socket

from collector.samplers.network.connects import SocketAddress
from forewarn.base.clock import Clock
from forewarn.base.lane import Lane, StuckError

SIZE = 4


class Resolver:
    """Looks up names off the event loop.

    Args:
        clock: how long a look-up took.
        timeout: seconds that one may take.
        size: threads, hence look-ups under way at once.
    """

    def __init__(self, clock: Clock, timeout: float, size: int = SIZE) -> None:
        self._clock = clock
        self._timeout = timeout
        self._idle: asyncio.Queue[Lane] = asyncio.Queue()
        self._lanes = [Lane(f"resolver {number}") for number in range(size)]
        for lane in self._lanes:
            self._idle.put_nowait(lane)
        self._away: dict[str, Lane] = {}

    async def resolve(self, host: str, port: int) -> tuple[list[SocketAddress], float]:
        """The name's addresses, and the seconds that it took.

        Raises:
            OSError: there is none.
            UnicodeError: it is no name.
            StuckError: no answer came in time, or the one to an earlier question is still awaited.
        """
        for name in [name for name, lane in self._away.items() if not lane.stuck]:
            self._idle.put_nowait(self._away.pop(name))
        if host in self._away:
            raise StuckError(self._away[host].name, self._timeout)
        try:
            lane = await asyncio.wait_for(self._idle.get(), self._timeout)
        except TimeoutError:
            raise StuckError("resolver", self._timeout) from None
        try:
            return await lane.call(self._ask, host, port, deadline=self._timeout)
        finally:
            if lane.stuck:
                self._away[host] = lane
            else:
                self._idle.put_nowait(lane)

    def close(self) -> None:
        """Let the threads end; those that wait for an answer end with the process."""
        for lane in self._lanes:
            lane.close()

    def _ask(self, host: str, port: int) -> tuple[list[SocketAddress], float]:
        started = self._clock.monotonic()
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in found], self._clock.monotonic() - started


def literal(host: str, port: int) -> list[SocketAddress]:
    """The address that a text is; empty for a name."""
    try:
        kind = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return []
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags) if kind else []
    return [(family, address) for family, _, _, _, address in found]
