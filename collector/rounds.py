"""Rounds: every source is asked at once, none is waited for beyond the deadline, and each one's health is told."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from collector.merge import OWN, Merger, Verdict
from collector.series import Sample, Scrape, SeriesKey, labels_of
from collector.source import CollectError, Source
from forewarn.base.clock import Clock
from forewarn.base.lane import NoThreadError, StuckError

log = logging.getLogger(__name__)

PATIENCE = 0.8
MAX_SERIES_A_SOURCE = 2_000
MAX_SERIES_OF: Mapping[str, int] = {"nvml": 6_000}
"""What the hardware bounds may be more: 16 GPUs with 36 NVLinks and 7 slices each have 3,776 series."""
MAX_SERIES = 20_000
_NAMED = 20
_FLICKER_SECONDS = 60.0
"""A source that failed and came back is given so long before another failure is said: some flicker for hours."""
_CLOSE_SECONDS = 1.0


@dataclass(slots=True, eq=False)
class _Seat:
    """A source, and what is remembered of it between rounds.

    Attributes:
        task: the call that is under way; it is never cancelled, for that would not free what it waits for.
        trouble: code of what went wrong in the last round, empty where nothing did.
        failing_since: when the first of the rounds without data was; monotonic seconds.
        back_since: when it last gave data again, None where it never had to.
        said: the trouble that the log tells of as lasting.
        refused: names of metrics that went over a limit in the last round.
    """

    source: Source
    task: "asyncio.Task[Sequence[Sample]] | None" = None
    started: float = 0.0
    duration: float = 0.0
    last_success_ms: int | None = None
    trouble: str = ""
    failing_since: float = 0.0
    back_since: float | None = None
    said: str = ""
    errors: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    refused: frozenset[str] = frozenset()
    refused_series: int = 0


class Collector:
    """Asks the sources, one round after the other; rounds must not overlap.

    Args:
        sources: whom to ask; where two give the same series, the earlier one wins.
        clock: time stamps, durations and deadlines.
        interval: seconds between two rounds; a source has 0.8 of it to answer.
        max_series_a_source: series that a source may give.
        max_series_of: another number for the sources of these names.
        max_series: series that all of them may give.

    Attributes:
        last: what the last round found, None before the first.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        clock: Clock,
        interval: float,
        *,
        max_series_a_source: int = MAX_SERIES_A_SOURCE,
        max_series_of: Mapping[str, int] = MAX_SERIES_OF,
        max_series: int = MAX_SERIES,
    ) -> None:
        self._clock = clock
        self._deadline = PATIENCE * interval
        self._merger = Merger(max_series_a_source, max_series)
        self._limit = max_series_a_source
        self._limit_of = max_series_of
        self._seats: dict[str, _Seat] = {}
        self.last: Scrape | None = None
        for source in sources:
            self.add(source)

    def add(self, source: Source) -> None:
        """Ask one more source from the next round on.

        Raises:
            ValueError: there is one of that name.
        """
        if source.name in self._seats:
            raise ValueError(f"two sources are called {source.name!r}")
        self._seats[source.name] = _Seat(source)

    async def remove(self, name: str) -> None:
        """Ask a source no more, and close it; nothing happens where there is none of that name."""
        seat = self._seats.pop(name, None)
        if seat is not None:
            await _close(seat)

    async def round(self) -> Scrape:
        """One round: the samples of every source that answered in time, and the health of all."""
        time_ms = self._clock.now_ms()
        seats = list(self._seats.values())
        away = [seat for seat in seats if not self._start(seat)]
        await self._wait([seat for seat in seats if seat not in away])
        answers = [self._take(seat, time_ms, stuck=seat in away) for seat in seats]
        samples, verdicts = self._merger.merge(answers, self._limits(seats))
        for seat, verdict in zip(seats, verdicts, strict=True):
            _judge(seat, verdict)
            samples.extend(_health(seat))
        self.last = Scrape(time_ms, samples)
        return self.last

    def _limits(self, seats: Sequence[_Seat]) -> list[int]:
        return [self._limit_of.get(seat.source.name, self._limit) for seat in seats]

    async def close(self) -> None:
        """Close every source."""
        for seat in self._seats.values():
            await _close(seat)

    def _start(self, seat: _Seat) -> bool:
        """Ask a source; False where the call of an earlier round is still away. What came back late is dropped."""
        if seat.task is not None and not seat.task.done():
            return False
        seat.started = self._clock.monotonic()
        seat.task = asyncio.create_task(self._ask(seat), name=f"collect {seat.source.name}")
        seat.task.add_done_callback(_retrieve)
        return True

    async def _ask(self, seat: _Seat) -> Sequence[Sample]:
        try:
            return await seat.source.collect()
        finally:
            seat.duration = self._clock.monotonic() - seat.started

    async def _wait(self, seats: Sequence[_Seat]) -> None:
        alarm = asyncio.ensure_future(self._clock.sleep(self._deadline))
        pending: set[asyncio.Future[Any]] = {seat.task for seat in seats if seat.task is not None}
        while pending and not alarm.done():
            await asyncio.wait({alarm, *pending}, return_when=asyncio.FIRST_COMPLETED)
            pending = {task for task in pending if not task.done()}
        alarm.cancel()

    def _take(self, seat: _Seat, time_ms: int, *, stuck: bool) -> Sequence[Sample]:
        """What a source has found; nothing where it failed, did not answer, or is being closed."""
        task = seat.task
        if task is None or not task.done():
            seat.duration = self._clock.monotonic() - seat.started
            waited = f"no answer for {seat.duration:.1f} s"
            self._fail(seat, CollectError("stuck" if stuck else "timeout", waited))
            return ()
        if task.cancelled():  # the source is being closed: it has not failed
            return ()
        error = task.exception()
        if error is not None:
            self._fail(seat, error)
            return ()
        if seat.trouble:
            seat.back_since = self._clock.monotonic()
        if seat.said:
            log.info("a collector gives data again", extra={"collector": seat.source.name})
            seat.said = ""
        seat.trouble, seat.last_success_ms = "", time_ms
        return task.result()

    def _fail(self, seat: _Seat, error: BaseException) -> None:
        code = _code(error)
        seat.errors[code] += 1
        now = self._clock.monotonic()
        if not seat.trouble:
            seat.failing_since = now
        seat.trouble = code
        if seat.said != code and not _flickers(seat, now):
            seat.said = code
            log.warning(
                "a collector gives no data",
                extra={"collector": seat.source.name, "code": code, "error": str(error)},
                exc_info=error if code == "internal" else None,
            )


