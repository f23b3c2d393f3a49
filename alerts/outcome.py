"""What became of one attempt to deliver, and when to try again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from forewarn.base import retry

BACKOFF_FIRST_SECONDS = 2.0
BACKOFF_CAP_SECONDS = 300.0
RETRY_AFTER_CAP_SECONDS = 6 * 3600.0
"""A receiver that asks for more is taken to be mistaken."""

Verdict = Literal["delivered", "retry", "refused"]
FailureReason = Literal[
    "client_error", "auth_error", "rate_limited", "redirect", "server_error", "timeout", "connection", "settings"
]


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        reached: the receiver may have taken the notification, whatever it said.
        retry_after: seconds that the receiver asked for, where it did.
    """

    verdict: Verdict
    reason: FailureReason | None = None
    detail: str = ""
    reached: bool = False
    retry_after: float | None = None


def of_status(status: int, retry_after: float | None = None) -> Outcome:
    """The outcome that an HTTP status means.

    2xx is success and nothing else is. 408, 429 and 5xx are tried again; every other 4xx is final, for the same
    request would be refused again; a redirect is final because following it could take the alert anywhere.
    """
    detail = f"HTTP {status}"
    if 200 <= status < 300:
        return Outcome("delivered", reached=True)
    if status == 429:
        return Outcome("retry", "rate_limited", detail, retry_after=retry_after)
    if status == 408:
        return Outcome("retry", "timeout", detail, reached=True, retry_after=retry_after)
    if 500 <= status < 600:
        return Outcome("retry", "server_error", detail, reached=True, retry_after=retry_after)
    if 300 <= status < 400:
        return Outcome("refused", "redirect", f"{detail}, a redirect, which is not followed")
    return Outcome("refused", "auth_error" if status in {401, 403, 407} else "client_error", detail)


def parse_retry_after(text: str | None, now_ms: int) -> float | None:
    """Seconds from a Retry-After header; None where it is none."""
    return retry.parse_retry_after(text, now_ms, RETRY_AFTER_CAP_SECONDS)


def backoff(attempts: int, random: Callable[[], float]) -> float:
    """Seconds to wait after so many failed attempts: exponential, capped, with full jitter."""
    return retry.full_jitter(attempts, random, first_seconds=BACKOFF_FIRST_SECONDS, cap_seconds=BACKOFF_CAP_SECONDS)
