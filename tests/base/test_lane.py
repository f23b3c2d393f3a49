import asyncio
import threading
import time

import pytest

from forewarn.base.lane import Lane, StuckError


async def test_a_call_comes_back() -> None:
    assert await Lane("quick").call(lambda a, b: a + b, 1, 2, deadline=5) == 3


async def test_an_error_of_the_call_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await Lane("broken").call(lambda: 1 / 0, deadline=5)


async def test_a_stuck_call_holds_up_its_own_lane_only() -> None:
    gate = threading.Event()
    stuck, free = Lane("stuck"), Lane("free")
    started = time.monotonic()
    with pytest.raises(StuckError):
        await stuck.call(gate.wait, deadline=0.05)
    with pytest.raises(StuckError):
        await stuck.call(gate.wait, deadline=60)
    assert await free.call(lambda: "answers", deadline=5) == "answers"
    assert time.monotonic() - started < 2
    assert stuck.stuck
    gate.set()
    await _free(stuck)
    assert await stuck.call(lambda: "again", deadline=5) == "again"


async def test_a_late_error_is_not_lost_on_the_floor() -> None:
    gate = threading.Event()
    lane = Lane("late")

    def fail() -> None:
        gate.wait()
        raise OSError("too late")

    with pytest.raises(StuckError):
        await lane.call(fail, deadline=0.02)
    gate.set()
    await _free(lane)


async def _free(lane: Lane) -> None:
    while lane.stuck:  # noqa: ASYNC110  the lane tells nobody when a late call comes back
        await asyncio.sleep(0.01)
