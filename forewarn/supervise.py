"""Children: started as ``python -P -m module``, watched, started again with back-off, ended in time."""

import asyncio
import contextlib
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass, replace

from forewarn.base import frames
from forewarn.base.child import GRACE_SECONDS, LEAVE, PARENT_PID_VARIABLE
from forewarn.base.clock import Clock
from forewarn.base.frames import Frame
from forewarn.base.streams import read_frame

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
HEALTHY_SECONDS = 60.0
NOT_STARTED = 127
"""The status of a child that could not even be started, as a shell says it."""
_left_behind: dict[str, Process] = {}
"""By name, the processes that did not end or must end by themselves; their successors wait for that."""


@dataclass(frozen=True)
class ChildSpec:
    """How a child is run.

    Attributes:
        name: its name in logs and in the label ``child``.
        module: what ``python -m`` runs.
        settings: makes its first frame, anew at every start.
        on_frame: what to do with each frame it sends.
        on_start: told at every start.
        on_exit: told its exit status at every end (negative: the signal that ended it).
        silence_seconds: without a frame for so long the child counts as hung, is killed and started again;
            None where something else watches it.
        gate: it is started only while this is set; None where it may always run.
        standing: kinds of frames that hold until the next of that kind; whoever takes the child over is told them.
    """

    name: str
    module: str
    settings: Callable[[], Frame]
    on_frame: Callable[[Frame], None]
    on_start: Callable[[], None] = lambda: None
    on_exit: Callable[[int], None] = lambda _: None
    silence_seconds: float | None = None
    gate: asyncio.Event | None = None
    standing: frozenset[str] = frozenset()


