"""Forecasts as metrics: what a stock Prometheus needs to draw and to alert on the future.

``forewarn_forecast_value{horizon="24h"}`` is what is expected 24 hours after the scrape; in Grafana,
``forewarn_forecast_value{horizon="24h"} offset 24h`` draws it where it belongs.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import get_args

from collector.series import Sample, SeriesKey
from forecast.results import Forecast, Status
from forewarn.base.clock import HOUR

HORIZON_STEPS = (1, 2, 3, 6, 12, 18, 24, 36, 48, 72)
WINDOW_STEPS = (6, 24, 48, 72)
QUANTILES = ("mean", "p10", "p90")
LAST_POINT_HOURS = 3
"""How long past its end a forecast's last point stands in, so that the 72 h line exists between two runs."""


def samples(forecasts: Sequence[Forecast], now_ms: int, duration_seconds: float | None = None) -> list[Sample]:
    """The room's metrics, from the newest forecast of every target and the last run's duration."""
    found = [*_run(forecasts, duration_seconds)]
    for forecast in forecasts:
        if forecast.status == "ok":
            found.extend(_values(forecast, now_ms))
            found.extend(_breach(forecast, now_ms))
            found.extend(_probabilities(forecast, now_ms))
    found.extend(_limits(forecasts))
    return found


def _run(forecasts: Sequence[Forecast], duration_seconds: float | None) -> Iterator[Sample]:
    if forecasts:
        made = max(forecast.made_ms for forecast in forecasts) / 1000
        yield Sample(SeriesKey.of("forewarn_forecast_last_run_timestamp_seconds"), made)
    if duration_seconds is not None:
        yield Sample(SeriesKey.of("forewarn_forecast_duration_seconds"), duration_seconds)
    by_status = Counter(forecast.status for forecast in forecasts)
    for status in get_args(Status):
        yield Sample(SeriesKey.of("forewarn_forecast_targets", status=status), float(by_status[status]))


def _values(forecast: Forecast, now_ms: int) -> Iterator[Sample]:
    for hours in HORIZON_STEPS:
        index = (now_ms + hours * HOUR - forecast.start_ms) // forecast.step_ms
        last = len(forecast.points["mean"]) - 1
        if not 0 <= index <= last + LAST_POINT_HOURS:
            continue
        for point in QUANTILES:
            key = SeriesKey.of(
                "forewarn_forecast_value",
                target=str(forecast.target),
                statistic=forecast.statistic,
                point=point,
                horizon=f"{hours}h",
            )
            yield Sample(key, forecast.points[point][min(index, last)])


def _breach(forecast: Forecast, now_ms: int) -> Iterator[Sample]:
    if forecast.breach_ms is not None:
        key = SeriesKey.of(
            "forewarn_forecast_breach_seconds", target=str(forecast.target), statistic=forecast.statistic
        )
        yield Sample(key, max(0.0, (forecast.breach_ms - now_ms) / 1000))


def _probabilities(forecast: Forecast, now_ms: int) -> Iterator[Sample]:
    if forecast.chance is None and not forecast.crossed:
        return
    for hours in WINDOW_STEPS:
        key = SeriesKey.of(
            "forewarn_forecast_breach_probability_ratio",
            target=str(forecast.target),
            statistic=forecast.statistic,
            window=f"{hours}h",
        )
        yield Sample(key, forecast.probability(now_ms, hours * HOUR))


def _limits(forecasts: Sequence[Forecast]) -> Iterator[Sample]:
    limits = {str(forecast.target): forecast.limit for forecast in forecasts if forecast.limit is not None}
    for target, limit in limits.items():
        yield Sample(SeriesKey.of("forewarn_forecast_limit", target=target), limit)
