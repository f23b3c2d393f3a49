"""Forecasts again and again: made on a schedule, and written every minute, for a gauge that is not written is gone."""

import logging
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import cast

from forecast.metrics import QUANTILES
from forecast.results import Forecast
from forewarn.base.clock import Clock
from forewarn.base.errors import ForewarnError

log = logging.getLogger(__name__)

WRITE_SECONDS = 60.0
"""Prometheus takes a series for ended that has no sample for five minutes."""


def kept(forecasts: Iterable[Forecast]) -> list[Forecast]:
    """Forecasts with what is written of them and no more, in a tenth of the memory."""
    return [_lean(forecast) for forecast in forecasts]


def _lean(forecast: Forecast) -> Forecast:
    points = {name: cast("list[float]", array("d", forecast.points[name])) for name in QUANTILES if forecast.points}
    return replace(forecast, points=points, prophet=None)


class Service:
    """Forecasts a fleet until it is told to end.

    Args:
        forecast: makes the forecasts as of now.
        write: writes them as they are now.
        every: seconds between two runs; they begin where a multiple of it (of an hour: the full hour) is settled, so
            that no forecast misses an hour that is over.
        clock: the time.
        sleep: waits.
        settled_ms: for how long what is written may still be under way to the server.
    """

    def __init__(
        self,
        forecast: Callable[[], Sequence[Forecast]],
        write: Callable[[Sequence[Forecast]], int],
        every: float,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        *,
        settled_ms: int = 0,
    ) -> None:
        self._forecast = forecast
        self._write = write
        self._every_ms = round(every * 1000)
        self._settled_ms = settled_ms
        self._clock = clock
        self._sleep = sleep
        self._troubles: dict[str, str] = {}
        self._made: Sequence[Forecast] = ()
        self._due_ms = clock.now_ms()

    def run(self) -> None:
        """Make forecasts when they are due, and write the newest ones every minute; what fails is tried again then."""
        while True:
            begin = self._clock.monotonic()
            now_ms = self._clock.now_ms()
            if self._due(now_ms) and self._tried("forecasting", self._make):
                self._due_ms = self._next(now_ms)
            if self._made:
                self._tried("writing", self._written)
            self._sleep(max(0.0, begin + WRITE_SECONDS - self._clock.monotonic()))

    def _due(self, now_ms: int) -> bool:
        """Whether it is time, or the clock was set back by so much that it would not be for long."""
        return now_ms >= self._due_ms or self._due_ms - now_ms > self._every_ms

    def _next(self, now_ms: int) -> int:
        settled = now_ms - self._settled_ms
        return settled - settled % self._every_ms + self._every_ms + self._settled_ms

    def _make(self) -> None:
        begin = self._clock.monotonic()
        self._made = self._forecast()
        facts = {"forecasts": len(self._made), "seconds": round(self._clock.monotonic() - begin, 1)}
        log.info("forecasts are made", extra=facts)

    def _written(self) -> None:
        self._write(self._made)

    def _tried(self, what: str, attempt: Callable[[], None]) -> bool:
        """Whether it went well; a trouble is told once, and once when it is over."""
        try:
            attempt()
        except ForewarnError as error:
            if self._troubles.get(what) != error.message:
                log.warning("%s failed; it is tried again every minute", what, extra={"reason": str(error)})
            self._troubles[what] = error.message
            return False
        if self._troubles.pop(what, None) is not None:
            log.info("%s goes well again", what)
        return True
