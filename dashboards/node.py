"""What the dashboard of a node shows: its rows, as data."""

from typing import Any

from dashboards.chances import chance_panels, decisive, record_row
from dashboards.panels import GPU_LEGEND, GREEN_RED, RED_ABOVE_0, Panel, Query, Row, known, plot, rate, select

HORIZONS = ("1h", "2h", "3h", "6h", "12h", "18h", "24h", "36h", "48h", "72h")
"""The horizons of forewarn_forecast_value, the nearest first."""
GPU_MEMORY = "forewarn_gpu_memory_used_bytes"
FILESYSTEM = "forewarn_node_filesystem_avail_bytes"
DURATION = "forewarn_inference_request_duration_seconds"
FIRST_TOKEN = "forewarn_inference_time_to_first_token_seconds"  # noqa: S105  a metric's name

_FULLNESS = {
    "mode": "absolute",
    "steps": [{"color": "green", "value": None}, {"color": "orange", "value": 0.85}, {"color": "red", "value": 0.95}],
}
_TIME_LEFT = {
    "mode": "absolute",
    "steps": [
        {"color": "red", "value": None},
        {"color": "orange", "value": 86_400},
        {"color": "green", "value": 259_200},
    ],
}


def expected(target: str, statistic: str, point: str) -> str:
    """What was expected of the targets that match, drawn at the time that it was expected for.

    Each horizon's gauge is moved forward by itself (``offset``); where several reach a moment, the nearest, which is
    the newest forecast, wins. So the line ends 72 hours ahead.
    """
    name = "forewarn_forecast_value"
    chain = " or ignoring(horizon) ".join(
        select(name, target, f'statistic="{statistic}"', f'point="{point}"', f'horizon="{horizon}"')
        + f" offset {horizon}"
        for horizon in HORIZONS
    )
    return f"sum without(horizon) ({chain})"


def rows() -> tuple[Row, ...]:
    """The rows of the dashboard, top to bottom."""
    return (_state(), _gpus(), _ahead(), record_row(), _host(), _inference(), _logs(), _alerts(), _health())


def _stat(title: str, description: str, expression: str, **defaults: Any) -> Panel:
    unit = defaults.pop("unit", "short")
    return Panel(
        title, description, (Query(expression, "{{instance}}"),), unit, "stat", width=4, height=4, defaults=defaults
    )


def _state() -> Row:
    breach = "forewarn_forecast_breach_seconds"
    fullness = f"{select(GPU_MEMORY)} / {select('forewarn_gpu_memory_total_bytes')}"
    return Row(
        "State",
        (
            _stat("Forewarn", "Version that runs.", select("forewarn_build_info"), thresholds=GREEN_RED),
            _stat("GPUs", known("forewarn_gpu_present").help, select("forewarn_gpu_present")),
            _stat(
                "GPUs missing",
                "GPUs that this node is known to have and that do not answer.",
                f"{select('forewarn_gpu_expected')} - {select('forewarn_gpu_present')}",
                thresholds=RED_ABOVE_0,
            ),
            _stat(
                "Next to run out",
                "Time until the first capacity has as likely as not reached its limit; empty beyond 3 days.",
                f"min by(instance) ({decisive(breach)})",
                unit="s",
                thresholds=_TIME_LEFT,
                noValue="none in 3 days",
            ),
            _stat(
                "Collectors failing",
                known("forewarn_collector_success").help,
                f"count by(instance) ({select('forewarn_collector_success')} == 0)",
                thresholds=RED_ABOVE_0,
                noValue="0",
            ),
            _stat(
                "Forecast age",
                "Time since the newest forecast was made.",
                f"time() - {select('forewarn_forecast_last_run_timestamp_seconds')}",
                unit="s",
                thresholds={
                    "mode": "absolute",
                    "steps": [{"color": "green", "value": None}, {"color": "orange", "value": 10_800}],
                },
            ),
            Panel(
                "Expected to run out",
                known(breach).help,
                (Query(f"sort({select(breach)})", ""),),
                "s",
                "table",
                transformations=(
                    {
                        "id": "organize",
                        "options": {
                            "excludeByName": {"Time": True, "__name__": True, "job": True},
                            "renameByName": {"Value": "in", "target": "capacity"},
                        },
                    },
                ),
                defaults={"thresholds": _TIME_LEFT},
            ),
            Panel(
                "GPU memory",
                "Part of each GPU's memory that is in use.",
                (Query(fullness, GPU_LEGEND),),
                "percentunit",
                "bargauge",
                defaults={"thresholds": _FULLNESS},
            ),
        ),
    )


