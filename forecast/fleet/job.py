"""What one worker is given at a time, in whichever process it lives."""

from dataclasses import dataclass

from forecast.fleet.reading import Part
from forecast.results import Forecast
from forecast.run import forecast_targets
from forecast.settings import ForecastSettings
from forewarn.base.clock import HOUR, SystemClock


class StoppedClock(SystemClock):
    """A clock that always shows the moment at which the run began: who made a forecast when must not matter."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The beginning of the run."""
        return self._now_ms


@dataclass(frozen=True, slots=True)
class Job:
    """Some series to forecast.

    Attributes:
        part: the series and their hours.
        settings: history, model, and the deadline of each job.
        as_of_ms: the moment whose knowledge is used.
        made_ms: when the run began.
    """

    part: Part
    settings: ForecastSettings
    as_of_ms: int
    made_ms: int

    def forecasts(self) -> list[Forecast]:
        """One for each target, in their order."""
        clock = StoppedClock(self.made_ms)
        found = forecast_targets(self.part.reader, self.settings, self.part.targets, self.as_of_ms, clock=clock)
        return list(found)

    def lost(self, reason: str) -> list[Forecast]:
        """What is said of the targets where no worker outlives them."""
        return [
            Forecast(
                target=target.key,
                statistic=target.statistic,
                kind=target.kind,
                unit=target.unit,
                made_ms=self.made_ms,
                as_of_ms=self.as_of_ms,
                model="",
                status="failed",
                reason=reason,
                history_hours=0.0,
                step_ms=HOUR,
                start_ms=self.as_of_ms - self.as_of_ms % HOUR,
                limit=target.limit,
                below=target.below,
            )
            for target in self.part.targets
        ]
