"""Metrics of what the GPUs do: utilisation, memory, activity."""

from collector.catalogue.gpu_row import MIB, row
from collector.catalogue.model import Limit, Metric


def _activity(name: str, metric_id: int, text: str, field: str | None, core: int | None = None) -> Metric:
    """What GPM says of the time since the last round, on Hopper and newer; the same number as DCGM's PROF field."""
    return row(
        f"{name}_ratio",
        "ratio",
        f"Part of the {text}, since the last round (Hopper and newer).",
        f"nvmlGpmMetricsGet id {metric_id}",
        core=core,
        dcgm=f"DCGM_FI_PROF_{field}" if field else None,
    )


_UTILIZATION = (
    row(
        "utilization_ratio",
        "ratio",
        "Part of the driver's last sampling window in which at least one kernel ran; it is not load.",
        "nvmlDeviceGetUtilizationRates gpu",
        core=1,
        dcgm="DCGM_FI_DEV_GPU_UTIL",
        dcgm_factor=100.0,
        kind="saturated",
        limit=Limit(value=0.98),
    ),
    row(
        "memory_bandwidth_utilization_ratio",
        "ratio",
        "Part of the driver's last sampling window in which GPU memory was read or written.",
        "nvmlDeviceGetUtilizationRates memory",
        core=3,
        dcgm="DCGM_FI_DEV_MEM_COPY_UTIL",
        dcgm_factor=100.0,
    ),
    row(
        "encoder_utilization_ratio",
        "ratio",
        "Use of the video encoders.",
        "nvmlDeviceGetEncoderUtilization",
        cadence="medium",
        dcgm="DCGM_FI_DEV_ENC_UTIL",
        dcgm_factor=100.0,
    ),
    row(
        "decoder_utilization_ratio",
        "ratio",
        "Use of the video decoders.",
        "nvmlDeviceGetDecoderUtilization",
        cadence="medium",
        dcgm="DCGM_FI_DEV_DEC_UTIL",
        dcgm_factor=100.0,
    ),
)

_MEMORY = (
    row(
        "memory_used_bytes",
        "bytes",
        "GPU memory in use; with drivers of 510 and newer without what the driver reserves.",
        "nvmlDeviceGetMemoryInfo_v2 used",
        core=2,
        dcgm="DCGM_FI_DEV_FB_USED",
        dcgm_factor=MIB,
        kind="gauge",
        limit=Limit(metric="forewarn_gpu_memory_total_bytes", share=0.95),
    ),
    row(
        "memory_free_bytes",
        "bytes",
        "GPU memory that is free.",
        "nvmlDeviceGetMemoryInfo_v2 free",
        core=2,
        dcgm="DCGM_FI_DEV_FB_FREE",
        dcgm_factor=MIB,
    ),
    row(
        "memory_reserved_bytes",
        "bytes",
        "GPU memory that the driver keeps for itself.",
        "nvmlDeviceGetMemoryInfo_v2 reserved",
        core=2,
        dcgm="DCGM_FI_DEV_FB_RESERVED",
        dcgm_factor=MIB,
    ),
    row(
        "memory_total_bytes",
        "bytes",
        "GPU memory installed.",
        "nvmlDeviceGetMemoryInfo_v2 total",
        core=2,
        dcgm="DCGM_FI_DEV_FB_TOTAL",
        dcgm_factor=MIB,
    ),
    row(
        "bar1_used_bytes",
        "bytes",
        "Memory of the GPU that is mapped into the host's address space.",
        "nvmlDeviceGetBAR1MemoryInfo bar1Used",
        cadence="medium",
        dcgm="DCGM_FI_DEV_BAR1_USED",
        dcgm_factor=MIB,
    ),
)

_ACTIVITY = (
    _activity("graphics_activity", 1, "time in which any compute or graphics work was active", "GR_ENGINE_ACTIVE"),
    _activity("sm_activity", 2, "streaming multiprocessors that were busy", "SM_ACTIVE", 3),
    _activity("sm_occupancy", 3, "warps that were resident, of the most that fit", "SM_OCCUPANCY"),
    _activity("integer_activity", 4, "time in which the integer units were active", None),
    _activity("tensor_activity", 5, "time in which the tensor cores were active", "PIPE_TENSOR_ACTIVE", 3),
    _activity("dram_activity", 10, "memory bandwidth in use, of the most that there is", "DRAM_ACTIVE", 3),
    _activity("fp64_activity", 11, "time in which the FP64 units were active", "PIPE_FP64_ACTIVE"),
    _activity("fp32_activity", 12, "time in which the FP32 units were active", "PIPE_FP32_ACTIVE"),
    _activity("fp16_activity", 13, "time in which the FP16 units were active", "PIPE_FP16_ACTIVE"),
)

LOAD_METRICS: tuple[Metric, ...] = (*_UTILIZATION, *_MEMORY, *_ACTIVITY)
