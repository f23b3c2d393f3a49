"""A receiver's answer that comes together with the end of the daemon does not keep the daemon alive."""

import asyncio
import threading

import pytest

from forewarn.base.lane import Lane


@pytest.mark.parametrize("steps", range(6))
async def test_a_cancellation_beside_the_outcome_is_not_lost(steps: int) -> None:
    lane, answered = Lane("test"), threading.Event()
    task = asyncio.create_task(lane.call(answered.set, deadline=60))
    await asyncio.sleep(0)
    answered.wait(60)
    while lane.stuck:  # noqa: ASYNC110  one turn of the loop at a time is the point
        await asyncio.sleep(0)
    for _ in range(steps):
        await asyncio.sleep(0)
    asked = task.cancel()
    await asyncio.wait({task})
    assert task.cancelled() == asked
