"""Children over a reload: who is unchanged goes on, who is changed starts anew."""

import asyncio
from typing import Any

import psutil
import pytest

from forewarn.base.clock import SystemClock
from forewarn.base.frames import Frame
from forewarn.children import Children
from forewarn.supervise import ChildSpec
from tests.support.supervised import MODULE


class Room:
    """Somebody who wants one child of a name, and notes what is told of it."""

    def __init__(self, name: str = "small", behaviour: str = "") -> None:
        self.told: asyncio.Queue[Frame] = asyncio.Queue()
        self.starts: list[str] = []
        self.exits: list[int] = []
        settings = lambda: {"behaviour": behaviour, "log_level": "INFO"}  # noqa: E731
        self.spec = ChildSpec(
            name,
            MODULE,
            settings,
            self.told.put_nowait,
            on_start=lambda: self.starts.append(name),
            on_exit=self.exits.append,
            standing=frozenset({"hello"}),
        )

    async def hear(self, kind: str) -> Frame:
        while True:
            frame = await asyncio.wait_for(self.told.get(), 60)
            if frame["kind"] == kind:
                return frame


@pytest.fixture
async def children() -> Any:
    children = Children(SystemClock())
    yield children
    assert await children.stop()


async def moved(children: Children, *rooms: Room) -> None:
    await children.rest()
    children.take(room.spec for room in rooms)
    await children.start()


async def test_one_for_which_nothing_changes_goes_on_and_its_new_room_hears_what_holds(children: Children) -> None:
    old, new = Room(), Room()
    await moved(children, old)
    pid = (await old.hear("hello"))["pid"]
    (child,) = children
    child.send({"n": 1})
    await old.hear("echo")
    await moved(children, new)
    assert (await new.hear("hello"))["pid"] == pid
    assert list(children) == [child]
    assert new.starts == ["small"]
    child.send({"n": 2})
    assert (await new.hear("echo"))["frame"] == {"n": 2}  # and not what was said once, the first echo
    assert (old.told.qsize(), old.exits) == (0, [])


async def test_one_with_other_settings_ends_before_its_successor_starts(children: Children) -> None:
    old, new = Room(), Room(behaviour="other")
    await moved(children, old)
    pid = (await old.hear("hello"))["pid"]
    await moved(children, new)
    assert not psutil.pid_exists(pid)
    hello = await new.hear("hello")
    assert (hello["settings"]["behaviour"], hello["pid"] != pid) == ("other", True)
    assert (old.exits, new.exits) == ([], [])  # nobody is told of the end of what is not his


async def test_who_is_wanted_no_more_ends_and_who_is_new_starts(children: Children) -> None:
    first, second = Room("first"), Room("second")
    await moved(children, first)
    pid = (await first.hear("hello"))["pid"]
    await moved(children, second)
    assert not psutil.pid_exists(pid)
    await second.hear("hello")
    await moved(children)
    assert list(children) == []


async def test_one_that_had_nothing_to_do_is_asked_again(children: Children) -> None:
    old, new = Room(behaviour="finish"), Room(behaviour="finish")
    await moved(children, old)
    pid = (await old.hear("hello"))["pid"]
    (child,) = children
    await asyncio.wait_for(children._tasks[child], 60)
    assert child.finished
    await moved(children, new)
    assert (await new.hear("hello"))["pid"] != pid


async def test_all_end_at_the_end(children: Children) -> None:
    rooms = Room("first"), Room("second", "deaf")
    await moved(children, *rooms)
    pids = [(await room.hear("hello"))["pid"] for room in rooms]
    assert await children.stop()
    assert not any(psutil.pid_exists(pid) for pid in pids)
