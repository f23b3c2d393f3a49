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
)