class Child:
    """One supervised child.

    Attributes:
        restarts: times it had to be started again.
        finished: it ended by itself with status 0 and is not started again.
        started: set once it was tried to start it for the first time, or has to wait for one that was left behind.
    """

    def __init__(self, spec: ChildSpec, clock: Clock) -> None:
        self.spec = spec
        self.restarts = 0
        self.finished = False
        self.started = asyncio.Event()
        self._clock = clock
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._hung = False
        self._waiting = False
        self._leaving = False
        self._coming = False
        self._said: dict[str, Frame] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def up(self) -> bool:
        """Whether it runs and is not hung."""
        return self.pid is not None and not self._hung

    @property
    def held(self) -> bool:
        """Whether its gate is closed, or so newly open that the process is still coming."""
        return self._shut_out or self._coming

    @property
    def _shut_out(self) -> bool:
        return self.spec.gate is not None and not self.spec.gate.is_set()

    def suits(self, spec: ChildSpec) -> bool:
        """Whether this child, as it runs, is what the specification asks for."""
        same = (self.spec.name, self.spec.module, self.spec.gate) == (spec.name, spec.module, spec.gate)
        return same and self.spec.settings() == spec.settings() and not self.finished and not self._stopping.is_set()

    def rest(self) -> None:
        """Tell nobody what becomes of the child, until it is turned to somebody else."""
        self.spec = replace(self.spec, on_start=_nothing, on_frame=_nothing, on_exit=_nothing)

    def turn_to(self, spec: ChildSpec) -> None:
        """Go on under a specification that it suits: who is told of the child from now on hears what still holds."""
        self.spec = spec
        if self.up:
            spec.on_start()
            for frame in self._said.values():
                spec.on_frame(frame)

    async def run(self) -> None:
        """Keep the child running until ``stop``, or until it ends by itself with status 0."""
        pause = FIRST_PAUSE
        await self._wait_for_left_behind()
        while not self._stopping.is_set():
            await self._pass_the_gate()
            started = self._clock.monotonic()
            status = await self.run_once()
            if self._stopping.is_set():
                return
            if self._leaving:
                self._leaving = False
                log.info("child has left, as it was asked to", extra={"child": self.spec.name, "status": status})
                continue
            if status == 0:
                self.finished = True
                return
            lived = self._clock.monotonic() - started
            pause = FIRST_PAUSE if lived >= HEALTHY_SECONDS else pause
            log.warning(
                "child ended, starting it again",
                extra={"child": self.spec.name, "status": status, "lived_seconds": round(lived, 1), "pause": pause},
            )
            await self._clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            self.restarts += not self._stopping.is_set()

    async def run_once(self) -> int:
        """Start the child, hand its frames on until it ends, and return its exit status."""
        self._idle.clear()
        try:
            return await self._run_once()
        finally:
            self._idle.set()

    async def _run_once(self) -> int:
        try:
            process = self._process = await self._start()
        except OSError as error:
            log.error("cannot start a child", extra={"child": self.spec.name, "error": error.strerror})  # noqa: TRY400
            return NOT_STARTED
        finally:
            self._coming = False
            self.started.set()
        if self._stopping.is_set():  # it was asked for while the process came to be
            _kill(process)
        self._hung = False
        self._said = {}
        self.spec.on_start()
        self.send(self.spec.settings())
        if self._shut_out:  # the gate was closed while the process came to be
            self._ask_to_leave()
        try:
            await self._pump(process)
        except Exception:  # whatever a malformed frame led to: the child is started anew, the watch goes on
            log.exception("child broke its protocol, killing it", extra={"child": self.spec.name})
            _kill(process)
        status = await process.wait()
        self.spec.on_exit(status)
        return status

    async def leave(self, seconds: float) -> bool:
        """Ask the child to leave, its gate being closed; True once no process is there, False after so many seconds.

        It is not killed: where it sits in a call, it leaves when that comes back.
        """
        self._ask_to_leave()
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return not self._waiting

    def _ask_to_leave(self) -> None:
        self._leaving = self.pid is not None
        self.send(LEAVE)

    async def _pass_the_gate(self) -> None:
        if self._shut_out and self.spec.gate is not None:
            self.started.set()
            self._coming = True
            await self.spec.gate.wait()

    async def _wait_for_left_behind(self) -> None:
        """Let the one that an earlier supervisor left behind end first: two must not be at the same device."""
        left = _left_behind.get(self.spec.name)
        if left is None or left.returncode is not None:
            return
        log.warning("child is started once the one that is stuck has ended", extra=_facts(self.spec.name, left))
        self._waiting = True
        self.started.set()
        self.spec.on_start()
        await left.wait()
        self._waiting = False
        log.info(
            "the child that was stuck has ended", extra={**_facts(self.spec.name, left), "status": left.returncode}
        )

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            self.spec.module,
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, PARENT_PID_VARIABLE: str(os.getpid())},
        )

    def send(self, frame: Frame) -> None:
        """Hand the child a frame; nothing happens where it does not run."""
        if self._process and self._process.stdin and not self._process.stdin.is_closing():
            self._process.stdin.write(frames.encode(frame))

    async def stop(self) -> bool:
        """End the child: end of file first, SIGKILL after the grace; False where one is left behind all the same."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return not self._waiting
        if process.stdin:
            process.stdin.close()
        if await _ended(process, GRACE_SECONDS + 0.5):
            return True
        log.warning("child did not end in time, killing it", extra={"child": self.spec.name})
        _kill(process)
        if await _ended(process, 0.5):
            return True
        _left_behind[self.spec.name] = process
        return False

    async def abandon(self) -> None:
        """Ask the child to end, and leave it to itself: it is stuck in a call that must not be interrupted."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        _left_behind[self.spec.name] = process
        _let_go(process)

    async def _pump(self, process: Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                frame = await asyncio.wait_for(read_frame(process.stdout), self.spec.silence_seconds)
            except TimeoutError:
                self._hung = True
                log.warning(
                    "child is silent, killing it",
                    extra={"child": self.spec.name, "seconds": self.spec.silence_seconds},
                )
                _kill(process)
                return
            if frame is None:
                return
            if frame["kind"] in self.spec.standing:
                self._said.pop(frame["kind"], None)  # in the order in which they were said last
                self._said[frame["kind"]] = frame
            self.spec.on_frame(frame)


def _nothing(*_: object) -> None:
    """Nobody listens."""


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _let_go(process: Process) -> None:
    """Close its pipes, and spare it the SIGKILL that comes with that.

    asyncio's transport kills when it is closed or collected: BaseSubprocessTransport.close, ``__del__``.
    """
    transport = process._transport  # type: ignore[attr-defined]  # noqa: SLF001
    transport.get_extra_info("subprocess").kill = lambda: None
    transport.close()


def _facts(name: str, process: Process) -> dict[str, object]:
    return {"child": name, "pid": process.pid}


async def _ended(process: Process, seconds: float) -> bool:
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        return False
    return True
