"""A supervised child of the tests' own, its frames and its exits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from forewarn.base.clock import SystemClock
from forewarn.base.frames import Frame
from forewarn.supervise import Child, ChildSpec

MODULE = "tests.support.small_child"


class Impatient(SystemClock):
    """Notes the pauses and does not wait for them."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


class Rig:
    def __init__(self, behaviour: str = "", **spec: Any) -> None:
        self.frames: asyncio.Queue[Frame] = asyncio.Queue()
        self.exits: list[int] = []
        self.clock = Impatient()
        settings = lambda: {"behaviour": behaviour, "log_level": "INFO"}  # noqa: E731
        self.child = Child(
            ChildSpec("small", MODULE, settings, self.frames.put_nowait, on_exit=self.exits.append, **spec), self.clock
        )

    async def next(self, kind: str) -> Frame:
        while True:
            frame = await asyncio.wait_for(self.frames.get(), 60)
            if frame["kind"] == kind:
                return frame


@contextlib.asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(rig.child.run())
    try:
        yield task
    finally:
        await rig.child.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
