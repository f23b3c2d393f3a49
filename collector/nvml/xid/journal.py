"""Following the kernel's log through journald, for a daemon that may not read /dev/kmsg.

Needs the group systemd-journal. ``journalctl --follow`` ends by itself once nobody reads its output any more.
"""

import asyncio
import contextlib
import logging
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable
from typing import Any, Final

import orjson

from collector.nvml.xid.kmsg import LogLine
from forewarn.base.clock import Clock

log = logging.getLogger(__name__)

_PROBE_SECONDS: Final = 10.0
_LINE_BYTES: Final = 1 << 20
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_END_SECONDS: Final = 1.0
_LIVE_MS: Final = 10_000
_JOURNALCTL: Final = ("journalctl", "--dmesg", "--output=json", "--no-pager", "--quiet")


class JournalFollower:
    """Runs journalctl and hands its lines on; one that ends is started again where it stopped.

    Args:
        line: takes the lines.
        unreadable: called once where journald shows nothing of the kernel.
        clock: waits between two starts.
        since_boot: whether to begin with the oldest line of this boot.
    """

    def __init__(
        self, line: Callable[[LogLine], None], unreadable: Callable[[], None], clock: Clock, *, since_boot: bool
    ) -> None:
        self._line = line
        self._unreadable = unreadable
        self._clock = clock
        self._since_boot = since_boot
        self._last = b""
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="journal")

    async def close(self) -> None:
        """End journalctl."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        await self._end()

    async def _run(self) -> None:
        if not await self._readable():
            self._unreadable()
            return
        pause = _FIRST_PAUSE
        while True:
            begun = self._clock.monotonic()
            await self._follow()
            if self._clock.monotonic() - begun >= _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            log.debug("journalctl ended, starting it again", extra={"pause": pause})
            await self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _readable(self) -> bool:
        """Whether journald shows the kernel's newest line: every kernel has logged something."""
        try:
            process = self._process = await _start("--lines=1")
            out, _ = await asyncio.wait_for(process.communicate(), _PROBE_SECONDS)
        except (OSError, TimeoutError):
            await self._end()
            return False
        return bool(out.strip())

    async def _follow(self) -> None:
        try:
            process = self._process = await _start("--follow", *self._place())
        except OSError as error:
            log.debug("journalctl cannot be started", extra={"error": error.strerror})
            return
        assert process.stdout is not None
        with contextlib.suppress(ValueError):  # a line over the limit: begin anew after it
            while data := await process.stdout.readline():
                self._entry(data)
        await self._end()

    def _place(self) -> tuple[str, ...]:
        cursor = _fields(self._last).get("__CURSOR")
        if cursor is not None:
            return (f"--after-cursor={cursor}",)
        return ("--lines=all",) if self._since_boot else ("--lines=0",)

    def _entry(self, data: bytes) -> None:
        self._last = data
        if b"Xid" not in data:
            return
        fields = _fields(data)
        message, micros = fields.get("MESSAGE"), fields.get("__REALTIME_TIMESTAMP")
        if isinstance(message, str) and isinstance(micros, str):
            time_ms = int(micros) // 1000
            self._line(LogLine(message, time_ms, self._clock.now_ms() - time_ms < _LIVE_MS))

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


async def _start(*arguments: str) -> Process:
    guard = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
    return await asyncio.create_subprocess_exec(
        *guard, *_JOURNALCTL, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, limit=_LINE_BYTES
    )


def _fields(data: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}
