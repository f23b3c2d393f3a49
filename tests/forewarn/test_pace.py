"""Jobs where the clock is set, on a real scheduler."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from forewarn.pace import Pace, follow_clock
from tests.support.hand_clock import HandClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
YEARS = timedelta(days=56 * 365)


class Settable(HandClock):
    def set_back(self, seconds: float) -> None:
        self._now_ms -= round(seconds * 1000)


def due(begin: datetime, now: datetime, seconds: float) -> list[datetime]:
    """What the scheduler makes of a job whose next time was ``begin``."""
    pace, times, next_time = Pace(seconds), [], begin
    while next_time <= now:
        times.append(next_time)
        assert len(times) < 10
        next_time = pace.get_next_fire_time(next_time, now)
    return [*times, next_time]


def test_it_keeps_its_pace() -> None:
    first = Pace(5).get_next_fire_time(None, NOW)
    assert first == NOW + timedelta(seconds=5)
    assert due(first, first, 5) == [first, first + timedelta(seconds=5)]


def test_a_leap_ahead_is_one_late_run_on_the_old_beat() -> None:
    begin = NOW - YEARS
    times = due(begin, NOW, 7)
    assert len(times) == 3
    assert times[0] == begin
    assert NOW - timedelta(seconds=7) < times[1] <= NOW < times[2]
    assert all((time - begin) % timedelta(seconds=7) == timedelta(0) for time in times)


async def test_jobs_go_back_with_the_clock() -> None:
    async def job() -> None:
        """Not run here."""

    scheduler, clock = AsyncIOScheduler(timezone=UTC), Settable()
    scheduler.start(paused=True)
    before = datetime.now(UTC) + timedelta(hours=2)
    scheduler.add_job(job, Pace(5), id="job", next_run_time=before)
    following = asyncio.create_task(follow_clock(scheduler, clock))
    await clock.advance(60)
    assert scheduler.get_job("job").next_run_time == before
    clock.set_back(3600)
    await clock.advance(10)
    assert scheduler.get_job("job").next_run_time == before - timedelta(hours=1)
    await clock.advance(10)
    assert scheduler.get_job("job").next_run_time == before - timedelta(hours=1)
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    scheduler.shutdown(wait=False)
