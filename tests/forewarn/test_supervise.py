import asyncio
import subprocess
import sys
import time

import psutil
import pytest

from tests.support.supervised import MODULE, Rig, running


async def test_frames_go_both_ways_and_the_end_is_orderly() -> None:
    rig = Rig()
    async with running(rig):
        hello = await rig.next("hello")
        assert hello["settings"]["behaviour"] == ""
        assert rig.child.pid == hello["pid"]
        rig.child.send({"n": 1})
        assert (await rig.next("echo"))["frame"] == {"n": 1}
        assert rig.child.up
        assert await rig.child.stop()
        await rig.next("bye")
    assert rig.exits == [0]
    assert rig.child.restarts == 0


async def test_one_that_fails_is_started_again_with_longer_and_longer_pauses() -> None:
    rig = Rig("fail")
    async with running(rig):
        for _ in range(4):
            await rig.next("hello")
    assert rig.exits[:3] == [3, 3, 3]
    assert rig.clock.pauses[:3] == [1, 2, 4]
    assert rig.child.restarts >= 3


async def test_one_that_has_nothing_to_do_is_left_alone() -> None:
    rig = Rig("finish")
    async with running(rig) as task:
        await asyncio.wait_for(task, 60)
    assert rig.child.finished
    assert not rig.child.up
    assert rig.child.restarts == 0


async def test_one_that_is_silent_is_killed_and_started_again() -> None:
    rig = Rig("deaf", silence_seconds=1.0)
    async with running(rig):
        first = await rig.next("hello")
        second = await rig.next("hello")
        assert first["pid"] != second["pid"]
    assert rig.exits[0] == -9


@pytest.mark.timed
async def test_one_that_is_stuck_ends_within_two_seconds_all_the_same() -> None:
    rig = Rig("deaf")
    async with running(rig):
        pid = (await rig.next("hello"))["pid"]
        began = time.monotonic()
        assert await rig.child.stop()
        assert time.monotonic() - began < 3
    assert not psutil.pid_exists(pid)


@pytest.mark.timed
async def test_an_abandoned_one_ends_by_itself() -> None:
    rig = Rig("deaf")
    async with running(rig):
        pid = (await rig.next("hello"))["pid"]
        began = time.monotonic()
        await rig.child.abandon()
        assert time.monotonic() - began < 0.5
        await asyncio.to_thread(psutil.wait_procs, [psutil.Process(pid)], 60)
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("behaviour", ["", "deaf"])
def test_a_child_does_not_outlive_its_parent(behaviour: str) -> None:
    code = (
        "import asyncio, sys\n"
        "from forewarn.base.clock import SystemClock\n"
        "from forewarn.supervise import Child, ChildSpec\n"
        "def told(frame): print(frame['pid'], flush=True)\n"
        f"spec = ChildSpec('small', {MODULE!r}, lambda: {{'behaviour': {behaviour!r}}}, told)\n"
        "asyncio.run(Child(spec, SystemClock()).run())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs([child], 60)
    assert alive == []
