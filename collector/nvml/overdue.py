"""Whether the nvml child is where it should be, and in which driver call it sits if it is not."""

import logging
from collections import deque
from dataclasses import dataclass
from typing import Final

from forewarn.base.clock import Clock

log = logging.getLogger(__name__)

WARN_SECONDS: Final = 5.0
SLOW_ROUNDS: Final = 3
SLOW_WITHIN_SECONDS: Final = 600.0
"""A round of five seconds may happen; three of them in ten minutes are a driver in trouble."""
HANGING_SECONDS: Final = 2.0
WHOLE_DRIVER_SHARE: Final = 2.0
"""How much longer a call about no single GPU may take: where persistence mode is off, it wakes all of them."""


@dataclass(frozen=True, slots=True)
class StuckCall:
    """A driver call that does not come back: its name, its GPU's index (or nothing), seconds overdue."""

    call: str
    gpu: str
    seconds: float

    @property
    def name(self) -> str:
        """The call, and whose."""
        return f"{self.call} of GPU {self.gpu}" if self.gpu else self.call

    def __str__(self) -> str:
        return f"the GPU driver has not come back from {self.name} for {self.seconds:.0f} s"


class Overdue:
    """Follows what the child announces against the clock.

    Args:
        clock: tells how long things take.
        interval: seconds between two rounds.
        stuck_after: seconds overdue from which on the driver counts as stuck in a call about one GPU.
    """

    def __init__(self, clock: Clock, interval: float, *, stuck_after: float) -> None:
        self._clock = clock
        self._interval = interval
        self._stuck_after = stuck_after
        self._due: float | None = None
        self._call, self._gpu = "", ""
        self._warned_at: float | None = None
        self._busy = False
        self._slow: deque[tuple[float, StuckCall]] = deque(maxlen=SLOW_ROUNDS)
        self.ever_started = False
        self.stuck: StuckCall | None = None

    def started(self) -> None:
        """The child was started and is at work."""
        self.ever_started = True
        self.begun("its start", "")

    def ended(self) -> None:
        """The child is no more: nothing is waited for."""
        self._due = None
        self._slow.clear()
        self._relieve()

    def begun(self, call: str, gpu: str) -> None:
        """A piece of work began now."""
        self._due = self._clock.monotonic()
        self._call, self._gpu = call, gpu
        self._relieve()

    def busy(self, call: str, gpu: str, seconds: float) -> None:
        """One call of the work is known not to have come back for so long."""
        self._due = self._clock.monotonic() - seconds
        self._call, self._gpu = call, gpu
        self._busy = True

    def progressed(self, due_in: float, took: float = 0.0) -> None:
        """Work was finished, which took so many seconds; the next sign of life is due in so many."""
        now = self._clock.monotonic()
        if took >= WARN_SECONDS:
            self._slow.append((now, StuckCall(self._call, self._gpu, took)))
        self._due = now + due_in
        self._call, self._gpu = "its next round", ""
        self._relieve()

    def judge(self) -> StuckCall | None:
        """The call that is stuck now, or None; says in the log when one is late, at most every ten minutes."""
        if self._due is None:
            return None
        now = self._clock.monotonic()
        late = now - self._due
        call = StuckCall(self._call, self._gpu, late)
        patience = self._stuck_after if self._gpu else self._stuck_after * WHOLE_DRIVER_SHARE
        if late >= patience:
            self.stuck = call
        elif late >= WARN_SECONDS and (self._warned_at is None or now - self._warned_at >= SLOW_WITHIN_SECONDS):
            self._warned_at = now
            log.warning("%s", call)
        return self.stuck

    @property
    def slow(self) -> str:
        """Which call the driver was slow in last, where slow rounds came again and again; else nothing."""
        if len(self._slow) < SLOW_ROUNDS or self._clock.monotonic() - self._slow[0][0] > SLOW_WITHIN_SECONDS:
            return ""
        last = self._slow[-1][1]
        return f"a round took {last.seconds:.0f} s, last seen in {last.name}"

    def hanging(self) -> StuckCall | None:
        """The call that the child says has not come back, once that has lasted two seconds: it holds an end up."""
        if self._due is None or not self._busy:
            return self.stuck
        late = self._clock.monotonic() - self._due
        return StuckCall(self._call, self._gpu, late) if late >= HANGING_SECONDS else None

    def _relieve(self) -> None:
        if self.stuck is not None:
            log.warning("the GPU driver answers again", extra={"call": self.stuck.call, "gpu": self.stuck.gpu})
        self.stuck = None
        self._busy = False
