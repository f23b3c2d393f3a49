"""What the forecast room says of itself, and the future as metrics."""

from collector.catalogue.model import Metric

FORECAST_METRICS: tuple[Metric, ...] = (
    Metric(
        "forewarn_forecast_last_run_timestamp_seconds",
        "gauge",
        "seconds",
        "When the newest forecast was made, in seconds since the epoch.",
        cadence="event",
    ),
    Metric(
        "forewarn_forecast_duration_seconds", "gauge", "seconds", "Time the last forecast run took.", cadence="event"
    ),
    Metric(
        "forewarn_forecast_targets",
        "gauge",
        "",
        "Capacity targets, two statistics each, by what became of their last forecast.",
        ("status",),
        cadence="event",
    ),
    Metric(
        "forewarn_forecast_value",
        "gauge",
        "",
        "What is expected this long after the scrape, in the target's unit; draw it with offset and the same time.",
        ("target", "statistic", "point", "horizon"),
        cadence="event",
    ),
    Metric(
        "forewarn_forecast_limit",
        "gauge",
        "",
        "Where the target's capacity ends, in its unit.",
        ("target",),
        cadence="event",
    ),
    Metric(
        "forewarn_forecast_breach_seconds",
        "gauge",
        "seconds",
        "Time until the expected value reaches the limit, 0 where it has; absent where that is not expected.",
        ("target", "statistic"),
        cadence="event",
    ),
    Metric(
        "forewarn_anomaly_score",
        "gauge",
        "ratio",
        "1 less the share of normal time that deviates as much as the capacity target does now; 500 targets at most.",
        ("target",),
        cadence="event",
    ),
    Metric(
        "forewarn_anomalies_total",
        "counter",
        "",
        "Anomalies of capacity targets that have begun, or become of this kind, since the start.",
        ("kind",),
        cadence="event",
    ),
    Metric(
        "forewarn_forecast_scored",
        "gauge",
        "",
        "Forecasts of the last 30 days whose 72 hours are over and were measured.",
        cadence="event",
    ),
    Metric(
        "forewarn_forecast_mase",
        "gauge",
        "",
        "Their mean absolute error in units of same-hour-yesterday's over the 28 days before, ours and two others'.",
        ("forecast",),
        cadence="event",
    ),
    Metric(
        "forewarn_forecast_coverage_ratio",
        "gauge",
        "ratio",
        "Share of their hours that lay in the band, which should be the band's own.",
        ("band",),
        cadence="event",
    ),
    Metric(
        "forewarn_forecast_warnings",
        "gauge",
        "",
        "Of those with a limit, forecasts of a crossing that came true or were false, and crossings that were missed.",
        ("outcome",),
        cadence="event",
    ),
    Metric(
        "forewarn_forecast_lead_time_error_seconds",
        "gauge",
        "seconds",
        "Median time between the expected crossing and the real one, of warnings that came true.",
        cadence="event",
    ),
)
