"""Capacity targets: what the forecasts of a series say, put together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.wording import expected, reached, title_of
from collector.series import SeriesKey
from forecast.results import Forecast
from forecast.settings import HORIZON_HOURS
from forewarn.base.clock import HOUR, rfc3339
from forewarn.base.words import quantity

MEAN = "mean"


@dataclass(frozen=True)
class CapacityTarget:
    """A series that can run out, with its newest forecasts by statistic."""

    key: SeriesKey
    forecasts: Mapping[str, Forecast]

    @property
    def lead(self) -> Forecast:
        """The forecast to speak of: the one that most probably breaches, else that of the mean, else any.

        Where a level is capped (utilization), its peaks touch the cap on any busy day: there only the mean speaks.
        """
        asked = [each for each in self.forecasts.values() if each.decisive and (each.chance or each.breach_ms)]
        if asked:
            return max(asked, key=lambda forecast: (*_nearness(forecast), forecast.statistic == MEAN))
        return self.forecasts.get(MEAN) or next(iter(self.forecasts.values()))

    @property
    def title(self) -> str:
        """Its name as people say it."""
        return title_of(self.key)

    @property
    def breach_ms(self) -> int | None:
        """When it is expected to run out; None where nothing says so."""
        return self.lead.breach_ms

    @property
    def expected(self) -> str:
        """What it is expected to do then: ``expected to fall to 163 GiB``, ``expected to reach its limit``."""
        return expected(self.lead.kind, self._limit, below=self.lead.below)

    @property
    def reached(self) -> str:
        """What to say where it has run out already: ``has reached 76 GiB``, ``has reached its limit``."""
        return reached(self.lead.kind, self._limit, below=self.lead.below)

    @property
    def _limit(self) -> str:
        """The limit of what is counted in bytes, which is seldom the whole; of all else the number helps nobody."""
        lead = self.lead
        return quantity(lead.limit, lead.unit) if lead.unit == "bytes" and lead.limit is not None else ""


def capacity_targets(forecasts: Iterable[Forecast]) -> list[CapacityTarget]:
    """The targets: the one that runs out first leads, then those that come nearest to their limits."""
    grouped: dict[SeriesKey, dict[str, Forecast]] = {}
    for forecast in forecasts:
        grouped.setdefault(forecast.target, {})[forecast.statistic] = forecast
    targets = [CapacityTarget(key, found) for key, found in grouped.items()]
    return sorted(targets, key=_order)


def target_row(target: CapacityTarget, current: float | None) -> dict[str, Any]:
    """A target as /v1/targets shows it; ``current`` is its newest value."""
    lead = target.lead
    return {
        "target": str(target.key),
        "name": target.key.name,
        "labels": dict(target.key.labels),
        "title": target.title,
        "kind": lead.kind,
        "unit": lead.unit,
        "limit": lead.limit,
        "below": lead.below,
        "current": current,
        "breach": _time(lead.breach_ms),
        "breach_statistic": lead.statistic if lead.breach_ms is not None else None,
        "lead": lead.statistic,
        "crossed": lead.crossed,
        "probability": _probabilities(lead),
        "statistics": {name: _summary(forecast) for name, forecast in sorted(target.forecasts.items())},
    }


def _summary(forecast: Forecast) -> dict[str, Any]:
    """What one forecast comes to: how it stands, its worst hour, when it reaches the limit or why not."""
    return {
        "status": forecast.status,
        "reason": forecast.reason,
        "model": forecast.model,
        "made": rfc3339(forecast.made_ms),
        "as_of": rfc3339(forecast.as_of_ms),
        "history_hours": forecast.history_hours,
        "worst": _worst(forecast.points.get(MEAN, ()), below=forecast.below),
        "breach": _time(forecast.breach_ms),
        "breach_early": _time(forecast.breach_early_ms),
        "breach_late": _time(_late(forecast)),
        "probability": _probabilities(forecast),
        "crossed_last_72h": None if forecast.chance is None else forecast.chance.crossed_lately,
        "breach_reason": forecast.breach_reason,
    }


def _worst(values: Sequence[float], *, below: bool) -> float | None:
    if not len(values):
        return None
    return min(values) if below else max(values)


def _time(moment_ms: int | None) -> str | None:
    return None if moment_ms is None else rfc3339(moment_ms)


def _probabilities(forecast: Forecast) -> dict[str, float] | None:
    """To reach the limit within so many hours of the forecast's start; None where that is not asked."""
    chance = forecast.chance
    return None if chance is None else {"24h": chance.p24, "48h": chance.p48, "72h": chance.p72}


def _late(forecast: Forecast) -> int | None:
    """When nine chances in ten are reached."""
    hour = None if forecast.chance is None else forecast.chance.t90
    return None if hour is None else forecast.start_ms + hour * HOUR


def _nearness(forecast: Forecast) -> tuple[float, float]:
    """How near a breach is: by when it is as likely as not, then by how likely it is at all; the more, the nearer."""
    by_time = float("-inf") if forecast.breach_ms is None else -float(forecast.breach_ms)
    return by_time, forecast.probability(forecast.start_ms, HORIZON_HOURS * HOUR)


def _order(target: CapacityTarget) -> tuple[float, float, float, str]:
    by_time, probability = _nearness(target.lead)
    return (-by_time, -probability, -_fullness(target.lead), target.title)


def _fullness(forecast: Forecast) -> float:
    """How much of its limit the worst hour expected uses, 0 where that cannot be said."""
    worst = _worst(forecast.points.get(MEAN, ()), below=forecast.below)
    if worst is None or forecast.limit is None or worst <= 0 or forecast.limit <= 0:
        return 0.0
    return forecast.limit / worst if forecast.below else worst / forecast.limit
