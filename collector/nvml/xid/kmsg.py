"""Following /dev/kmsg without blocking.

Source: Documentation/ABI/testing/dev-kmsg of the kernel: each read gives one record, ``priority,sequence,microseconds
since boot,flags;text``, then lines of ``KEY=value`` that begin with a space; EAGAIN at the end of the log, EPIPE once
where records were overwritten before they were read, EINVAL where one is larger than the buffer.
"""

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from forewarn.base.clock import Clock

log = logging.getLogger(__name__)

_BATCH: Final = 256
_RECORD_BYTES: Final = 8192


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the kernel's log, its time in milliseconds since the epoch, and whether it was logged just now."""

    message: str
    time_ms: int
    live: bool


class KmsgFollower:
    """Reads records as they come.

    Args:
        path: the device.
        line: takes the lines.
        clock: tells the time; its monotonic clock counts from the boot, as the records do.
        since_boot: whether to begin with the oldest record there is.
        read: reads from the open device.
    """

    def __init__(
        self,
        path: Path,
        line: Callable[[LogLine], None],
        clock: Clock,
        *,
        since_boot: bool,
        read: Callable[[int, int], bytes] = os.read,
    ) -> None:
        self._path = path
        self._line = line
        self._clock = clock
        self._since_boot = since_boot
        self._read = read
        self._handle: int | None = None
        self._sequence = -1
        self._live = False
        self._said_lost = False

    def open(self) -> None:
        """Begin with the newest record, or after the last one that was read before ``close``.

        Raises:
            OSError: the device is not there, or may not be read.
        """
        handle = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._live = False
        if self._sequence < 0 and not self._since_boot:
            self._live = True
            _skip(handle)
        self._handle = handle
        asyncio.get_running_loop().add_reader(handle, self.read)

    def close(self) -> None:
        """Let go of the device."""
        if self._handle is not None:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = None

    def read(self) -> None:
        """Hand on what is there, so much at a time that the loop has time for others."""
        for _ in range(_BATCH):
            if self._handle is None:
                return
            try:
                data = self._read(self._handle, _RECORD_BYTES)
            except BlockingIOError:
                self._live = True
                return
            except OSError as error:
                if not self._survived(error):
                    return
                continue
            if not data:  # no device of the kernel's ends
                self.close()
                return
            self._records(data)

    def _records(self, data: bytes) -> None:
        for text in data.decode("utf-8", errors="replace").split("\n"):
            if text and not text.startswith(" "):
                self._record(text)

    def _record(self, text: str) -> None:
        head, _, message = text.partition(";")
        try:
            sequence, micros = (int(part) for part in head.split(",")[1:3])
        except ValueError:
            return
        if sequence <= self._sequence:
            return
        self._sequence = sequence
        # The stamps are of the processor's own clock, which drifts from the wall's by seconds in weeks.
        now_ms = self._clock.now_ms()
        time_ms = now_ms if self._live else now_ms - max(0, round(self._clock.monotonic() * 1000) - micros // 1000)
        self._line(LogLine(message, time_ms, self._live))

    def _survived(self, error: OSError) -> bool:
        if error.errno == errno.EPIPE:
            if not self._said_lost:
                self._said_lost = True
                log.warning("the kernel's log was overwritten before it could be read: XID errors may be missing")
            return True
        if error.errno == errno.EINVAL:
            return True
        log.warning("the kernel's log cannot be read any more", extra={"error": error.strerror})
        self.close()
        return False


def _skip(handle: int) -> None:
    """Go to the end of the log; a pipe that stands for the device has nothing to skip."""
    try:
        os.lseek(handle, 0, os.SEEK_END)
    except OSError as error:
        if error.errno != errno.ESPIPE:
            raise
