"""What commands read from their options: selectors, durations, times."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collector.series import Matcher


def matchers_of(selector: str) -> "tuple[Matcher, ...]":
    """The conditions of a selector.

    Raises:
        UsageError: it is none.
    """
    from collector.series import parse_selector
    from forewarn.base.errors import UsageError

    try:
        return parse_selector(selector)
    except ValueError as error:
        raise UsageError(str(error), hint='write it like forewarn_gpu_power_watts{gpu="0"}, in quotes') from None


def seconds_of(text: str) -> float:
    """A duration such as 5m or 90.

    Raises:
        UsageError: the text is none.
    """
    from forewarn.base.errors import UsageError
    from forewarn.base.types import parse_duration

    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise UsageError(str(error)) from None


def moment_of(text: str, now_ms: int, option: str) -> int:
    """Milliseconds of a time, or of an age such as 90m.

    Raises:
        UsageError: the text is neither; ``option`` says where it was given.
    """
    from forewarn.base.clock import parse_time
    from forewarn.base.errors import UsageError
    from forewarn.base.types import parse_duration

    try:
        return now_ms - round(float(parse_duration(text)) * 1000)
    except ValueError:
        pass
    try:
        return parse_time(text)
    except (ValueError, OverflowError):  # the latter where no calendar has such a year
        hint = "write it like 90m, 30d or 2026-01-31T12:00:00Z"
        raise UsageError(f"{option}: {text!r} is neither an age nor a time", hint=hint) from None
