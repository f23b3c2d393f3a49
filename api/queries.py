"""Blocking queries, run off the event loop on a few threads of their own, with bounds on what may be asked."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from api.answers import ApiError
from collector.series import Matcher, parse_selector
from forewarn.base.clock import HOUR, SECOND, parse_time, rfc3339

T = TypeVar("T")

THREADS = 2
"""Queries in flight; more wait. Each thread keeps its own connection to the store."""
MAX_POINTS = 11_000
"""Windows of one series in one answer, as many as Prometheus allows."""
MAX_SERIES = 200
"""Series in one answer to a range query."""
DEFAULT_POINTS = 300


class Queries:
    """Runs the store's blocking methods."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="api-query")

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """The result of ``function(*args)``."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)


@dataclass(frozen=True, slots=True)
class Span:
    """A time range [start, end) in windows of ``step`` milliseconds."""

    start_ms: int
    end_ms: int
    step_ms: int

    @classmethod
    def parse(cls, start: str | None, end: str | None, step: float | None, now_ms: int) -> "Span":
        """The range that a request asks for: the last hour, in some 300 windows, where it does not say.

        Raises:
            ApiError: the times cannot be read, or the answer would have too many points.
        """
        end_ms = now_ms if end is None else _time(end, "end")
        start_ms = end_ms - HOUR if start is None else _time(start, "start")
        if start_ms >= end_ms:
            raise ApiError(400, "start is not before end", hint="without end, now is meant")
        default = max(SECOND, (end_ms - start_ms) // DEFAULT_POINTS // SECOND * SECOND)
        step_ms = default if step is None else round(step * 1000)
        if step_ms < SECOND:
            raise ApiError(400, "step is shorter than a second", hint="ask for step=1 or more")
        if (end_ms - start_ms) // step_ms > MAX_POINTS:
            least = (end_ms - start_ms) / MAX_POINTS / 1000
            raise ApiError(400, f"more than {MAX_POINTS} points a series", hint=f"ask for step={least:.0f} or more")
        return cls(start_ms, end_ms, step_ms)


def parse_match(text: str) -> tuple[Matcher, ...]:
    """The conditions of a selector.

    Raises:
        ApiError: the text is no selector.
    """
    try:
        return parse_selector(text)
    except ValueError as error:
        raise ApiError(400, f"match: {error}", hint='write it like forewarn_gpu_power_watts{gpu="0"}') from error


def _time(text: str, parameter: str) -> int:
    try:
        moment = parse_time(text)
        rfc3339(moment)
    except (ValueError, OverflowError) as error:  # the latter where no calendar has such a year
        hint = "write it like 2026-01-31T14:00:00Z, or as seconds since the epoch"
        raise ApiError(400, f"{parameter}: {text!r} is no time", hint=hint) from error
    return moment
