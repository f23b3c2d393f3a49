"""A lane: one daemon thread for calls that the kernel, a resolver or a far server may never answer.

A call that misses its deadline keeps its lane occupied, and only its lane; the process can end at any time, because
nobody joins the thread.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from forewarn.base.calls import Call, carry_out

T = TypeVar("T")


class StuckError(Exception):
    """The call did not come back in time; ``seconds`` says for how long it has been away."""

    def __init__(self, lane: str, seconds: float) -> None:
        super().__init__(f"{lane}: no answer for {seconds:.1f} s")
        self.lane = lane
        self.seconds = seconds


class NoThreadError(StuckError):
    """The call was not even begun: the system starts no more threads."""

    def __init__(self, lane: str) -> None:
        super().__init__(lane, 0.0)
        self.args = (f"{lane}: no thread can be started; is the limit of tasks reached?",)


class Lane:
    """Runs blocking calls one at a time, each with a deadline; a stuck call makes the next ones fail at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._busy_since: float | None = None
        self._thread: threading.Thread | None = None

    @property
    def stuck(self) -> bool:
        """Whether a call that missed its deadline is still away."""
        return self._busy_since is not None

    async def call(self, function: Callable[..., T], *args: Any, deadline: float) -> T:
        """The result of ``function(*args)``.

        Raises:
            StuckError: it did not return within ``deadline`` seconds, or an earlier one still has not.
            NoThreadError: there is no thread to run it on; the next call tries again.
        """
        loop = asyncio.get_running_loop()
        if self._busy_since is not None:
            raise StuckError(self.name, loop.time() - self._busy_since)
        if self._thread is None:
            self._thread = self._started()
        future: asyncio.Future[T] = loop.create_future()
        self._busy_since = loop.time()
        self._calls.put((future, function, args))
        # wait_for of Python 3.11 swallows a cancellation that comes together with the outcome
        done, _ = await asyncio.wait({future}, timeout=deadline)
        if not done:
            raise StuckError(self.name, deadline)
        return future.result()

    def close(self) -> None:
        """Let the thread end once it is idle; a call that is stuck ends with the process."""
        self._calls.put(None)

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise NoThreadError(self.name) from error
        return thread

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            carry_out(call, self._returned)

    def _returned(self) -> None:
        self._busy_since = None
