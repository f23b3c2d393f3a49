"""A clock that a test moves by hand."""

import asyncio


class HandClock:
    """Starts at a given moment; time passes only in ``advance``, which wakes whoever sleeps."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self._now_ms = now_ms
        self._seconds = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now_ms(self) -> int:
        return self._now_ms + round(self._seconds * 1000)

    def monotonic(self) -> float:
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self._sleepers.append((self._seconds + seconds, event))
        await event.wait()

    async def advance(self, seconds: float) -> None:
        """Let time pass, then let everybody do what they now can."""
        await settle()
        self._seconds += seconds
        for when, event in self._sleepers:
            if when <= self._seconds:
                event.set()
        self._sleepers = [(when, event) for when, event in self._sleepers if not event.is_set()]
        await settle()


async def settle() -> None:
    """Let every task run until it waits for something."""
    for _ in range(20):
        await asyncio.sleep(0)
