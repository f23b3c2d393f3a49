"""TCP connects to many far ends at once, on one thread: who is silent delays nobody else."""

import errno
import os
import select
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collector.samplers.failures import failure_code
from forewarn.base.clock import Clock

SocketAddress = tuple[socket.AddressFamily, tuple[Any, ...]]

_INFO_BYTES = 104
_RTT = struct.Struct("=68xI28xI")  # tcpi_rtt in microseconds and tcpi_total_retrans (uapi/linux/tcp.h)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a connect ended.

    Attributes:
        seconds: how long it took, None where it failed.
        code: why it failed, empty where it did not.
        repeated: whether the request had to be sent more than once.
    """

    seconds: float | None = None
    code: str = ""
    repeated: bool = False


def connect_all(targets: Mapping[str, Sequence[SocketAddress]], timeout: float, clock: Clock) -> dict[str, Outcome]:
    """Connect to every target, to one address after the other until one accepts; at most ``timeout`` seconds in all.

    The time is the kernel's own, from the request to the answer, so that a busy interpreter does not show in it; that
    of a repeated request is measured here. Time lost on a target's other addresses does not count.
    """
    end = clock.monotonic() + timeout
    poll = select.poll()
    pending: dict[int, _Connect] = {}
    connects = {target: _Connect(addresses, end, clock) for target, addresses in targets.items()}
    for connect in connects.values():
        _follow(connect, poll, pending)
    while pending:
        patience = min(connect.until for connect in pending.values()) - clock.monotonic()
        ready = {descriptor for descriptor, _ in poll.poll(max(patience, 0.0) * 1000)}
        for descriptor in [number for number, connect in pending.items() if number in ready or connect.late]:
            connect = pending.pop(descriptor)
            poll.unregister(descriptor)
            connect.conclude(answered=descriptor in ready)
            _follow(connect, poll, pending)
    return {target: connect.outcome for target, connect in connects.items()}


def _follow(connect: "_Connect", poll: select.poll, pending: "dict[int, _Connect]") -> None:
    descriptor = connect.begin()
    if descriptor is not None:
        poll.register(descriptor, select.POLLOUT)
        pending[descriptor] = connect


class _Connect:
    """The connect to one target: its addresses that are left, and the one being tried."""

    def __init__(self, addresses: Sequence[SocketAddress], end: float, clock: Clock) -> None:
        self._left = list(addresses)
        self._end = end
        self._clock = clock
        self._socket: socket.socket | None = None
        self._started = 0.0
        self.until = end
        self.outcome = Outcome(code="timeout")
        self._done = False

    @property
    def late(self) -> bool:
        return self._clock.monotonic() >= self.until

    def begin(self) -> int | None:
        """Try the next address; the socket to wait for, None where there is nothing to wait for."""
        while self._left and not self._done:
            self._started = self._clock.monotonic()
            if self._started >= self._end:
                break
            # One that is silent leaves time for the others.
            self.until = self._started + (self._end - self._started) / len(self._left)
            family, address = self._left.pop(0)
            try:
                self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            except OSError as error:  # no more files may be opened, or no such family here
                self.outcome = Outcome(code=failure_code(error))
                continue
            code = self._socket.connect_ex(address)
            if code == errno.EINPROGRESS:
                return self._socket.fileno()
            self._settle(code)
        return None

    def conclude(self, *, answered: bool) -> None:
        """The socket is ready, or its time is over."""
        assert self._socket is not None
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if answered else errno.ETIMEDOUT
        self._settle(code)

    def _settle(self, code: int) -> None:
        assert self._socket is not None
        with self._socket as connection:
            if code:
                self.outcome = Outcome(code=failure_code(OSError(code, os.strerror(code))))
            else:
                self.outcome = _measured(connection, self._clock.monotonic() - self._started)
                self._done = True
        self._socket = None


def _measured(connection: socket.socket, seconds: float) -> Outcome:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    if len(info) < _INFO_BYTES:  # a kernel before 3.15
        return Outcome(seconds)
    microseconds, repeated = _RTT.unpack(info)
    exact = microseconds and not repeated
    return Outcome(microseconds / 1e6 if exact else seconds, repeated=repeated > 0)
