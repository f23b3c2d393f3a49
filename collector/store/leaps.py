"""Whether the wall clock can be trusted with deleting: a leap ahead must not cost the history."""

from forewarn.base.clock import DAY, HOUR, SECOND, Clock

_LEAP_MS = HOUR
_ABSENCE_MS = DAY
_WAIT_SECONDS = DAY / SECOND


class Leaps:
    """Compares the wall clock with the monotonic one.

    A clock that was set ahead by an hour, or that is a day ahead of what the file holds at the start, is not believed
    for a day: a wrong one is set right by then, and a node that was off for long can wait.

    Args:
        clock: both clocks.
        newest_ms: when the file was last written, None where it is empty.
    """

    def __init__(self, clock: Clock, newest_ms: int | None) -> None:
        self._clock = clock
        self._wall = clock.now_ms()
        self._monotonic = clock.monotonic()
        absent = newest_ms is not None and self._wall - newest_ms > _ABSENCE_MS
        self._believed_at = self._monotonic + (_WAIT_SECONDS if absent else 0.0)

    def believed(self) -> bool:
        """Whether the wall clock is to be believed now; ask often."""
        wall, monotonic = self._clock.now_ms(), self._clock.monotonic()
        if wall - self._wall - (monotonic - self._monotonic) * SECOND > _LEAP_MS:
            self._believed_at = monotonic + _WAIT_SECONDS
        self._wall, self._monotonic = wall, monotonic
        return monotonic >= self._believed_at