def _gpus() -> Row:
    reasons = select("forewarn_gpu_clock_event_active", 'reason!~"idle|application_clocks|display_clocks"')
    return Row(
        "GPUs",
        (
            plot("forewarn_gpu_utilization_ratio", "GPU utilization"),
            plot(GPU_MEMORY, "GPU memory used"),
            plot("forewarn_gpu_sm_activity_ratio", "SM activity", width=8),
            plot("forewarn_gpu_tensor_activity_ratio", "Tensor core activity", width=8),
            plot("forewarn_gpu_dram_activity_ratio", "Memory bandwidth activity", width=8),
            plot("forewarn_gpu_temperature_celsius", "Temperature", width=8),
            plot("forewarn_gpu_power_watts", "Power", width=8),
            plot("forewarn_gpu_throttled_seconds_total", "Time held down, by reason", width=8),
            Panel(
                "Clocks held down",
                known("forewarn_gpu_clock_event_active").help,
                (Query(reasons, f"{GPU_LEGEND} {{{{reason}}}}"),),
                type="state-timeline",
                defaults={"thresholds": RED_ABOVE_0, "color": {"mode": "thresholds"}},
            ),
            Panel(
                "XID errors",
                known("forewarn_gpu_xid_errors_total").help,
                (
                    Query(
                        f"increase({select('forewarn_gpu_xid_errors_total')}[$__rate_interval])",
                        f"{GPU_LEGEND} XID {{{{xid}}}}",
                    ),
                ),
                custom={"drawStyle": "bars", "fillOpacity": 60},
            ),
        ),
    )


def _forecast_panel(title: str, description: str, now: Query, target: str, legend: str, **more: Any) -> Panel:
    """Recorded values, and what is expected of the same series with its 80 % band."""
    gpu_label = '"gpu", "$1", "target", ".*gpu=\\"([0-9]+)\\".*"'
    lines = tuple(
        Query(f"label_replace({expected(target, 'mean', point)}, {gpu_label})", f"{legend} {name}")
        for point, name in (("mean", "expected"), ("p10", "80 % low"), ("p90", "80 % high"))
    )
    overrides = (
        _by_name(".* expected$", {"lineStyle": {"fill": "dash", "dash": [10, 6]}, "lineWidth": 2, "fillOpacity": 0}),
        _by_name(".* 80 % (low|high)$", {"lineStyle": {"fill": "dot", "dash": [2, 6]}, "fillOpacity": 0}),
    )
    return Panel(title, description, (now, *lines), width=24, height=10, overrides=overrides, **more)


def _by_name(pattern: str, custom: dict[str, Any]) -> dict[str, Any]:
    return {
        "matcher": {"id": "byRegexp", "options": f"/{pattern}/"},
        "properties": [{"id": f"custom.{name}", "value": value} for name, value in custom.items()],
    }


def _ahead() -> Row:
    chosen = 'target=~"$target([{].*)?"'
    future = "Show the dashboard up to now+3d (the link at the top) to see the future."
    return Row(
        "Three days ahead",
        (
            _forecast_panel(
                "GPU memory: recorded and expected",
                f"Recorded use, and what was expected of each hour with its 80 % band. {future}",
                Query(select(GPU_MEMORY), f"{GPU_LEGEND} recorded"),
                f'target=~"{GPU_MEMORY}.*gpu=\\"($gpu)\\".*"',
                "{{instance}} GPU {{gpu}}",
                unit="bytes",
            ),
            _forecast_panel(
                "$target: expected",
                f"What was expected of the capacity targets of the chosen metric, and their limits. {future}",
                Query(select("forewarn_forecast_limit", chosen), "{{instance}} {{target}} limit"),
                chosen,
                "{{instance}} {{target}}",
            ),
            *chance_panels(),
        ),
    )


