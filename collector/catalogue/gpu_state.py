"""Metrics of which GPUs there are, and in which state."""

from collector.catalogue.gpu_row import row
from collector.catalogue.model import Metric

STATE_METRICS: tuple[Metric, ...] = (
    row(
        "info",
        "",
        "Always 1; its labels say what the GPU is.",
        "nvmlDeviceGetName and others",
        "name",
        "pci_bus_id",
        "serial",
        "driver_version",
        "vbios_version",
        "cuda_version",
        "mig_mode",
        cadence="slow",
    ),
    row(
        "persistence_mode",
        "",
        "Whether the driver stays loaded while nobody uses the GPU.",
        "nvmlDeviceGetPersistenceMode",
        cadence="medium",
    ),
    row("mig_mode", "", "Whether the GPU is split into slices.", "nvmlDeviceGetMigMode", cadence="medium"),
    row("ecc_mode", "", "Whether the memory is protected by ECC.", "nvmlDeviceGetEccMode", cadence="medium"),
    row(
        "mode_change_pending",
        "",
        "Whether another mode (mig, ecc) takes effect with the next reset of the GPU.",
        "nvmlDeviceGetMigMode, nvmlDeviceGetEccMode",
        "mode",
        cadence="medium",
    ),
    row(
        "compute_mode",
        "",
        "Who may use the GPU: 0 many processes, 1 one thread (historic), 2 nobody, 3 one process.",
        "nvmlDeviceGetComputeMode",
        cadence="slow",
    ),
    row(
        "vgpu_licensed",
        "",
        "Whether a virtual GPU has its licence; 0 too on a GPU that needs none.",
        "nvmlDeviceGetGridLicensableFeatures",
        cadence="slow",
    ),
    Metric("forewarn_gpu_expected", "gauge", "", "GPUs that this node is known to have.", (), "remembered on disk"),
    Metric("forewarn_gpu_present", "gauge", "", "GPUs that answer.", (), "nvmlDeviceGetHandleByIndex"),
    row("up", "", "Whether the GPU that the node is known to have answers.", ""),
    Metric(
        "forewarn_nvml_stuck",
        "gauge",
        "",
        "Whether a call into the GPU driver has not come back for 8 seconds or more.",
        (),
        "",
    ),
)
