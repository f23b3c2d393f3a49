"""When to try again: what the far side asked for, or a pause that grows."""

import email.utils
from collections.abc import Callable


def parse_retry_after(text: str | None, now_ms: int, cap_seconds: float) -> float | None:
    """Seconds from a Retry-After header, a number or an HTTP date (RFC 9110, 10.2.3); None where it is neither."""
    if text is None:
        return None
    if text.strip().isdecimal():
        seconds = float(text)
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - now_ms / 1000
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), cap_seconds)


def full_jitter(attempts: int, random: Callable[[], float], *, first_seconds: float, cap_seconds: float) -> float:
    """Seconds to wait after so many failed attempts: exponential, capped, any share of it equally likely."""
    return min(cap_seconds, first_seconds * 2.0 ** min(max(attempts - 1, 0), 30)) * random()
