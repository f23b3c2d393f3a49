"""What remote write says of itself."""

from collector.catalogue.model import Metric

_RECEIVER = ("receiver",)

REMOTE_WRITE_METRICS: tuple[Metric, ...] = (
    Metric(
        "forewarn_remote_write_lag_seconds",
        "gauge",
        "seconds",
        "Age difference between the newest sample in the store and the newest that the receiver has.",
        _RECEIVER,
    ),
    Metric(
        "forewarn_remote_write_last_success_timestamp_seconds",
        "gauge",
        "seconds",
        "When the receiver last took samples, in seconds since the epoch.",
        _RECEIVER,
    ),
    Metric("forewarn_remote_write_samples_total", "counter", "", "Samples that the receiver took.", _RECEIVER),
    Metric(
        "forewarn_remote_write_retried_samples_total",
        "counter",
        "",
        "Samples in requests that failed; they are sent again.",
        _RECEIVER,
    ),
    Metric(
        "forewarn_remote_write_dropped_samples_total",
        "counter",
        "",
        "Samples given up: out_of_order, refused or too_large by the receiver's word, expired before it took them.",
        ("receiver", "reason"),
    ),
    Metric(
        "forewarn_remote_write_requests_total",
        "counter",
        "",
        "Requests by HTTP status, or by what went wrong before one came.",
        ("receiver", "code"),
    ),
)
