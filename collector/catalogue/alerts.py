"""What the alerts room says of itself."""

from collector.catalogue.model import Metric

ALERTS_METRICS: tuple[Metric, ...] = (
    Metric("forewarn_alerts_active", "gauge", "", "Alerts that are pending or firing.", ("state", "severity")),
    Metric(
        "forewarn_alert_evaluation_duration_seconds", "gauge", "seconds", "Time the last evaluation of all rules took."
    ),
    Metric(
        "forewarn_alerts_last_evaluation_timestamp_seconds",
        "gauge",
        "seconds",
        "When all rules were last evaluated and the outcome was kept, in seconds since the epoch.",
    ),
    Metric(
        "forewarn_alert_rule_errors_total",
        "counter",
        "",
        "Evaluations of a rule that went wrong; only rules that had any.",
        ("rule",),
    ),
    Metric("forewarn_notifications_total", "counter", "", "Notifications delivered.", ("receiver",)),
    Metric(
        "forewarn_notifications_failed_total",
        "counter",
        "",
        "Attempts to deliver a notification that failed.",
        ("receiver", "reason"),
    ),
    Metric(
        "forewarn_notifications_outbox",
        "gauge",
        "",
        "Notifications in the outbox: queued, being sent, or dead because no attempt will follow.",
        ("state",),
    ),
)
