"""Time as a parameter: the wall clock in milliseconds, the monotonic clock in seconds."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class Clock(Protocol):
    """What a room asks of time; tests hand in one that they move themselves."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def rfc3339(time_ms: int) -> str:
    """A time stamp as it leaves the house: RFC 3339, UTC, milliseconds only where there are some."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    text = moment.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")


def parse_time(text: str) -> int:
    """Milliseconds from RFC 3339 / ISO 8601 (no zone means UTC), or from seconds since the epoch.

    Raises:
        ValueError: the text is neither.
    """
    try:
        return round(float(text) * 1000)
    except ValueError:
        moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
