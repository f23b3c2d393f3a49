"""The writer thread: the one place where the parent touches a database for writing."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class WriterThread:
    """Runs writing calls one after another, in the order of their submission, off the event loop."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def submit(self, function: Callable[..., T], *args: Any) -> T:
        """The result of ``function(*args)``, run on the writer thread; what it raises is raised here."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((future, function, args))
        return await asyncio.shield(future)

    def close(self, timeout: float = 2.0) -> bool:
        """Finish what was submitted; False where that took longer than ``timeout`` seconds."""
        self._jobs.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

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
