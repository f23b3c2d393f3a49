"""The daemon's children. They outlive a reload of the configuration where it changes nothing for them."""

import asyncio
import logging
from collections.abc import Iterable, Iterator

from forewarn.base.clock import Clock
from forewarn.supervise import Child, ChildSpec

log = logging.getLogger(__name__)


class Children:
    """The supervised children that there are now, in the order of their specifications.

    At a reload they ``rest``, ``take`` the new specifications and ``start``.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._children: list[Child] = []
        self._specs: tuple[ChildSpec, ...] = ()
        self._leaving: list[Child] = []
        self._tasks: dict[Child, asyncio.Task[None]] = {}

    def __iter__(self) -> Iterator[Child]:
        return iter(self._children)

    async def rest(self) -> bool:
        """Let nobody be told of them until the next start; none is left behind."""
        for child in self._children:
            child.rest()
        return True

    def take(self, specs: Iterable[ChildSpec]) -> None:
        """Decide who stays, who is new and who has to go; ``start`` does it."""
        self._specs = tuple(specs)
        staying = {spec.name: child for spec in self._specs for child in self._children if child.suits(spec)}
        self._leaving += [child for child in self._children if child not in staying.values()]
        self._children = [staying.get(spec.name) or Child(spec, self._clock) for spec in self._specs]

    async def start(self) -> None:
        """End those that have to go, hand those that stay over, start the others; their processes are there then."""
        await asyncio.gather(*(self._end(child) for child in self._leaving))
        self._leaving = []
        for child, spec in zip(self._children, self._specs, strict=True):
            if child in self._tasks:
                child.turn_to(spec)
            else:
                self._tasks[child] = asyncio.create_task(child.run(), name=f"child {spec.name}")
                self._tasks[child].add_done_callback(complain)
        for child in self._children:
            await child.started.wait()

    async def abandon(self, name: str) -> None:
        """Leave the child of this name, which is stuck in a call, to itself; its successor waits for its end."""
        for child in [child for child in self._children if child.spec.name == name]:
            self._children.remove(child)
            await child.abandon()
            await self._forget(child)

    async def stop(self) -> bool:
        """End them all; False where one is left behind."""
        ended = await asyncio.gather(*(self._end(child) for child in (*self._children, *self._leaving)))
        return all(ended)

    async def _end(self, child: Child) -> bool:
        ended = await child.stop()
        await self._forget(child)
        return ended

    async def _forget(self, child: Child) -> None:
        task = self._tasks.pop(child, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def complain(task: "asyncio.Task[None]") -> None:
    """Log what ended a task that should not have ended."""
    if not task.cancelled() and task.exception() is not None:
        log.error("a task of the daemon ended", extra={"task": task.get_name()}, exc_info=task.exception())
