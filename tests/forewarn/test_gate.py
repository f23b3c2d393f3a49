"""A child whose gate is closed leaves, and is started again when it opens."""

import asyncio

import psutil

from tests.support.supervised import Rig, running


def gated(behaviour: str = "") -> tuple[Rig, asyncio.Event]:
    gate = asyncio.Event()
    gate.set()
    return Rig(behaviour, gate=gate), gate


async def test_it_leaves_in_an_orderly_way_and_comes_back() -> None:
    rig, gate = gated()
    async with running(rig):
        first = await rig.next("hello")
        gate.clear()
        assert await rig.child.leave(60)
        await rig.next("bye")
        assert (rig.exits, rig.child.pid, rig.child.held) == ([0], None, True)
        assert not psutil.pid_exists(first["pid"])
        await asyncio.sleep(0.2)
        assert rig.frames.empty()
        gate.set()
        assert (await rig.next("hello"))["pid"] != first["pid"]
        assert rig.child.up
    assert rig.child.restarts == 0
    assert not rig.child.finished


async def test_one_that_is_stuck_is_waited_for_and_not_killed() -> None:
    rig, gate = gated("deaf")
    async with running(rig):
        hello = await rig.next("hello")
        gate.clear()
        assert not await rig.child.leave(0.5)
        await asyncio.sleep(2.5)  # longer than the grace of one that is told to end
        assert psutil.pid_exists(hello["pid"])
        assert rig.exits == []


async def test_a_gate_that_opens_again_before_it_has_left() -> None:
    rig, gate = gated()
    async with running(rig):
        await rig.next("hello")
        gate.clear()
        leaving = asyncio.create_task(rig.child.leave(60))
        await asyncio.sleep(0)
        gate.set()
        assert await leaving
        await rig.next("hello")  # it ended with status 0, which is otherwise for good


async def test_a_gate_that_is_closed_from_the_start_lets_nothing_through_and_holds_nobody_up() -> None:
    rig, gate = gated()
    gate.clear()
    async with running(rig):
        await asyncio.wait_for(rig.child.started.wait(), 60)
        assert await rig.child.leave(60)
        assert rig.frames.empty()
        gate.set()
        await rig.next("hello")


async def test_a_gate_that_closes_while_the_process_comes_to_be() -> None:
    rig, gate = gated()
    async with running(rig):
        await rig.child.started.wait()
        gate.clear()
        assert await rig.child.leave(60)
        assert rig.exits == [0]


def test_a_child_without_a_gate_is_never_held() -> None:
    assert not Rig().child.held
