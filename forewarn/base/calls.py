"""A call handed to a thread by the event loop: run there, its outcome brought back to the loop."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

Call = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]
"""Where the outcome goes, what to call, and with what."""


def carry_out(call: Call, on_return: Callable[[], None] = lambda: None) -> None:
    """Run a call on this thread and settle its future on the loop that made it, ``on_return`` first."""
    future, function, args = call
    try:
        outcome, error = function(*args), None
    except BaseException as caught:  # noqa: BLE001  whatever it was, the caller must hear of it
        outcome, error = None, caught
    with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
        future.get_loop().call_soon_threadsafe(_settle, future, outcome, error, on_return)


def _settle(
    future: "asyncio.Future[Any]", outcome: Any, error: BaseException | None, on_return: Callable[[], None]
) -> None:
    on_return()
    if future.cancelled():
        return
    if error is None:
        future.set_result(outcome)
    else:
        future.set_exception(error)
        future.exception()  # where the caller has given up or was cancelled, nobody else looks
