"""The scorecard as metrics, so that a dashboard shows and an alert tells when forecasts go bad."""

from collections.abc import Iterator

from collector.series import Sample, SeriesKey
from forecast.scorecard import Scorecard


def samples(card: Scorecard) -> list[Sample]:
    """Of all targets together; what is not known is absent."""
    return list(_samples(card)) if card.since_ms is not None else []


def _samples(card: Scorecard) -> Iterator[Sample]:
    figures = card.overall
    yield _sample("forewarn_forecast_scored", figures.forecasts)
    values = {
        ("forewarn_forecast_mase", "forecast", "forewarn"): figures.mase,
        ("forewarn_forecast_mase", "forecast", "same_hour_yesterday"): figures.mase_yesterday,
        ("forewarn_forecast_mase", "forecast", "prophet"): figures.mase_prophet,
        ("forewarn_forecast_coverage_ratio", "band", "80"): figures.coverage_80,
        ("forewarn_forecast_coverage_ratio", "band", "95"): figures.coverage_95,
        ("forewarn_forecast_warnings", "outcome", "came_true"): figures.came_true,
        ("forewarn_forecast_warnings", "outcome", "false"): figures.false_warnings,
        ("forewarn_forecast_warnings", "outcome", "missed"): figures.missed,
        ("forewarn_forecast_brier_ratio", "forecast", "forewarn"): figures.brier,
        ("forewarn_forecast_brier_ratio", "forecast", "crossed_last_72h"): figures.brier_rule,
    }
    for (name, label, text), value in values.items():
        if value is not None:
            yield _sample(name, value, **{label: text})
    if figures.calibration_error is not None:
        yield _sample("forewarn_forecast_calibration_error_ratio", figures.calibration_error)
    if figures.lead_error_hours is not None:
        yield _sample("forewarn_forecast_lead_time_error_seconds", figures.lead_error_hours * 3600)


def _sample(name: str, value: float, **labels: str) -> Sample:
    return Sample(SeriesKey.of(name, **labels), float(value))
