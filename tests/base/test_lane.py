import asyncio
import contextlib
import resource
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from forewarn.base.lane import Lane, NoThreadError, StuckError


async def test_a_call_comes_back() -> None:
    assert await Lane("quick").call(lambda a, b: a + b, 1, 2, deadline=60) == 3


async def test_an_error_of_the_call_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await Lane("broken").call(lambda: 1 / 0, deadline=60)


@pytest.mark.timed
async def test_a_stuck_call_holds_up_its_own_lane_only() -> None:
    gate = threading.Event()
    stuck, free = Lane("stuck"), Lane("free")
    started = time.monotonic()
    with pytest.raises(StuckError):
        await stuck.call(gate.wait, deadline=0.05)
    with pytest.raises(StuckError):
        await stuck.call(gate.wait, deadline=600)
    assert await free.call(lambda: "answers", deadline=60) == "answers"
    assert time.monotonic() - started < 60
    assert stuck.stuck
    gate.set()
    await _free(stuck)
    assert await stuck.call(lambda: "again", deadline=60) == "again"


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


async def test_a_thread_that_cannot_be_started_costs_that_call_only() -> None:
    lane = Lane("crowded out")
    with _no_thread_starts(), pytest.raises(NoThreadError, match="crowded out: no thread can be started"):
        await lane.call(lambda: "answers", deadline=60)
    assert not lane.stuck
    assert await lane.call(lambda: "answers", deadline=60) == "answers"


@contextlib.contextmanager
def _no_thread_starts() -> Iterator[None]:
    """Threads that want more address space than there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = threading.stack_size(1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + (256 << 20), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        threading.stack_size(size)


async def _free(lane: Lane) -> None:
    while lane.stuck:  # noqa: ASYNC110  the lane tells nobody when a late call comes back
        await asyncio.sleep(0.01)
