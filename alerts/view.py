"""What an evaluation looks at."""

import math
from collections.abc import Sequence

from alerts.inputs import (
    LatestSample,
    LatestSamples,
    LogAnomalies,
    LogAnomaly,
    Prediction,
    Predictions,
    Standing,
    Standings,
)
from alerts.rates import Rates
from collector.series import Matcher
from forecast.scorecard import Scorecard


class View:
    """What can be known at one evaluation; the forecasts are read once for all rules.

    Attributes:
        now_ms: when it takes place.
        started_ms: since when the daemon runs.
        card: how good the forecasts have been.
        rates: how fast counters grow.
    """

    def __init__(
        self,
        samples: LatestSamples,
        predictions: Predictions,
        now_ms: int,
        started_ms: int,
        *,
        standings: Standings | None = None,
        log_anomalies: LogAnomalies | None = None,
        card: Scorecard | None = None,
        rates: Rates | None = None,
    ) -> None:
        self.now_ms = now_ms
        self.started_ms = started_ms
        self.card = card or Scorecard()
        self.rates = rates or Rates()
        self._standings = standings
        self._log_anomalies = log_anomalies
        self._samples = samples
        self._predictions = predictions
        self._read: Sequence[Prediction] | None = None

    def latest(self, matchers: Sequence[Matcher], max_age_ms: int) -> list[LatestSample]:
        """The newest samples that are numbers."""
        found = self._samples.latest(*matchers, max_age_ms=max_age_ms, now_ms=self.now_ms)
        return [sample for sample in found if not math.isnan(sample.value)]

    def standings(self) -> Sequence[Standing]:
        """How the capacity targets stand that are watched for anomalies."""
        return [] if self._standings is None else self._standings.latest()

    def log_anomalies(self) -> Sequence[LogAnomaly]:
        """What is unusual in the logs, and what was over lately."""
        return [] if self._log_anomalies is None else self._log_anomalies.latest()

    def predictions(self) -> Sequence[Prediction]:
        """The newest forecasts."""
        if self._read is None:
            self._read = self._predictions.latest()
        return self._read
