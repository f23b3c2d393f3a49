"""The dispatcher: takes notifications out of the outbox and brings them to their receivers."""

import asyncio
import logging
import random as randomness
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from alerts.outbox import Delivery, Idle, Outbox
from alerts.outcome import Outcome, backoff
from alerts.settings import ReceiverSettings
from alerts.webhook import Webhook
from forewarn.base.clock import Clock
from forewarn.base.errors import ForewarnError
from forewarn.base.lane import Lane, StuckError

log = logging.getLogger(__name__)

_LANE_GRACE_SECONDS = 1.0
DATABASE_PAUSE_SECONDS = 5.0
"""Between tries while the outbox cannot be used."""


class Submit(Protocol):
    """Runs a function on the thread that owns the database connection."""

    def __call__(self, function: Callable[..., Any], /, *args: Any) -> Awaitable[Any]:
        """The function's result."""
        ...


class Dispatcher:
    """One loop and one thread a receiver, so that one that never answers holds up no other.

    Attributes:
        delivered: notifications delivered since the start, by receiver.
        failed: failed attempts since the start, by receiver and reason.
    """

    def __init__(
        self,
        outbox: Outbox,
        receivers: Sequence[ReceiverSettings],
        clock: Clock,
        submit: Submit,
        *,
        random: Callable[[], float] = randomness.random,
        pause_seconds: float = DATABASE_PAUSE_SECONDS,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._submit = submit
        self._random = random
        self._pause_seconds = pause_seconds
        self._routes = [_Route(settings, clock) for settings in receivers]
        self.delivered: Counter[str] = Counter({settings.name: 0 for settings in receivers})
        self.failed: Counter[tuple[str, str]] = Counter()

    @property
    def outbox(self) -> Outbox:
        """What it takes from."""
        return self._outbox

    def wake(self) -> None:
        """Look into the outbox now; called on the loop's thread after an evaluation."""
        for route in self._routes:
            route.awake.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        if not self._routes:
            await asyncio.Event().wait()
        try:
            async with asyncio.TaskGroup() as group:
                for route in self._routes:
                    group.create_task(self._serve(route), name=f"notify {route.settings.name}")
        finally:
            for route in self._routes:
                route.close()

    async def _serve(self, route: "_Route") -> None:
        while True:
            route.awake.clear()
            try:
                step = await self._step(route)
            except (ForewarnError, sqlite3.Error) as error:
                log.error("the outbox cannot be used", extra={"receiver": route.settings.name, "error": str(error)})  # noqa: TRY400  the error's text says all
                step = self._clock.now_ms() + self._pause_seconds * 1000
                route.awake.clear()
            await self._wait(route, step)

    async def _step(self, route: "_Route") -> float | None:
        """Deliver what is due; the time at which to look again, None: when woken."""
        pause = route.paused_until - self._clock.monotonic()
        if pause > 0:
            return self._clock.now_ms() + pause * 1000
        claimed: Delivery | Idle = await self._submit(self._outbox.claim, route.settings.name)
        if isinstance(claimed, Idle):
            return claimed.until_ms
        outcome = await route.post(claimed.body)
        await self._settle(route, claimed, outcome)
        return self._clock.now_ms()

    async def _settle(self, route: "_Route", delivery: Delivery, outcome: Outcome) -> None:
        name, pause = route.settings.name, backoff(delivery.attempts, self._random)
        if outcome.verdict == "retry" and outcome.retry_after is not None:
            pause = max(pause, outcome.retry_after)
            route.paused_until = self._clock.monotonic() + outcome.retry_after
        dead = await self._keep(delivery, outcome, pause)
        facts = {"receiver": name, "group": delivery.group_key, "attempt": delivery.attempts}
        if outcome.reason is None:
            self.delivered[name] += 1
            log.info("notification delivered", extra=facts)
            return
        self.failed[name, outcome.reason] += 1
        facts |= {"reason": outcome.reason, "detail": outcome.detail}
        if dead:
            log.error("notification undeliverable", extra=facts)
        else:
            log.warning("notification not delivered", extra={**facts, "again_in_seconds": round(pause, 1)})

    async def _keep(self, delivery: Delivery, outcome: Outcome, pause: float) -> bool:
        """Write down how an attempt ended, as often as it takes: until then its group stands as being sent."""
        told = False
        while True:
            try:
                dead: bool = await self._submit(self._outbox.settle, delivery, outcome, pause)
            except (ForewarnError, sqlite3.Error) as error:
                if not told:
                    facts = {"receiver": delivery.receiver, "group": delivery.group_key, "error": str(error)}
                    log.error("the end of an attempt cannot be written down; it is tried again", extra=facts)  # noqa: TRY400  the error's text says all
                    told = True
                await self._clock.sleep(self._pause_seconds)
            else:
                return dead

    async def _wait(self, route: "_Route", until_ms: float | None) -> None:
        if until_ms is None:
            await route.awake.wait()
            return
        seconds = (until_ms - self._clock.now_ms()) / 1000
        if seconds <= 0:
            return
        tasks = {
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(route.awake.wait()),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()


class _Route:
    """A receiver, its thread, and what it asked for."""

    def __init__(self, settings: ReceiverSettings, clock: Clock) -> None:
        self.settings = settings
        self.awake = asyncio.Event()
        self.paused_until = float("-inf")
        self._webhook = Webhook(settings, clock)
        self._lane = Lane(f"receiver {settings.name}")

    async def post(self, body: bytes) -> Outcome:
        deadline = self.settings.timeout + _LANE_GRACE_SECONDS
        try:
            return await self._lane.call(self._webhook.post, body, deadline=deadline)
        except StuckError as error:
            return Outcome("retry", "timeout", str(error), reached=True)

    def close(self) -> None:
        self._lane.close()
