"""Sources that look at slow devices now and then, beside the rounds."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from collector.samplers.devices.sweep import Sweep
from collector.samplers.series_keys import gauge
from collector.series import Sample
from forewarn.base.clock import Clock

DEADLINE_SECONDS = 5.0
_STALE_LOOKS = 3


class Look(Protocol):
    """What a kind of device is asked."""

    def devices(self) -> Sequence[str]:
        """Names of the devices there are."""
        ...

    def read(self, device: str) -> list[Sample]:
        """What a device tells; it may hang.

        Raises:
            OSError: it does not answer.
        """
        ...


class Rota:
    """A source that looks at its devices one after the other; one that hangs is named, and delays no other.

    Args:
        name: value of the label ``collector``.
        look: the devices, and what they are asked.
        clock: when a look is due.
        every: seconds between two looks; what was found is held in between, and dropped when three looks are missed.
        patience: the longest that a round waits for a look; one that takes longer is seen in a later round.
        deadline: seconds after which a device counts as one that hangs.
    """

    def __init__(
        self,
        name: str,
        look: Look,
        clock: Clock,
        *,
        every: float,
        patience: float,
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self.name = name
        self._look = look
        self._clock = clock
        self._every = every
        self._patience = patience
        self._sweep: Sweep[list[Sample]] = Sweep(name, deadline)
        self._task: asyncio.Task[list[Sample]] | None = None
        self._due = 0.0
        self._held: list[Sample] = []
        self._held_since = 0.0
        self._hung: set[str] = set()

    async def collect(self) -> Sequence[Sample]:
        """What the last look found, and which devices hang."""
        now = self._clock.monotonic()
        if self._task is None and now >= self._due:
            self._due = now + self._every
            self._task = asyncio.create_task(self._all(), name=self.name)
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=self._patience)
            if self._task.done():
                done, self._task = self._task, None
                self._held, self._held_since = done.result(), now
        fresh = now - self._held_since <= _STALE_LOOKS * self._every
        self._hung |= self._sweep.stuck
        stuck = [
            gauge("device_stuck", device in self._sweep.stuck, "collector", self.name, "device", device)
            for device in sorted(self._hung)
        ]
        return [*(self._held if fresh else ()), *stuck]

    async def close(self) -> None:
        """Stop looking; a call that hangs ends with the process."""
        if self._task is not None:
            self._task.cancel()
        self._sweep.close()

    async def _all(self) -> list[Sample]:
        devices = await self._sweep.devices(self._look.devices)
        found = await self._sweep.over(devices, self._look.read)
        return [sample for samples in found.values() for sample in samples]
