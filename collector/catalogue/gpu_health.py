"""What Forewarn says of the GPUs' health and of its own access to them."""

from collector.catalogue.model import Metric

GPU_HEALTH_METRICS: tuple[Metric, ...] = (
    Metric(
        "forewarn_gpu_diagnosis",
        "gauge",
        "",
        "1 while the condition holds, 0 afterwards; docs/gpu-troubles.md says what each means and what to do next. "
        "Conditions of the node as a whole have no gpu and uuid.",
        ("condition", "gpu", "uuid"),
        "collector/nvml/health/diagnosis.py",
    ),
    Metric(
        "forewarn_nvml_paused",
        "gauge",
        "",
        "Whether GPU collection is paused: forewarn nvml pause.",
        (),
        "forewarn nvml pause",
    ),
    Metric(
        "forewarn_nvml_pause_remaining_seconds",
        "gauge",
        "seconds",
        "Time until the pause of GPU collection ends by itself; absent without one.",
        (),
        "forewarn nvml pause",
    ),
)
