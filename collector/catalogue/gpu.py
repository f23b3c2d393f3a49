"""Metrics of the GPUs; names, units and DCGM factors as in the table of the collecting reference."""

from typing import Any

from collector.catalogue.model import Limit, Metric

_MIB = 1 / 1048576


def _row(name: str, unit: str, text: str, source: str, *labels: str, **more: Any) -> Metric:
    """A metric that every GPU has for itself; what ends in ``_total`` is a counter."""
    return Metric(
        f"forewarn_gpu_{name}",
        "counter" if name.endswith("_total") else "gauge",
        unit,
        text,
        ("gpu", "uuid", *labels),
        source,
        **more,
    )


def _activity(name: str, metric_id: int, text: str, field: str | None, core: int | None = None) -> Metric:
    """What GPM says of the time since the last round, on Hopper and newer; the same number as DCGM's PROF field."""
    return _row(
        f"{name}_ratio",
        "ratio",
        f"Part of the {text}, since the last round (Hopper and newer).",
        f"nvmlGpmMetricsGet id {metric_id}",
        core=core,
        dcgm=f"DCGM_FI_PROF_{field}" if field else None,
    )


def _pcie_link(name: str, text: str, call: str, field: str) -> Metric:
    return _row(f"pcie_link_{name}", "", text, call, cadence="medium", dcgm=f"DCGM_FI_DEV_PCIE_{field}")


