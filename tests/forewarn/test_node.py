import asyncio
import contextlib
import gc

import pytest

from collector.rounds import Collector
from collector.source import CollectError
from forewarn.base.clock import SystemClock
from forewarn.node import Relay, WorkerLink
from tests.support.hand_clock import HandClock

FRAME = {"kind": "samples", "samples": [["forewarn_logs_up", {"b": "2", "a": "1"}, 1.0, False], ["x", {}, None, False]]}


async def test_what_a_child_sent_is_handed_on_while_it_is_fresh() -> None:
    clock = HandClock()
    relay = Relay("logship", clock, 30)
    assert await relay.collect() == []  # it has just been started
    relay.on_frame(FRAME)
    (sample,) = await relay.collect()
    assert str(sample.key) == 'forewarn_logs_up{a="1",b="2"}'
    await clock.advance(31)
    with pytest.raises(CollectError) as silent:
        await relay.collect()
    assert silent.value.code == "silent"


async def test_the_newest_frame_counts_and_its_series_are_those_of_the_last_one() -> None:
    relay = Relay("logship", HandClock(), 30)
    relay.on_frame(FRAME)
    (before,) = await relay.collect()
    relay.on_frame({"kind": "samples", "samples": [["forewarn_logs_up", {"b": "2", "a": "1"}, 3.0, False]]})
    relay.on_frame({"kind": "samples", "samples": [["forewarn_logs_up", {"b": "2", "a": "1"}, 2.0, False]]})
    (after,) = await relay.collect()
    assert (before.value, after.value) == (1.0, 2.0)
    assert after.key is before.key
    relay.on_frame({"kind": "samples", "samples": []})
    assert await relay.collect() == []


async def test_a_child_that_cannot_work_says_why() -> None:
    relay = Relay("logship", HandClock(), 30)
    relay.on_frame({"kind": "off", "reason": "the extra 'logs' is missing"})
    with pytest.raises(CollectError, match="'logs' is missing"):
        await relay.collect()


async def test_one_that_was_started_with_another_configuration_is_heard_again() -> None:
    relay = Relay("logship", HandClock(), 30)
    relay.on_frame({"kind": "off", "reason": "nothing to ship"})
    relay.on_frame(FRAME)
    assert len(await relay.collect()) == 1


async def test_a_worker_that_moves_while_it_is_being_left_is_asked_where_it_is_last() -> None:
    asked: list[int] = []
    failed: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    async with contextlib.AsyncExitStack() as ending:
        ports = [await _silent_server(ending, asked) for _ in range(3)]
        collector = Collector([], SystemClock(), 0.2)
        ending.push_async_callback(collector.close)
        link = WorkerLink(collector, 5.0, SystemClock())
        _is_ready(link, ports[0])
        await _asked_at(collector, asked, ports[0])  # its sources are waiting for an answer: leaving takes a while
        _is_ready(link, ports[1])
        await asyncio.sleep(0)
        _is_ready(link, ports[2])
        _is_ready(link, ports[2])
        await _asked_at(collector, asked, ports[2])
        assert ports[1] not in asked
        assert asked.count(ports[2]) <= 2  # its page, and the canary
    gc.collect()  # what a task died of is told once nobody refers to it
    assert not failed


def _is_ready(link: WorkerLink, port: int) -> None:
    link.on_frame({"kind": "ready", "url": f"http://127.0.0.1:{port}"})


async def _asked_at(collector: Collector, asked: list[int], port: int) -> None:
    async with asyncio.timeout(60):
        while port not in asked:
            await collector.round()
            await asyncio.sleep(0.02)


async def _silent_server(ending: contextlib.AsyncExitStack, asked: list[int]) -> int:
    """A server that never answers; each connection puts its port into ``asked``."""

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ending.callback(writer.close)
        asked.append(port)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    ending.callback(server.close)
    port: int = server.sockets[0].getsockname()[1]
    return port
