import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from forewarn.base.clock import SystemClock
from forewarn.supervise import NOT_STARTED, Child, ChildSpec

SLEEPS = "import time\ntime.sleep(60)\n"
FAILS = "raise SystemExit(3)\n"
BABBLES = "import sys, time\nsys.stdout.write('this is no frame at all')\nsys.stdout.flush()\ntime.sleep(60)\n"
SENDS = (
    "import sys, time\nfrom forewarn.base import frames\n"
    "sys.stdout.buffer.write(frames.encode({'kind': 'odd'}))\nsys.stdout.flush()\ntime.sleep(60)\n"
)


class Held(SystemClock):
    """Pauses end when the test says so."""

    def __init__(self) -> None:
        self.asleep = asyncio.Event()
        self.go = asyncio.Event()

    async def sleep(self, _seconds: float) -> None:
        self.asleep.set()
        await self.go.wait()


@pytest.fixture
def child_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Child]:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(program: str, clock: SystemClock, on_frame: Callable[[Any], None] = lambda _: None) -> Child:
        (tmp_path / "a_child.py").write_text(program)
        return Child(ChildSpec("a", "a_child", dict, on_frame), clock)

    return make


def own_children() -> list[int]:
    return [
        process.pid for process in psutil.Process(os.getpid()).children() if process.status() != psutil.STATUS_ZOMBIE
    ]


async def test_one_that_is_stopped_in_its_pause_stays_away(child_of: Callable[..., Child]) -> None:
    clock = Held()
    child = child_of(FAILS, clock)
    running = asyncio.create_task(child.run())
    await asyncio.wait_for(clock.asleep.wait(), 60)
    before = own_children()
    assert await child.stop()
    clock.go.set()
    await asyncio.wait_for(running, 60)
    assert child.restarts == 0
    assert own_children() == before


async def test_a_stop_while_it_is_being_started_ends_it(child_of: Callable[..., Child]) -> None:
    child = child_of(SLEEPS, SystemClock())
    running = asyncio.create_task(child.run_once())
    await asyncio.sleep(0)
    assert child.pid is None
    await child.stop()
    assert await asyncio.wait_for(running, 60) < 0


@pytest.mark.parametrize("program", [BABBLES, SENDS])
async def test_one_that_breaks_the_protocol_is_started_anew(
    child_of: Callable[..., Child], program: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(frame: Any) -> None:
        raise KeyError(frame["kind"])

    clock = Held()
    child = child_of(program, clock, refuse)
    running = asyncio.create_task(child.run())
    await asyncio.wait_for(clock.asleep.wait(), 60)
    assert "child broke its protocol" in caplog.text
    assert not child.up
    running.cancel()


async def test_one_that_cannot_be_started_is_tried_again(
    child_of: Callable[..., Child], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Held()
    child = child_of(SLEEPS, clock)
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/nowhere/python")
        assert await child.run_once() == NOT_STARTED
        running = asyncio.create_task(child.run())
        await asyncio.wait_for(child.started.wait(), 60)
        await asyncio.wait_for(clock.asleep.wait(), 60)
    assert "cannot start a child" in caplog.text
    clock.go.set()
    while not child.up:  # noqa: ASYNC110  nothing tells of it
        await asyncio.sleep(0.02)
    assert child.restarts == 1
    await child.stop()
    await asyncio.wait_for(running, 60)
