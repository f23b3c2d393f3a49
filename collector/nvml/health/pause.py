"""A pause of all GPU collection, so that an operator can reset a GPU, change MIG or unload the driver.

It is kept in a file: a daemon that is started again meanwhile keeps away from the GPUs too, until the pause is over.
"""

import asyncio
import contextlib
import json
import logging
from pathlib import Path
from typing import Final

from forewarn.base.clock import Clock, rfc3339
from forewarn.base.files import write_json

log = logging.getLogger(__name__)

LONGEST_SECONDS: Final = 24 * 3600.0


class Pause:
    """Whether collection is paused, and until when.

    Args:
        path: where it is kept.
        clock: the time.

    Attributes:
        gate: set while the nvml child may run.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._until: float | None = None
        self._until_ms = 0
        self.gate = asyncio.Event()
        left = _read(path) - clock.now_ms() / 1000
        if 0 < left <= LONGEST_SECONDS:
            self._keep_away(left)
            log.warning("GPU collection stays paused, as before the start", extra={"until": self.until})
        else:
            self.gate.set()

    @property
    def left(self) -> float:
        """Seconds until it is over; 0 where there is none."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock.monotonic())

    @property
    def on(self) -> bool:
        """Whether there is one."""
        return self._until is not None

    @property
    def until(self) -> str | None:
        """When it is over, RFC 3339; None where there is none."""
        return rfc3339(self._until_ms) if self.on else None

    def begin(self, seconds: float) -> None:
        """Pause for so long from now, also where there is a pause already; ``save`` keeps it."""
        self._keep_away(seconds)
        log.warning("GPU collection is paused", extra={"until": self.until})

    def end(self, why: str) -> None:
        """Let collection go on; nothing happens where it does."""
        if self.on:
            self._until = None
            self.gate.set()
            log.info("GPU collection goes on: %s", why)

    def end_in_time(self) -> bool:
        """End a pause whose time is up; whether one was ended. To be asked every few seconds."""
        if not self.on or self.left > 0:
            return False
        self.end("the pause is over")
        return True

    def save(self) -> None:
        """Keep it, or that there is none, on the disk.

        Raises:
            OSError: it could not be written.
        """
        if self.on:
            write_json(self._path, {"until": self._until_ms / 1000})
        else:
            self._path.unlink(missing_ok=True)

    def _keep_away(self, seconds: float) -> None:
        self._until = self._clock.monotonic() + seconds
        self._until_ms = 1000 * round(self._clock.now_ms() / 1000 + seconds)
        self.gate.clear()


def _read(path: Path) -> float:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return float(json.loads(path.read_text(encoding="utf-8"))["until"])
    return 0.0
