"""A crew: daemon threads for calls that may block but must not be given up: writes, queries.

Nobody waits for them at the exit, as the interpreter does for those of ``concurrent.futures``.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from forewarn.base.calls import Call, carry_out

T = TypeVar("T")


class Crew:
    """Runs calls off the event loop, in the order of their submission; a crew of one runs one after another."""

    def __init__(self, name: str, size: int = 1) -> None:
        self._jobs: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(size)]
        for thread in self._threads:
            thread.start()

    async def submit(self, function: Callable[..., T], *args: Any) -> T:
        """The result of ``function(*args)``, run on a thread of the crew; what it raises is raised here."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((future, function, args))
        return await asyncio.shield(future)

    def close(self, timeout: float = 2.0) -> bool:
        """Finish what was submitted; False where that took longer than ``timeout`` seconds."""
        end = time.monotonic() + timeout
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            carry_out(job)