_UTILIZATION = (
    _row(
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
    _row(
        "memory_bandwidth_utilization_ratio",
        "ratio",
        "Part of the driver's last sampling window in which GPU memory was read or written.",
        "nvmlDeviceGetUtilizationRates memory",
        core=3,
        dcgm="DCGM_FI_DEV_MEM_COPY_UTIL",
        dcgm_factor=100.0,
    ),
    _row(
        "encoder_utilization_ratio",
        "ratio",
        "Use of the video encoders.",
        "nvmlDeviceGetEncoderUtilization",
        cadence="medium",
        dcgm="DCGM_FI_DEV_ENC_UTIL",
        dcgm_factor=100.0,
    ),
    _row(
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
    _row(
        "memory_used_bytes",
        "bytes",
        "GPU memory in use; with drivers of 510 and newer without what the driver reserves.",
        "nvmlDeviceGetMemoryInfo_v2 used",
        core=2,
        dcgm="DCGM_FI_DEV_FB_USED",
        dcgm_factor=_MIB,
        kind="gauge",
        limit=Limit(metric="forewarn_gpu_memory_total_bytes", share=0.95),
    ),
    _row(
        "memory_free_bytes",
        "bytes",
        "GPU memory that is free.",
        "nvmlDeviceGetMemoryInfo_v2 free",
        core=2,
        dcgm="DCGM_FI_DEV_FB_FREE",
        dcgm_factor=_MIB,
    ),
    _row(
        "memory_reserved_bytes",
        "bytes",
        "GPU memory that the driver keeps for itself.",
        "nvmlDeviceGetMemoryInfo_v2 reserved",
        core=2,
        dcgm="DCGM_FI_DEV_FB_RESERVED",
        dcgm_factor=_MIB,
    ),
    _row(
        "memory_total_bytes",
        "bytes",
        "GPU memory installed.",
        "nvmlDeviceGetMemoryInfo_v2 total",
        core=2,
        dcgm="DCGM_FI_DEV_FB_TOTAL",
        dcgm_factor=_MIB,
    ),
    _row(
        "bar1_used_bytes",
        "bytes",
        "Memory of the GPU that is mapped into the host's address space.",
        "nvmlDeviceGetBAR1MemoryInfo bar1Used",
        cadence="medium",
        dcgm="DCGM_FI_DEV_BAR1_USED",
        dcgm_factor=_MIB,
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

_POWER_AND_HEAT = (
    _row(
        "temperature_celsius",
        "celsius",
        "Temperature of the sensor (core, memory).",
        "nvmlDeviceGetTemperature; field 82",
        "sensor",
        core=4,
    ),
    _row(
        "temperature_limit_celsius",
        "celsius",
        "Core temperature at which the GPU slows down, or shuts down.",
        "nvmlDeviceGetTemperatureThreshold",
        "action",
        cadence="medium",
    ),
    _row(
        "power_watts",
        "watts",
        "Power drawn by the board, a one-second mean on most GPUs since Ampere.",
        "nvmlDeviceGetPowerUsage",
        core=5,
        dcgm="DCGM_FI_DEV_POWER_USAGE",
    ),
    _row(
        "power_limit_watts",
        "watts",
        "Power limit that is enforced.",
        "nvmlDeviceGetEnforcedPowerLimit",
        cadence="medium",
        core=5,
        dcgm="DCGM_FI_DEV_ENFORCED_POWER_LIMIT",
    ),
    _row(
        "energy_joules_total",
        "joules",
        "Energy used since the driver was loaded.",
        "nvmlDeviceGetTotalEnergyConsumption",
        dcgm="DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
        dcgm_factor=1000.0,
    ),
    _row(
        "fan_speed_ratio",
        "ratio",
        "Fan speed, of the highest; boards without fans do not have it.",
        "nvmlDeviceGetFanSpeed",
        cadence="medium",
        dcgm="DCGM_FI_DEV_FAN_SPEED",
        dcgm_factor=100.0,
    ),
)

_CLOCKS = (
    _row(
        "clock_hertz", "hertz", "Clock of the domain (graphics, sm, memory, video).", "nvmlDeviceGetClockInfo", "domain"
    ),
    _row(
        "clock_max_hertz",
        "hertz",
        "Highest clock of the domain (graphics, sm, memory, video).",
        "nvmlDeviceGetMaxClockInfo",
        "domain",
        cadence="medium",
    ),
    _row(
        "performance_state",
        "",
        "Performance state: 0 is the fastest, 15 the slowest.",
        "nvmlDeviceGetPerformanceState",
        dcgm="DCGM_FI_DEV_PSTATE",
    ),
    _row(
        "clock_event_active",
        "",
        "Whether the reason holds the clocks down at this moment.",
        "nvmlDeviceGetCurrentClocksEventReasons",
        "reason",
        core=6,
    ),
    _row(
        "throttled_seconds_total",
        "seconds",
        "Time for which the reason has held the clocks down.",
        "nvmlDeviceGetFieldValues 74, 76, 269, 270, 271",
        "reason",
        core=6,
    ),
)

_LINKS = (
    _row(
        "pcie_transmit_bytes_total",
        "bytes",
        "Bytes that the GPU sent over PCIe; the driver's counter may wrap.",
        "nvmlDeviceGetFieldValues 197",
    ),
    _row(
        "pcie_receive_bytes_total",
        "bytes",
        "Bytes that the GPU received over PCIe; the driver's counter may wrap.",
        "nvmlDeviceGetFieldValues 198",
    ),
    _row(
        "pcie_replays_total",
        "",
        "PCIe packets that had to be sent again.",
        "nvmlDeviceGetPcieReplayCounter",
        cadence="medium",
        dcgm="DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
    ),
    _pcie_link("generation", "PCIe generation of the link now.", "nvmlDeviceGetCurrPcieLinkGeneration", "LINK_GEN"),
    _pcie_link(
        "generation_max",
        "Highest PCIe generation that GPU and slot allow.",
        "nvmlDeviceGetMaxPcieLinkGeneration",
        "MAX_LINK_GEN",
    ),
    _pcie_link("width", "PCIe lanes of the link now.", "nvmlDeviceGetCurrPcieLinkWidth", "LINK_WIDTH"),
    _pcie_link(
        "width_max", "Most PCIe lanes that GPU and slot allow.", "nvmlDeviceGetMaxPcieLinkWidth", "MAX_LINK_WIDTH"
    ),
    _row(
        "nvlink_transmit_bytes_total",
        "bytes",
        "Data that the GPU sent over all of its NVLinks.",
        "nvmlDeviceGetFieldValues 138",
    ),
    _row(
        "nvlink_receive_bytes_total",
        "bytes",
        "Data that the GPU received over all of its NVLinks.",
        "nvmlDeviceGetFieldValues 139",
    ),
)

_ERRORS = (
    _row(
        "xid_errors_total",
        "",
        "XID errors that the driver reported since the daemon started, by code.",
        "nvmlEventSetWait_v2",
        "xid",
        cadence="event",
        core=7,
    ),
    _row(
        "xid_last_timestamp_seconds",
        "seconds",
        "When the driver last reported the XID, in seconds since the epoch.",
        "nvmlEventSetWait_v2",
        "xid",
        cadence="event",
        core=7,
    ),
    _row(
        "ecc_errors_total",
        "",
        "Memory errors (corrected, uncorrected) since the driver was loaded (volatile) or ever (aggregate).",
        "nvmlDeviceGetTotalEccErrors",
        "scope",
        "type",
        cadence="medium",
        core=7,
    ),
    _row(
        "remapped_rows",
        "",
        "Memory rows that were replaced by spare ones, because of corrected or uncorrected errors.",
        "nvmlDeviceGetRemappedRows",
        "kind",
        cadence="medium",
    ),
    _row(
        "remapped_rows_pending",
        "",
        "Whether rows wait for a reset of the GPU to be replaced.",
        "nvmlDeviceGetRemappedRows",
        cadence="medium",
        dcgm="DCGM_FI_DEV_ROW_REMAP_PENDING",
    ),
    _row(
        "remapped_rows_failure",
        "",
        "Whether replacing a row has failed.",
        "nvmlDeviceGetRemappedRows",
        cadence="medium",
        dcgm="DCGM_FI_DEV_ROW_REMAP_FAILURE",
    ),
    _row(
        "recovery_action",
        "",
        "What the driver asks for: 0 nothing, 1 GPU reset, 2 reboot, 3 drain peers, 4 drain and reset, "
        "5 recover IMEX, 6 bus reset, 7 system reboot.",
        "nvmlDeviceGetFieldValues 230",
        dcgm="DCGM_FI_DEV_GET_GPU_RECOVERY_ACTION",
    ),
)

_PRESENCE = (
    _row(
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
    _row(
        "persistence_mode",
        "",
        "Whether the driver stays loaded while nobody uses the GPU.",
        "nvmlDeviceGetPersistenceMode",
        cadence="medium",
    ),
    Metric("forewarn_gpu_expected", "gauge", "", "GPUs that this node is known to have.", (), "remembered on disk"),
    Metric("forewarn_gpu_present", "gauge", "", "GPUs that answer.", (), "nvmlDeviceGetHandleByIndex"),
    _row("up", "", "Whether the GPU that the node is known to have answers.", ""),
    Metric(
        "forewarn_nvml_stuck",
        "gauge",
        "",
        "Whether a call into the GPU driver has not come back for 15 seconds or more.",
        (),
        "",
    ),
)

GPU_METRICS: tuple[Metric, ...] = (
    *_UTILIZATION,
    *_MEMORY,
    *_ACTIVITY,
    *_POWER_AND_HEAT,
    *_CLOCKS,
    *_ERRORS,
    *_LINKS,
    *_PRESENCE,
)
