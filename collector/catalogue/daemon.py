"""What the daemon says of itself."""

from collector.catalogue.model import Metric

DAEMON_METRICS: tuple[Metric, ...] = (
    Metric("forewarn_build_info", "gauge", "", "Always 1; its labels name the build.", ("version", "python")),
    Metric("forewarn_collector_success", "gauge", "", "Whether the collector's last round gave data.", ("collector",)),
    Metric("forewarn_collector_duration_seconds", "gauge", "seconds", "Time the last round took.", ("collector",)),
    Metric(
        "forewarn_collector_last_success_timestamp_seconds",
        "gauge",
        "seconds",
        "When the collector last gave data, in seconds since the epoch.",
        ("collector",),
    ),
    Metric(
        "forewarn_collector_errors_total",
        "counter",
        "",
        "Failed rounds of the collector, by what went wrong.",
        ("collector", "code"),
    ),
    Metric(
        "forewarn_collector_duplicate_series_total",
        "counter",
        "",
        "Samples dropped because an earlier collector gave the same series.",
        ("collector",),
    ),
    Metric(
        "forewarn_collector_refused_series",
        "gauge",
        "",
        "Series of the last round that were not kept: over_limit, or not_allowed by the endpoint's settings.",
        ("collector", "reason"),
    ),
    Metric("forewarn_child_up", "gauge", "", "Whether a child process is running.", ("child",)),
    Metric(
        "forewarn_child_restarts_total", "counter", "", "Times a child process had to be started again.", ("child",)
    ),
    Metric(
        "forewarn_config_last_reload_successful",
        "gauge",
        "",
        "Whether the last reading of the configuration succeeded.",
    ),
    Metric("forewarn_store_writable", "gauge", "", "Whether the last scrape could be kept."),
    Metric(
        "forewarn_store_damage_set_aside", "gauge", "", "1 where a damaged metrics.db was set aside at the last start."
    ),
    Metric(
        "forewarn_store_damaged_entries",
        "gauge",
        "",
        "Entries of metrics.db that the reading after the start found damaged; they are left out of answers.",
    ),
    Metric(
        "forewarn_state_writable",
        "gauge",
        "",
        "Whether the last change of state.db (alert states, outbox, forecasts) was kept, and none is stalled.",
    ),
    Metric(
        "forewarn_state_damage_set_aside", "gauge", "", "1 where a damaged state.db was set aside at the last start."
    ),
    Metric("forewarn_store_series", "gauge", "", "Series known to the store."),
    Metric("forewarn_store_used_bytes", "gauge", "bytes", "Size of metrics.db in use."),
    Metric("forewarn_store_max_bytes", "gauge", "bytes", "Size that metrics.db may reach."),
    Metric("forewarn_store_pending_scrapes", "gauge", "", "Scrapes not yet moved into compressed chunks."),
    Metric(
        "forewarn_store_refused_samples_total", "counter", "", "Samples of series refused because there were too many."
    ),
    Metric("forewarn_store_late_samples_total", "counter", "", "Samples dropped because they came too late."),
    Metric("process_cpu_seconds_total", "counter", "seconds", "User and system time of the daemon's parent process."),
    Metric("process_resident_memory_bytes", "gauge", "bytes", "Resident memory of the daemon's parent process."),
    Metric("process_open_fds", "gauge", "", "Open file descriptors of the daemon's parent process."),
    Metric(
        "process_start_time_seconds", "gauge", "seconds", "Start of the parent process, in seconds since the epoch."
    ),
)
