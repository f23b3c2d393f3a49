"""Metrics of the slices of GPUs in MIG mode."""

from collector.catalogue.gpu_row import slice_row
from collector.catalogue.model import Limit, Metric


def _memory(part: str, text: str, **more: object) -> Metric:
    return slice_row(
        f"memory_{part}_bytes",
        "bytes",
        f"Memory of the slice {text}; compute instances of one GPU instance share theirs.",
        f"nvmlDeviceGetMemoryInfo_v2 {part}",
        "compute_instance_id",
        **more,
    )


def _activity(name: str, metric_id: int, text: str) -> Metric:
    return slice_row(
        f"{name}_ratio",
        "ratio",
        f"Part of the GPU instance's {text}, since the last round.",
        f"nvmlGpmMigSampleGet, nvmlGpmMetricsGet id {metric_id}",
    )


MIG_METRICS: tuple[Metric, ...] = (
    _memory("used", "in use", kind="gauge", limit=Limit(metric="forewarn_mig_memory_total_bytes", share=0.95)),
    _memory("free", "that is free"),
    _memory("reserved", "that the driver keeps for itself"),
    _memory("total", "as it was cut"),
    _activity("graphics_activity", 1, "time in which any compute or graphics work was active"),
    _activity("sm_activity", 2, "streaming multiprocessors that were busy"),
    _activity("sm_occupancy", 3, "warps that were resident, of the most that fit"),
    _activity("integer_activity", 4, "time in which the integer units were active"),
    _activity("tensor_activity", 5, "time in which the tensor cores were active"),
    _activity("dram_activity", 10, "memory bandwidth in use, of the most that there is"),
    _activity("fp64_activity", 11, "time in which the FP64 units were active"),
    _activity("fp32_activity", 12, "time in which the FP32 units were active"),
    _activity("fp16_activity", 13, "time in which the FP16 units were active"),
)
