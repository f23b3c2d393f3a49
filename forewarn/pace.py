"""Jobs at a steady pace on a clock that may be set: APScheduler goes by the time of day."""

import logging
from datetime import datetime, timedelta

from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.base import BaseTrigger

from forewarn.base.clock import Clock

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
STEP_SECONDS = 1.0


class Pace(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Every so many seconds. Of the times that a sleep or a leap of the clock skipped, only the last counts.

    APScheduler's own interval lists every one of them: a machine whose clock begins in 1970 would be busy for hours.
    """

    def __init__(self, seconds: float) -> None:
        self._period = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The time after ``previous_fire_time``, not further back than the last one before ``now``."""
        if previous_fire_time is None:
            return now + self._period
        return previous_fire_time + max(1, (now - previous_fire_time) // self._period) * self._period


async def follow_clock(scheduler: BaseScheduler, clock: Clock) -> None:
    """Until cancelled: where the clock is set back, the jobs' next times go with it, else they would wait for it."""
    offset = _offset(clock)
    while True:
        await clock.sleep(LOOK_SECONDS)
        moved, offset = _offset(clock) - offset, _offset(clock)
        if moved > -STEP_SECONDS:
            continue
        log.warning("the clock was set back", extra={"seconds": round(-moved, 1)})
        for job in scheduler.get_jobs():
            job.modify(next_run_time=job.next_run_time + timedelta(seconds=moved))


def _offset(clock: Clock) -> float:
    return clock.now_ms() / 1000 - clock.monotonic()
