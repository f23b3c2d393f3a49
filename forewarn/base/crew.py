"""A crew: daemon threads for calls that may block but must not be given up: writes, queries.

Nobody waits for them at the exit, as the interpreter does for those of ``concurrent.futures``.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Crew:
    """Runs calls off the event loop, in the order of their submission; a crew of one runs one after another."""

    def __init__(self, name: str, size: int = 1) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
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
            future, function, args = job
            try:
                outcome, error = function(*args), None
            except BaseException as caught:  # noqa: BLE001  the submitter is told, whatever it was
                outcome, error = None, caught
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                future.get_loop().call_soon_threadsafe(_settle, future, outcome, error)


def _settle(future: "asyncio.Future[Any]", outcome: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(outcome)
    else:
        future.set_exception(error)
        future.exception()  # where the submitter was cancelled, nobody else looks
