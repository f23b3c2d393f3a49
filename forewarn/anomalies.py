"""Anomalies in the daemon: a thread judges the newest windows, the parent keeps what comes of it."""

import logging

from collector.series import Sample
from forecast.anomalies.book import RECENT
from forecast.anomalies.events import Anomaly, Standing
from forecast.anomalies.watch import Watch
from forewarn.base.crew import Crew
from forewarn.base.errors import ForewarnError, StoreError
from forewarn.config import Config
from forewarn.forecasts import ForecastRuns
from forewarn.foundation import Foundation

log = logging.getLogger(__name__)


class AnomalyRuns:
    """Judges on the schedule, one window after the other, and knows how every target stands."""

    def __init__(self, config: Config, base: Foundation, forecasts: ForecastRuns, known: list[Anomaly]) -> None:
        going_on = [each for each in known if each.ended_ms is None]
        self._watch = Watch(base.store, config.target, going_on)
        self._base = base
        self._forecasts = forecasts
        self._known = {(each.target, each.started_ms): each for each in known}
        self._crew = Crew("anomalies")
        self._unkept: list[Anomaly] = []
        self._trouble = ""

    def latest(self) -> list[Standing]:
        """How every watched target stands."""
        return self._watch.latest()

    def recent(self) -> list[Anomaly]:
        """The newest anomalies first, those that go on among them."""
        newest = sorted(self._known.values(), key=lambda each: (-each.started_ms, each.target))
        self._known = {(each.target, each.started_ms): each for each in newest[:RECENT]}
        return newest[:RECENT]

    def samples(self) -> list[Sample]:
        """The room's metrics."""
        return self._watch.samples()

    async def judge(self) -> None:
        """Judge what is new; what began, changed or ended is kept, now or with the next."""
        now_ms = self._base.clock.now_ms()
        try:
            changed = await self._crew.submit(self._watch.judge, now_ms, self._forecasts.latest())
            for each in changed:
                self._known[each.target, each.started_ms] = each
            self._unkept += changed
            if self._unkept:
                await self._base.change_state(self._base.anomalies.store, self._unkept, now_ms)
                self._unkept = []
        except ForewarnError as error:
            self._note(error)
        else:
            self._note(None)

    def stop(self) -> None:
        """End the thread; what it is reading is given up."""
        self._watch.stop()
        self._crew.close(timeout=1.0)

    def _note(self, error: ForewarnError | None) -> None:
        """Say a trouble once, and once when it is over."""
        text = error.message if error else ""
        if error and text != self._trouble:
            what = "kept" if isinstance(error, StoreError) else "looked for"
            log.error("anomalies cannot be %s", what, extra={"error": text, "hint": error.hint})
        elif self._trouble and not error:
            log.info("anomalies are kept again")
        self._trouble = text
