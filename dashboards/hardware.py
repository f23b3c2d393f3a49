"""What the dashboard of a node's hardware shows: what is wrong, who uses the GPUs, links, pressure, disks, networks."""

from typing import Any

from dashboards.panels import GPU_LEGEND, GREEN_RED, RED_ABOVE_0, Panel, Query, Row, known, plot, rate, select

_STACKED = {"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 30}
_HIDDEN = {"Time": True, "__name__": True, "job": True, "uuid": True}
_LINK = "{{instance}} {{device}} port {{port}}"


def rows() -> tuple[Row, ...]:
    """The rows of the dashboard, top to bottom."""
    return (_wrong(), _users(), _slices(), _links(), _pressure(), _disks(), _network(), _infiniband(), _shipping())


def _timeline(name: str, title: str, legend: str, *, good: bool = False) -> Panel:
    """A state over time: green where it is well, red where it is not."""
    return Panel(
        title,
        known(name).help,
        (Query(select(name), legend),),
        type="state-timeline",
        defaults={"thresholds": GREEN_RED if good else RED_ABOVE_0, "color": {"mode": "thresholds"}},
    )


def _table(name: str, title: str, expression: str, unit: str, value: str) -> Panel:
    """The series of a metric, one a line."""
    layout = {"excludeByName": _HIDDEN, "renameByName": {"Value": value}}
    return Panel(
        title,
        known(name).help,
        (Query(expression, ""),),
        unit,
        "table",
        transformations=({"id": "organize", "options": layout},),
    )


def _wrong() -> Row:
    diagnosis, seen = "forewarn_gpu_diagnosis", "forewarn_gpu_xid_last_timestamp_seconds"
    return Row(
        "What is wrong with the GPUs",
        (
            _table(diagnosis, "Diagnosis", f"{select(diagnosis)} > 0", "short", "holds"),
            _table(seen, "XIDs", f"sort_desc({select(seen)} * 1000)", "dateTimeFromNow", "last seen"),
            _timeline("forewarn_gpu_up", "GPUs that answer", GPU_LEGEND, good=True),
            _timeline("forewarn_gpu_recovery_action", "Recovery that the driver asks for", GPU_LEGEND),
            plot("forewarn_gpu_ecc_errors_total", "Memory errors per second", width=8),
            plot("forewarn_gpu_remapped_rows", "Remapped rows", width=8),
            plot("forewarn_gpu_temperature_margin_celsius", "Distance to slowing down", width=8),
        ),
    )


def _by_user(name: str, title: str, unit: str, **more: Any) -> Panel:
    legend = f"{GPU_LEGEND} {{{{user}}}} {{{{unit}}}}{{{{container}}}} {{{{command}}}}"
    return Panel(title, known(name).help, (Query(select(name), legend),), unit, **more)


def _users() -> Row:
    return Row(
        "Who uses the GPUs",
        (
            _by_user("forewarn_gpu_process_memory_bytes", "Memory, by who holds it", "bytes", custom=_STACKED),
            _by_user("forewarn_gpu_process_sm_utilization_ratio", "SM use, by who uses them", "percentunit"),
            _by_user("forewarn_gpu_process_idle_seconds", "Held, but idle since", "s"),
            plot("forewarn_gpu_dead_process_memory_bytes", "Memory held by processes that are gone"),
        ),
    )


def _slices() -> Row:
    return Row(
        "MIG slices",
        (
            plot("forewarn_mig_memory_used_bytes", "Memory of slices"),
            plot("forewarn_mig_sm_activity_ratio", "SM activity of slices"),
        ),
    )


def _links() -> Row:
    return Row(
        "GPU links",
        (
            plot("forewarn_gpu_pcie_transmit_bytes_total", "PCIe out", width=6),
            plot("forewarn_gpu_pcie_receive_bytes_total", "PCIe in", width=6),
            plot("forewarn_gpu_nvlink_transmit_bytes_total", "NVLink out", width=6),
            plot("forewarn_gpu_nvlink_receive_bytes_total", "NVLink in", width=6),
            plot("forewarn_gpu_nvlink_errors_total", "NVLink errors per second", width=8),
            plot("forewarn_gpu_pcie_replays_total", "PCIe replays per second", width=8),
            plot("forewarn_gpu_pcie_link_width", "PCIe lanes", width=8),
        ),
    )


def _pressure() -> Row:
    return Row(
        "Pressure on the host",
        (
            plot("forewarn_node_pressure_waiting_ratio", "Time in which some task waited", width=8),
            plot("forewarn_node_procs_blocked", "Tasks that wait for disks", width=8),
            plot("forewarn_node_cpu_seconds_total", "CPU by mode", width=8, custom=_STACKED),
            plot("forewarn_node_memory_dirty_bytes", "Not yet written", width=8),
            plot("forewarn_node_major_page_faults_total", "Major page faults per second", width=8),
            plot("forewarn_node_oom_kills_total", "Out-of-memory kills per second", width=8),
            plot("forewarn_node_hwmon_temp_celsius", "Temperatures", width=12),
            plot("forewarn_node_timex_offset_seconds", "Clock offset", width=12),
        ),
    )


def _disks() -> Row:
    files = f"{select('forewarn_node_filesystem_files_free')} / {select('forewarn_node_filesystem_files')}"
    return Row(
        "Disks",
        (
            plot("forewarn_node_disk_utilization_ratio", "Busy", width=8),
            plot("forewarn_node_disk_read_bytes_total", "Read", width=8),
            plot("forewarn_node_disk_io_time_weighted_seconds_total", "Requests under way", width=8),
            Panel(
                "Files that can still be made",
                known("forewarn_node_filesystem_files_free").help,
                (Query(files, "{{instance}} {{mountpoint}}"),),
                "percentunit",
                width=8,
            ),
            plot("forewarn_node_nvme_wear_ratio", "Wear of NVMe disks", width=8),
            plot("forewarn_node_md_disks_missing", "Disks missing in RAID arrays", width=8),
        ),
    )


def _network() -> Row:
    return Row(
        "Network",
        (
            plot("forewarn_network_jitter_seconds", "Jitter", width=8),
            plot("forewarn_network_loss_ratio", "Loss", width=8),
            plot("forewarn_node_tcp_retransmitted_segments_total", "Segments sent again per second", width=8),
            plot("forewarn_node_network_receive_drop_total", "Packets dropped per second", width=8),
            _timeline("forewarn_node_network_up", "Interfaces", "{{instance}} {{device}}", good=True),
        ),
    )


def _infiniband() -> Row:
    errors = (
        "forewarn_node_infiniband_symbol_errors_total",
        "forewarn_node_infiniband_receive_errors_total",
        "forewarn_node_infiniband_transmit_discards_total",
        "forewarn_node_infiniband_link_downed_total",
    )
    subject = "forewarn_node_infiniband_"
    lines = tuple(
        Query(rate(name), f"{_LINK} {name.removeprefix(subject).removesuffix('_total').replace('_', ' ')}")
        for name in errors
    )
    return Row(
        "InfiniBand and RoCE",
        (
            plot("forewarn_node_infiniband_transmit_bytes_total", "Sent", width=8),
            plot("forewarn_node_infiniband_receive_bytes_total", "Received", width=8),
            Panel("Errors per second", "Errors of the ports, by kind.", lines, width=8),
        ),
    )


def _shipping() -> Row:
    return Row(
        "Remote write",
        (
            plot("forewarn_remote_write_lag_seconds", "Behind", width=8),
            plot("forewarn_remote_write_samples_total", "Samples per second", width=8),
            plot("forewarn_remote_write_dropped_samples_total", "Dropped samples per second", width=8),
        ),
    )
