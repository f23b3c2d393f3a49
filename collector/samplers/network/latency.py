"""Latency to far ends: the time that a TCP connect takes. It needs no privilege."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from collector.samplers.network.connects import Outcome, SocketAddress, connect_all
from collector.samplers.network.probes import Probes
from collector.samplers.network.resolver import Resolver, literal
from collector.series import Sample, SeriesKey, labels_of
from collector.settings import NetworkSettings
from forewarn.base.address import Address
from forewarn.base.clock import Clock
from forewarn.base.lane import Lane, StuckError

CODES = ("dns", "timeout", "refused", "unreachable", "error")
_RESOLVE_SECONDS = 30.0
"""A name's addresses are looked up anew after this time; meanwhile the known ones are used."""
_RETRY_SECONDS = 5.0
_RESOLVER_TIMEOUT = 5.0
_FIRST_LOOK = 0.25
"""Part of its patience that a round gives to names which it cannot do without; later rounds do not wait for them."""


class Latency:
    """The source of ``forewarn_network_*``: one connect to every target a round, all at once, on one thread.

    Args:
        settings: the targets, and how long a connect may take.
        patience: the longest that a round may wait, in seconds.
        clock: durations and deadlines.
    """

    name = "network"

    def __init__(self, settings: NetworkSettings, patience: float, clock: Clock) -> None:
        self._clock = clock
        self._timeout = min(settings.timeout, patience)
        self._patience = patience
        self._targets = [_Target(target, settings.window) for target in settings.targets]
        self._lane = Lane("connects")
        self._resolver = Resolver(clock, _RESOLVER_TIMEOUT)

    async def collect(self) -> Sequence[Sample]:
        """One connect to every target."""
        await self._look_up()
        known = {target.name: target.addresses for target in self._targets if target.addresses}
        found: dict[str, Outcome] = {}
        if known:
            deadline = 1.2 * self._timeout  # the connects end by themselves before
            found = await self._lane.call(connect_all, known, self._timeout, self._clock, deadline=deadline)
        now = self._clock.monotonic()
        for target in self._targets:
            target.take(now, found.get(target.name))
        return [sample for target in self._targets for sample in target.samples()]

    async def close(self) -> None:
        """Let the threads end; those that wait for a name server end with the process."""
        for target in self._targets:
            if target.task is not None:
                target.task.cancel()
        self._lane.close()
        self._resolver.close()

    async def _look_up(self) -> None:
        """Begin the look-ups that are due, and wait a little for those without which a target cannot be tried."""
        now = self._clock.monotonic()
        awaited: set[asyncio.Task[None]] = set()
        for target in self._targets:
            if target.due is None or now < target.due or (target.task is not None and not target.task.done()):
                continue
            target.task = asyncio.create_task(self._resolve(target), name=f"resolve {target.name}")
            if not target.addresses:
                awaited.add(target.task)
        if awaited:
            await asyncio.wait(awaited, timeout=_FIRST_LOOK * self._patience)

    async def _resolve(self, target: "_Target") -> None:
        try:
            target.addresses, target.resolve_seconds = await self._resolver.resolve(target.host, target.port)
        except (OSError, UnicodeError, StuckError):
            target.failures["dns"] += 1
            target.resolve_seconds = None
            target.due = self._clock.monotonic() + _RETRY_SECONDS
        else:
            target.due = self._clock.monotonic() + _RESOLVE_SECONDS


class _Target:
    """One far end: its addresses, and what became of the connects to it.

    Attributes:
        due: when its name is to be looked up, None for an address.
    """

    def __init__(self, name: str, window: float) -> None:
        self.name = name
        address = Address.parse(name)
        self.host, self.port = address.host, address.port
        self.addresses: list[SocketAddress] = literal(self.host, self.port)
        self.due: float | None = None if self.addresses else 0.0
        self.task: asyncio.Task[None] | None = None
        self.resolve_seconds: float | None = None
        self.failures: Counter[str] = Counter()
        self._last: Outcome | None = None
        self._probes = Probes(window)
        self._keys: dict[str, SeriesKey] = {}
        self._failure_keys = {
            code: SeriesKey("forewarn_network_failures_total", labels_of({"target": name, "code": code}))
            for code in CODES
        }

    def take(self, now: float, outcome: Outcome | None) -> None:
        """A connect has ended; None where none could be tried."""
        self._last = outcome
        if outcome is None:
            return
        self._probes.add(now, outcome)
        if outcome.code:
            self.failures[outcome.code if outcome.code in CODES else "error"] += 1

    def samples(self) -> list[Sample]:
        samples = [Sample(key, float(self.failures[code]), counter=True) for code, key in self._failure_keys.items()]
        values = self._probes.summary()
        if self._last is not None and self._last.seconds is not None:
            values["latency_seconds"] = self._last.seconds
        if self.resolve_seconds is not None:
            values["resolve_duration_seconds"] = self.resolve_seconds
        return samples + [Sample(self._key(name), value) for name, value in values.items()]

    def _key(self, name: str) -> SeriesKey:
        if name not in self._keys:
            self._keys[name] = SeriesKey(f"forewarn_network_{name}", (("target", self.name),))
        return self._keys[name]
