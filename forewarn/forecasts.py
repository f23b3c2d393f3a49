"""Forecasts in the daemon: a child on the schedule makes them, the parent stores each as it comes."""

import asyncio
import logging
import sqlite3

from alerts.shipped import warning_bars
from forecast.results import Forecast
from forecast.scorebook import read_card
from forecast.scorecard import Score, Scorecard
from forewarn.base.crew import Crew
from forewarn.base.errors import StoreError
from forewarn.base.frames import Frame
from forewarn.base.sqlite import open_reader
from forewarn.config import Config
from forewarn.foundation import Foundation
from forewarn.supervise import Child, ChildSpec

log = logging.getLogger(__name__)

STORED_AT_ONCE = 60
"""Forecasts in one change of the state: alerts are evaluated on the same thread and must not wait long."""
_Key = tuple[str, str]


class ForecastRuns:
    """Makes forecasts, one run at a time, and knows the newest of every target.

    Attributes:
        last_run_ms: when the last whole run ended, None before the first.
        last_seconds: how long it took.
        scorecard: how good the forecasts of the last 30 days were, as of the last run.
    """

    def __init__(self, config: Config, base: Foundation, newest: list[Forecast]) -> None:
        self.last_run_ms: int | None = None
        self.last_seconds: float | None = None
        self.scorecard = Scorecard()
        self._config = config
        self._base = base
        self._newest: dict[_Key, Forecast] = {_key(each): each for each in newest}
        self._arrived: list[Forecast] = []
        self._scores: list[Score] = []
        self._complete = False
        self._child: Child | None = None
        self._running = asyncio.Lock()
        self._stopped = False
        self._bars = warning_bars(config.alerts)

    def latest(self) -> list[Forecast]:
        """The newest forecast of every target and statistic."""
        return list(self._newest.values())

    async def read_card(self) -> None:
        """Work the scorecard out anew, on a thread of its own: a month of scores takes seconds, alerts do not wait.

        Raises:
            StoreError: the scores cannot be read.
        """
        crew = Crew("scorecard")
        try:
            self.scorecard = await crew.submit(self._card)
        finally:
            crew.close(timeout=0)

    def _card(self) -> Scorecard:
        path = self._base.data.state
        connection = open_reader(path)
        try:
            return read_card(connection, self._base.clock.now_ms(), self._bars)
        except sqlite3.Error as error:
            raise StoreError(f"cannot read scores from {path}: {error}", hint="is the disk in order?") from error
        finally:
            connection.close()

    async def run(self) -> bool:
        """Make one forecast of every target; False where the run did not come to its end."""
        async with self._running:
            started = self._base.clock.monotonic()
            self._arrived, self._scores, self._complete = [], [], False
            spec = ChildSpec("forecast", "forecast.child", self._settings, self._on_frame)
            self._child = Child(spec, self._base.clock)
            status = None if self._stopped else await self._child.run_once()
            await self._store()
            self.last_seconds = self._base.clock.monotonic() - started
        if not self._complete:
            if not self._stopped:
                log.error("the forecast child ended early", extra={"status": status, "stored": len(self._arrived)})
            return False
        self.last_run_ms = self._base.clock.now_ms()
        log.info("forecasts made", extra={"targets": len(self._arrived), "seconds": round(self.last_seconds, 1)})
        return True

    async def stop(self) -> bool:
        """End a run that is under way; what it has made is stored. False where its child could not be ended."""
        self._stopped = True
        ended = await self._child.stop() if self._child is not None else True
        if ended:
            async with self._running:
                pass
        return ended

    def _settings(self) -> Frame:
        return {
            "store": str(self._base.data.metrics),
            "state": str(self._base.data.state),
            "forecast": self._config.forecast.model_dump(mode="json"),
            "targets": [each.model_dump(mode="json") for each in self._config.target],
            "as_of_ms": self._base.clock.now_ms(),
            "log_level": self._config.log_level,
        }

    def _on_frame(self, frame: Frame) -> None:
        if frame["kind"] == "forecast":
            made = Forecast.from_dict(frame["forecast"])
            self._arrived.append(made)
            self._newest[_key(made)] = made
        elif frame["kind"] == "scores":
            self._scores.extend(Score(**score) for score in frame["scores"])
        elif frame["kind"] == "error":
            log.error("no forecasts: %s", frame["message"], extra={"hint": frame["hint"]})
        elif frame["kind"] == "done":
            self._complete = True
            self._newest = {_key(each): each for each in self._arrived}  # targets that are no more have none

    async def _store(self) -> None:
        """Keep what was made; where that fails it is known until the daemon ends, and the next run tries again."""
        try:
            for begin in range(0, len(self._arrived), STORED_AT_ONCE):
                await self._base.change_state(self._base.book.store, self._arrived[begin : begin + STORED_AT_ONCE])
            await self._base.change_state(self._base.scores.store, self._scores)
            await self.read_card()
        except StoreError as error:
            facts = {"error": error.message, "hint": error.hint}
            log.error("the forecasts cannot be kept", extra=facts)  # noqa: TRY400  the error's text says all


def _key(made: Forecast) -> _Key:
    return str(made.target), made.statistic
