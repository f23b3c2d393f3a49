"""Blocking queries, run off the event loop on a few threads of their own, with bounds on what may be asked."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from api.answers import ApiError
from collector.series import Matcher, parse_selector
from forewarn.base.clock import HOUR, SECOND, parse_time, rfc3339
from forewarn.base.crew import Crew

T = TypeVar("T")

THREADS = 2
"""Queries in flight; more wait. Each thread keeps its own connection to the store."""
MAX_POINTS = 11_000
"""Windows of one series in one answer, as many as Prometheus allows."""
MAX_SERIES = 200
"""Series in one answer to a range query."""
MAX_POINTS_IN_ALL = 100_000
"""Windows of all series in one answer: what the parent can hold and write without being missed elsewhere."""
DEFAULT_POINTS = 300
MAX_CHOICES = 3
"""Repeats, and groups, in one regular expression: with more, a mismatch may take Python for ever, all threads held."""
MAX_EXPRESSION = 500
_ONE_CHARACTER = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPEATED_GROUP = re.compile(r"\)[*+{]")


class Queries:
    """Runs the store's blocking methods."""

    def __init__(self) -> None:
        self._crew = Crew("api-query", THREADS)

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """The result of ``function(*args)``."""
        return await self._crew.submit(function, *args)


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

    def check_series(self, count: int) -> None:
        """Refuse an answer that would be too large.

        Raises:
            ApiError: there are too many series, or too many points in all of them.
        """
        if count > MAX_SERIES:
            raise ApiError(400, f"{count} series fit, {MAX_SERIES} at most are answered", hint="narrow the selector")
        points = count * ((self.end_ms - self.start_ms) // self.step_ms)
        if points > MAX_POINTS_IN_ALL:
            least = self.step_ms / 1000 * points / MAX_POINTS_IN_ALL
            raise ApiError(
                400,
                f"more than {MAX_POINTS_IN_ALL} points in {count} series",
                hint=f"ask for step={math.ceil(least)} or more, or narrow the selector",
            )


def parse_match(text: str, parameter: str = "match") -> tuple[Matcher, ...]:
    """The conditions of a selector.

    Raises:
        ApiError: the text is no selector, or holds a regular expression that may take for ever.
    """
    try:
        matchers = parse_selector(text)
    except ValueError as error:
        raise ApiError(400, f"{parameter}: {error}", hint='write it like forewarn_gpu_power_watts{gpu="0"}') from error
    for matcher in matchers:
        if "~" in matcher.operator and _costly(matcher.value):
            hint = f"at most {MAX_CHOICES} repeats, of single characters, and {MAX_CHOICES} groups: .*(used|free).*"
            raise ApiError(400, f"{parameter}: {matcher.value!r} is too costly a regular expression", hint=hint)
    return matchers


def _costly(expression: str) -> bool:
    """Whether Python may need exponential time, or a high power of the text's length, to see that it does not match."""
    plain = _ONE_CHARACTER.sub("x", expression)
    repeats = sum(plain.count(sign) for sign in "*+{?") - plain.count("(?")
    many = max(repeats, plain.count("(")) > MAX_CHOICES or len(expression) > MAX_EXPRESSION
    return many or _REPEATED_GROUP.search(plain) is not None


def _time(text: str, parameter: str) -> int:
    try:
        moment = parse_time(text)
        rfc3339(moment)
    except (ValueError, OverflowError) as error:  # the latter where no calendar has such a year
        hint = "write it like 2026-01-31T14:00:00Z, or as seconds since the epoch"
        raise ApiError(400, f"{parameter}: {text!r} is no time", hint=hint) from error
    return moment