def _host() -> Row:
    memory = f"1 - {select('forewarn_node_memory_available_bytes')} / {select('forewarn_node_memory_total_bytes')}"
    disks = f"1 - {select(FILESYSTEM)} / {select('forewarn_node_filesystem_size_bytes')}"
    return Row(
        "Host",
        (
            plot("forewarn_node_cpu_utilization_ratio", "CPU", width=8),
            Panel(
                "Host memory used",
                "Part of the host's memory in use.",
                (Query(memory, "{{instance}}"),),
                "percentunit",
                width=8,
            ),
            Panel(
                "Filesystems used",
                "Part of each file system in use.",
                (Query(disks, "{{instance}} {{mountpoint}}"),),
                "percentunit",
                width=8,
            ),
            plot("forewarn_node_network_receive_bytes_total", "Network in", width=6),
            plot("forewarn_node_network_transmit_bytes_total", "Network out", width=6),
            plot("forewarn_node_disk_written_bytes_total", "Disk writes", width=6),
            plot("forewarn_network_latency_seconds", "Network latency", width=6),
        ),
    )


def _quantiles(family: str, title: str) -> Panel:
    def quantile(share: float) -> str:
        return f"histogram_quantile({share}, sum by(le,instance,model_name) ({rate(f'{family}_bucket')}))"

    lines = tuple(
        Query(quantile(share), f"{{{{instance}}}} {{{{model_name}}}} p{round(share * 100)}")
        for share in (0.5, 0.95, 0.99)
    )
    return Panel(title, known(family + "_bucket").help, lines, "s")


def _inference() -> Row:
    return Row(
        "Inference",
        (
            _quantiles(DURATION, "Request duration"),
            _quantiles(FIRST_TOKEN, "Time to first token"),
            plot("forewarn_inference_requests_waiting", "Requests waiting", width=8),
            plot("forewarn_inference_requests_running", "Requests running", width=8),
            plot("forewarn_inference_kv_cache_usage_ratio", "KV cache", width=8),
            plot("forewarn_inference_generation_tokens_total", "Tokens generated per second", width=8),
            plot("forewarn_inference_requests_total", "Requests per second, by outcome", width=8),
            plot("forewarn_canary_duration_seconds", "Canary", width=8),
        ),
    )


def _logs() -> Row:
    lines = f"topk(10, {rate('forewarn_logs_template_lines_total')})"
    return Row(
        "Logs",
        (
            Panel(
                "Log lines per second, by template",
                "The ten templates that come most often; 'forewarn logs templates --live' says what each one is.",
                (Query(lines, "{{instance}} {{dataset}} {{template}}"),),
            ),
            plot("forewarn_logs_level_lines_total", "Log lines per second, by level"),
            plot(
                "forewarn_logs_anomalies_active",
                "Anomalies in the logs",
                width=8,
                custom={"drawStyle": "bars", "fillOpacity": 60},
            ),
            plot("forewarn_logs_lag_bytes", "Logs not yet shipped", width=8),
            plot("forewarn_logs_lines_total", "Log lines per second, by outcome", width=8),
        ),
    )


def _alerts() -> Row:
    return Row(
        "Alerts",
        (
            plot(
                "forewarn_alerts_active",
                "Alerts pending and firing",
                width=8,
                custom={"drawStyle": "bars", "fillOpacity": 60},
            ),
            plot("forewarn_notifications_total", "Notifications per second", width=8),
            plot("forewarn_notifications_failed_total", "Failed deliveries per second", width=8),
            plot("forewarn_notifications_outbox", "Outbox", width=12),
            plot("forewarn_alert_rule_errors_total", "Rules that cannot be evaluated", width=12),
        ),
    )


def _health() -> Row:
    age = f"time() - {select('forewarn_collector_last_success_timestamp_seconds')}"
    return Row(
        "Forewarn itself",
        (
            Panel(
                "Collectors",
                known("forewarn_collector_success").help,
                (Query(select("forewarn_collector_success"), "{{instance}} {{collector}}"),),
                type="state-timeline",
                defaults={"thresholds": GREEN_RED, "color": {"mode": "thresholds"}, "min": 0, "max": 1},
            ),
            Panel(
                "Age of the last data",
                "Time since each collector last gave data.",
                (Query(age, "{{instance}} {{collector}}"),),
                "s",
            ),
            plot("forewarn_collector_duration_seconds", "Time a round takes", width=8),
            plot("process_resident_memory_bytes", "Memory of the daemon", width=8),
            plot("process_cpu_seconds_total", "CPU of the daemon", width=8),
            plot("forewarn_child_restarts_total", "Restarts of child processes per second", width=8),
        ),
    )
