"""Metrics of the processes on the GPUs, gathered by owner."""

from collector.catalogue.model import Metric

_OWNER = ("gpu_instance_id", "user", "unit", "container", "pod_uid", "command")
"""What is not known, or does not apply, is left out; the smaller owners of a GPU are one, called ``other``."""


def _row(name: str, unit: str, text: str, source: str, labels: tuple[str, ...] = ()) -> Metric:
    return Metric(f"forewarn_gpu_{name}", "gauge", unit, text, ("gpu", "uuid", *labels), source)


PROCESS_METRICS: tuple[Metric, ...] = (
    _row(
        "process_memory_bytes",
        "bytes",
        "GPU memory of the processes of one user, unit or container, and command.",
        "nvmlDeviceGetComputeRunningProcesses, ...Graphics..., ...MPSCompute...; /proc/PID",
        _OWNER,
    ),
    _row(
        "process_sm_utilization_ratio",
        "ratio",
        "Part of the time in which kernels of these processes ran; not offered with MIG.",
        "nvmlDeviceGetProcessUtilization smUtil",
        _OWNER,
    ),
    _row(
        "process_idle_seconds",
        "seconds",
        "For how long none of these processes has run a kernel, as far as the daemon has seen, while they are there.",
        "nvmlDeviceGetProcessUtilization smUtil",
        _OWNER,
    ),
    _row("processes", "", "Processes on the GPU.", "nvmlDeviceGetComputeRunningProcesses and others"),
    _row(
        "process_list_invalid",
        "",
        "Entries of the driver's process lists that cannot be processes, as drivers around 535 wrote them.",
        "nvmlDeviceGetComputeRunningProcesses and others; /proc",
    ),
    _row(
        "dead_process_memory_bytes",
        "bytes",
        "GPU memory that the driver counts for processes which are no more.",
        "nvmlDeviceGetComputeRunningProcesses; /proc",
    ),
)
