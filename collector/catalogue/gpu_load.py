"""Metrics of what the GPUs do: utilisation, memory, activity."""

from collector.catalogue.gpu_row import row
from collector.catalogue.model import Limit, Metric


def _activity(name: str, metric_id: int, text: str, core: int | None = None) -> Metric:
    """What GPM says of the time since the last round, on Hopper and newer."""
    return row(
        f"{name}_ratio",
        "ratio",
        f"Part of the {text}, since the last round (Hopper and newer).",
        f"nvmlGpmMetricsGet id {metric_id}",
        core=core,
    )


_UTILIZATION = (
    row(
        "utilization_ratio",
        "ratio",
        "Part of the driver's last sampling window in which at least one kernel ran; it is not load.",
        "nvmlDeviceGetUtilizationRates gpu",
        core=1,
        kind="saturated",
        limit=Limit(value=0.98),
    ),
    row(
        "memory_bandwidth_utilization_ratio",
        "ratio",
        "Part of the driver's last sampling window in which GPU memory was read or written.",
        "nvmlDeviceGetUtilizationRates memory",
        core=3,
    ),
    row(
        "encoder_utilization_ratio",
        "ratio",
        "Use of the video encoders.",
        "nvmlDeviceGetEncoderUtilization",
        cadence="medium",
    ),
    row(
        "decoder_utilization_ratio",
        "ratio",
        "Use of the video decoders.",
        "nvmlDeviceGetDecoderUtilization",
        cadence="medium",
    ),
)

_MEMORY = (
    row(
        "memory_used_bytes",
        "bytes",
        "GPU memory in use; with drivers of 510 and newer without what the driver reserves.",
        "nvmlDeviceGetMemoryInfo_v2 used",
        core=2,
        kind="gauge",
        limit=Limit(metric="forewarn_gpu_memory_total_bytes", share=0.95),
    ),
    row(
        "memory_free_bytes",
        "bytes",
        "GPU memory that is free.",
        "nvmlDeviceGetMemoryInfo_v2 free",
        core=2,
    ),
    row(
        "memory_reserved_bytes",
        "bytes",
        "GPU memory that the driver keeps for itself.",
        "nvmlDeviceGetMemoryInfo_v2 reserved",
        core=2,
    ),
    row(
        "memory_total_bytes",
        "bytes",
        "GPU memory installed.",
        "nvmlDeviceGetMemoryInfo_v2 total",
        core=2,
    ),
    row(
        "bar1_used_bytes",
        "bytes",
        "Memory of the GPU that is mapped into the host's address space.",
        "nvmlDeviceGetBAR1MemoryInfo bar1Used",
        cadence="medium",
    ),
)

_ACTIVITY = (
    _activity("graphics_activity", 1, "time in which any compute or graphics work was active"),
    _activity("sm_activity", 2, "streaming multiprocessors that were busy", 3),
    _activity("sm_occupancy", 3, "warps that were resident, of the most that fit"),
    _activity("integer_activity", 4, "time in which the integer units were active"),
    _activity("tensor_activity", 5, "time in which the tensor cores were active", 3),
    _activity("dram_activity", 10, "memory bandwidth in use, of the most that there is", 3),
    _activity("fp64_activity", 11, "time in which the FP64 units were active"),
    _activity("fp32_activity", 12, "time in which the FP32 units were active"),
    _activity("fp16_activity", 13, "time in which the FP16 units were active"),
)

LOAD_METRICS: tuple[Metric, ...] = (*_UTILIZATION, *_MEMORY, *_ACTIVITY)
