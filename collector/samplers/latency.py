"""Latency to far ends: the time that a TCP connect takes. It needs no privilege."""

import asyncio
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

from collector.samplers.failures import failure_code
from collector.series import Sample, SeriesKey, labels_of
from collector.settings import NetworkSettings, split_target
from forewarn.base.clock import Clock
from forewarn.base.lane import Lane, StuckError

CODES = ("dns", "timeout", "refused", "unreachable", "error")
Address = tuple[Any, ...]


class Latency:
    """The source of ``forewarn_network_*``: every target has a lane, for resolvers may take minutes."""

    name = "network"

    def __init__(self, settings: NetworkSettings, patience: float, clock: Clock) -> None:
        self._probes = [_Probe(target, min(settings.timeout, patience), clock) for target in settings.targets]

    async def collect(self) -> Sequence[Sample]:
        """One connect to every target, all at once."""
        found = await asyncio.gather(*(probe.measure() for probe in self._probes))
        return [sample for samples in found for sample in samples]

    async def close(self) -> None:
        """Let the threads end; those that wait for a resolver end with the process."""
        for probe in self._probes:
            probe.lane.close()


class _Probe:
    """One target: its lane, and how often it failed, by reason."""

    def __init__(self, target: str, timeout: float, clock: Clock) -> None:
        self._clock = clock
        self.lane = Lane(f"connect {target}")
        self._host, self._port = split_target(target)
        self._timeout = timeout
        self._failures: Counter[str] = Counter()
        self._latency_key = SeriesKey.of("forewarn_network_latency_seconds", target=target)
        self._failure_keys = {
            code: SeriesKey("forewarn_network_failures_total", labels_of({"target": target, "code": code}))
            for code in CODES
        }

    async def measure(self) -> list[Sample]:
        latency = await self._try()
        samples = [Sample(key, float(self._failures[code]), counter=True) for code, key in self._failure_keys.items()]
        if latency is not None:
            samples.append(Sample(self._latency_key, latency))
        return samples

    async def _try(self) -> float | None:
        """Seconds of the connect; None, and one more failure on the count, where there was none."""
        end = self._clock.monotonic() + self._timeout
        try:
            addresses = await self.lane.call(_resolve, self._host, self._port, deadline=self._timeout)
        except (OSError, UnicodeError, StuckError):
            self._failures["dns"] += 1
            return None
        left = max(end - self._clock.monotonic(), 0.001)
        try:
            # The socket gives up by itself after ``left``; the margin lets it say so and keep the lane free.
            return await self.lane.call(connect_seconds, addresses, left, self._clock, deadline=1.2 * left)
        except (OSError, StuckError) as error:
            code = "timeout" if isinstance(error, StuckError) else failure_code(error)
            self._failures[code if code in CODES else "error"] += 1
            return None


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, Address]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def connect_seconds(addresses: Sequence[tuple[socket.AddressFamily, Address]], timeout: float, clock: Clock) -> float:
    """Seconds until the first of the addresses that accepts has accepted; the time lost on others does not count.

    Raises:
        OSError: none did within ``timeout`` seconds; the error of the last.
    """
    end = clock.monotonic() + timeout
    failure: OSError = TimeoutError("no address")
    for left, (family, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
        started = clock.monotonic()
        if started >= end:
            break
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout((end - started) / left)  # one that is silent leaves time for the others
            try:
                connection.connect(address)
            except OSError as error:
                failure = error
            else:
                return clock.monotonic() - started
    raise failure
