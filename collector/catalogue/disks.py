"""Metrics of file systems, of block devices and their wear, and of software RAID."""

from collector.catalogue.model import Limit, Metric

_DEVICE = ("device",)
_MOUNT = ("mountpoint",)
_STATS = "/proc/diskstats"
_SMART = "NVMe log page 2 (needs CAP_SYS_ADMIN; absent without)"


def _work(name: str, unit: str, help: str, core: int | None = None) -> Metric:  # noqa: A002  the word of the field
    return Metric(
        f"forewarn_node_disk_{name}",
        "counter",
        unit,
        help,
        _DEVICE,
        source=_STATS,
        core=core,
        node_exporter=f"node_disk_{name}",
    )


def _health(name: str, kind: str, unit: str, help: str) -> Metric:  # noqa: A002  the word of the field
    return Metric(
        f"forewarn_node_nvme_{name}",
        "counter" if kind == "counter" else "gauge",
        unit,
        help,
        _DEVICE,
        source=_SMART,
        cadence="slow",
    )


_FILESYSTEMS = (
    Metric(
        "forewarn_node_filesystem_avail_bytes",
        "gauge",
        "bytes",
        "Space that ordinary users can still fill; absent where the file system is meant to be read-only.",
        _MOUNT,
        source="statvfs",
        core=10,
        kind="fill",
        limit=Limit(metric="forewarn_node_filesystem_size_bytes", share=0.05, below=True),
        node_exporter="node_filesystem_avail_bytes",
    ),
    Metric(
        "forewarn_node_filesystem_size_bytes",
        "gauge",
        "bytes",
        "Size of the file system.",
        _MOUNT,
        source="statvfs",
        core=10,
        node_exporter="node_filesystem_size_bytes",
    ),
    Metric(
        "forewarn_node_filesystem_files_free",
        "gauge",
        "",
        "Files that can still be made; absent where the file system sets no number, or is meant to be read-only.",
        _MOUNT,
        source="statvfs",
        kind="fill",
        limit=Limit(metric="forewarn_node_filesystem_files", share=0.05, below=True),
        node_exporter="node_filesystem_files_free",
    ),
    Metric(
        "forewarn_node_filesystem_files",
        "gauge",
        "",
        "Files that the file system can hold.",
        _MOUNT,
        source="statvfs",
        node_exporter="node_filesystem_files",
    ),
    Metric(
        "forewarn_node_filesystem_readonly",
        "gauge",
        "",
        "Whether nothing can be written, on purpose or not.",
        _MOUNT,
        source="/proc/self/mountinfo",
        node_exporter="node_filesystem_readonly",
    ),
    Metric(
        "forewarn_node_filesystem_forced_readonly",
        "gauge",
        "",
        "Whether the kernel made it read-only after an error: mounted for writing, and nothing can be written.",
        _MOUNT,
        source="/proc/self/mountinfo",
    ),
    Metric(
        "forewarn_node_filesystem_stuck",
        "gauge",
        "",
        "Whether the file system does not answer; its space is then not known.",
        _MOUNT,
        source="statvfs",
    ),
    Metric(
        "forewarn_node_filesystem_error",
        "gauge",
        "",
        "Whether the file system answers with an error; its space is then not known.",
        _MOUNT,
        source="statvfs",
        node_exporter="node_filesystem_device_error",
    ),
)

DISK_METRICS: tuple[Metric, ...] = (
    *_FILESYSTEMS,
    _work("read_bytes_total", "bytes", "Bytes read from the block device.", core=10),
    _work("written_bytes_total", "bytes", "Bytes written to the block device.", core=10),
    _work("reads_completed_total", "", "Reads that the device has finished."),
    _work("writes_completed_total", "", "Writes that the device has finished."),
    _work("read_time_seconds_total", "seconds", "Time that all reads together took."),
    _work("write_time_seconds_total", "seconds", "Time that all writes together took."),
    _work("io_time_seconds_total", "seconds", "Time in which the device had anything to do."),
    _work("io_time_weighted_seconds_total", "seconds", "That time weighted with the queue: its rate is the queue."),
    Metric(
        "forewarn_node_disk_utilization_ratio",
        "gauge",
        "ratio",
        "Part of the time since the round before in which the device had anything to do; a drive that works on many "
        "things at once is not full at 1.",
        _DEVICE,
        source=_STATS,
    ),
    Metric(
        "forewarn_node_nvme_info",
        "gauge",
        "",
        "Always 1; its labels name the drive.",
        ("device", "firmware", "model"),
        source="/sys/class/nvme",
        cadence="slow",
        node_exporter="node_nvme_info",
    ),
    Metric(
        "forewarn_node_nvme_live",
        "gauge",
        "",
        "Whether the controller is in service; it is not while it is reset, deleted or dead.",
        _DEVICE,
        source="/sys/class/nvme",
        cadence="slow",
    ),
    Metric(
        "forewarn_node_nvme_wear_ratio",
        "gauge",
        "ratio",
        "Part of the drive's life that is used up, as its maker reckons; it may exceed 1.",
        _DEVICE,
        source=_SMART,
        cadence="slow",
        kind="fill",
        limit=Limit(value=1.0, share=0.9),
    ),
    _health("available_spare_ratio", "gauge", "ratio", "Spare blocks that are left."),
    _health("available_spare_threshold_ratio", "gauge", "ratio", "Spare blocks below which the drive warns."),
    _health(
        "critical_warning",
        "gauge",
        "",
        "What the drive warns of, added up: 1 spare, 2 temperature, 4 reliability, 8 read-only, 16 backup, 32 memory.",
    ),
    _health("read_bytes_total", "counter", "bytes", "Bytes that hosts have read in the drive's life."),
    _health("written_bytes_total", "counter", "bytes", "Bytes that hosts have written in the drive's life."),
    _health("power_on_seconds_total", "counter", "seconds", "Time that the drive has been powered."),
    _health("unsafe_shutdowns_total", "counter", "", "Times that power went away without notice."),
    _health("media_errors_total", "counter", "", "Times that data could not be recovered."),
    Metric(
        "forewarn_node_md_disks_required",
        "gauge",
        "",
        "Members that the array needs to be whole.",
        _DEVICE,
        source="/sys/block/md*/md",
        cadence="medium",
        node_exporter="node_md_disks_required",
    ),
    Metric(
        "forewarn_node_md_disks_missing",
        "gauge",
        "",
        "Members that the array lacks.",
        _DEVICE,
        source="/sys/block/md*/md",
        cadence="medium",
    ),
    Metric(
        "forewarn_node_md_rebuilding",
        "gauge",
        "",
        "Whether the array is being rebuilt, synchronised or reshaped.",
        _DEVICE,
        source="/sys/block/md*/md",
        cadence="medium",
    ),
)