def _flickers(seat: _Seat, now: float) -> bool:
    """Whether it was well only briefly before, and has not failed for long yet."""
    if seat.back_since is None or now - seat.failing_since >= _FLICKER_SECONDS:
        return False
    return seat.failing_since - seat.back_since < _FLICKER_SECONDS


def _judge(seat: _Seat, verdict: Verdict) -> None:
    """Count what was not kept of a source's series, and say so when it changes."""
    seat.duplicates += verdict.duplicates
    seat.refused_series = len(verdict.refused)
    names = frozenset(verdict.refused)
    if names == seat.refused or seat.trouble:  # a source that failed has not mended its ways
        return
    seat.refused = names
    if names:
        facts = {"collector": seat.source.name, "series": len(verdict.refused), "limit": verdict.limit}
        log.warning("series over the limit are not kept", extra={**facts, "names": sorted(names)[:_NAMED]})


def _code(error: BaseException) -> str:
    if isinstance(error, CollectError):
        return error.code
    if isinstance(error, NoThreadError):
        return "no_thread"
    return "stuck" if isinstance(error, StuckError) else "internal"


def _health(seat: _Seat) -> Iterator[Sample]:
    name = seat.source.name
    yield _self("success", name, float(not seat.trouble))
    yield _self("duration_seconds", name, seat.duration)
    if seat.last_success_ms is not None:
        yield _self("last_success_timestamp_seconds", name, seat.last_success_ms / 1000)
    for code, count in sorted(seat.errors.items()):
        yield _self("errors_total", name, float(count), counter=True, code=code)
    yield _self("duplicate_series_total", name, float(seat.duplicates), counter=True)
    yield _self("refused_series", name, float(seat.refused_series), reason="over_limit")


def _self(what: str, collector: str, value: float, *, counter: bool = False, **labels: str) -> Sample:
    return Sample(_key(what, collector, *labels.items()), value, counter)


@lru_cache(maxsize=1_024)
def _key(what: str, collector: str, *labels: tuple[str, str]) -> SeriesKey:
    return SeriesKey(f"{OWN}{what}", labels_of({"collector": collector, **dict(labels)}))


async def _close(seat: _Seat) -> None:
    if seat.task is not None:
        seat.task.cancel()
        await asyncio.wait({seat.task}, timeout=_CLOSE_SECONDS)
    await seat.source.close()


def _retrieve(task: "asyncio.Task[Sequence[Sample]]") -> None:
    """Look at the outcome, so that asyncio does not complain where it came after the round."""
    if not task.cancelled():
        task.exception()
