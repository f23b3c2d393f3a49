"""What the logs room says of itself."""

from collector.catalogue.model import Metric

LOGS_METRICS: tuple[Metric, ...] = (
    Metric(
        "forewarn_logs_up",
        "gauge",
        "",
        "Whether Elasticsearch took the last request of the log shipper.",
        source="logship",
    ),
    Metric(
        "forewarn_logs_lines_total",
        "counter",
        "",
        "Log lines that came to their end: acknowledged, duplicate (was there already) or dead (refused and kept).",
        ("outcome",),
        source="logship",
    ),
    Metric(
        "forewarn_logs_bytes_total",
        "counter",
        "bytes",
        "Bytes of log files that came to their end.",
        source="logship",
    ),
    Metric(
        "forewarn_logs_files_lost_total",
        "counter",
        "",
        "Log files that were gone or could not be read any more before their end had been read.",
        source="logship",
    ),
    Metric(
        "forewarn_logs_lag_bytes",
        "gauge",
        "bytes",
        "Bytes of a followed log, its rotated generations included, that have not arrived yet.",
        ("path",),
        source="logship",
    ),
    Metric(
        "forewarn_logs_bulk_requests_total",
        "counter",
        "",
        "Bulk requests by HTTP status of the answer; none: there was no answer.",
        ("status",),
        source="logship",
    ),
    Metric(
        "forewarn_logs_last_ack_timestamp_seconds",
        "gauge",
        "seconds",
        "When log lines last arrived, in seconds since the epoch.",
        source="logship",
    ),
)
