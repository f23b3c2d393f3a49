"""A child that is stuck in a call which must not be interrupted ends itself, whatever becomes of its supervisor."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forewarn.base.clock import SystemClock
from forewarn.supervise import Child, ChildSpec

HANGS = (
    "import time\nfrom forewarn.base.child import serve\n"
    "def main(parent):\n    parent.send({'kind': 'busy'})\n    time.sleep(60)\nserve(main)\n"
)
SUPERVISES = """
import asyncio, gc, os
from forewarn.base.clock import SystemClock
from forewarn.supervise import Child, ChildSpec

async def main():
    busy = asyncio.Event()
    child = Child(ChildSpec("a", "a_hanging_child", dict, lambda _: busy.set()), SystemClock())
    running = asyncio.create_task(child.run())
    await busy.wait()
    pid = child.pid
    await child.abandon()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return pid

asyncio.set_child_watcher(asyncio.PidfdChildWatcher())  # later Pythons use no other
pid = asyncio.run(main())
gc.collect()
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Child]:
    (tmp_path / "a_hanging_child.py").write_text(HANGS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(name: str, on_frame: Callable[[object], None], on_start: Callable[[], None] = lambda: None) -> Child:
        return Child(ChildSpec(name, "a_hanging_child", dict, on_frame, on_start), SystemClock())

    return make


@pytest.mark.usefixtures("hanging")
def test_the_end_of_the_loop_does_not_kill_it() -> None:
    done = subprocess.run([sys.executable, "-c", SUPERVISES], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "1", done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.timed
async def test_no_other_is_started_beside_it(hanging: Callable[..., Child], caplog: pytest.LogCaptureFixture) -> None:
    busy, again = asyncio.Event(), asyncio.Event()
    first = hanging("stuck", lambda _: busy.set())
    watching = asyncio.create_task(first.run())
    await asyncio.wait_for(busy.wait(), 60)
    pid = first.pid
    assert pid is not None
    await first.abandon()
    starts: list[bool] = []
    second = hanging("stuck", lambda _: again.set(), lambda: starts.append(_lives(pid)))
    running = asyncio.create_task(second.run())
    await asyncio.wait_for(second.started.wait(), 60)
    assert _lives(pid)
    assert second.pid is None
    await asyncio.wait_for(again.wait(), 60)
    assert starts == [True, False]  # told at once that there is one at work, and again at its own start
    assert caplog.text.count("is started once the one that is stuck has ended") == 1
    await second.stop()
    await asyncio.wait_for(asyncio.gather(watching, running), 60)


@pytest.mark.timed
async def test_an_end_while_one_is_waited_for_leaves_it_behind(hanging: Callable[..., Child]) -> None:
    busy = asyncio.Event()
    first = hanging("stuck for good", lambda _: busy.set())
    watching = asyncio.create_task(first.run())
    await asyncio.wait_for(busy.wait(), 60)
    await first.abandon()
    second = hanging("stuck for good", lambda _: None)
    running = asyncio.create_task(second.run())
    await asyncio.wait_for(second.started.wait(), 60)
    assert not await second.stop()
    await asyncio.wait_for(asyncio.gather(watching, running), 60)
    assert second.pid is None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
