"""What is asked of each GPU in calls of their own, by cadence: the call, and the metrics that its answer holds.

Sources: nvml.h for the units; the catalogue names every metric's call and says which are counters.
"""

from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any, Final

import pynvml

from collector.nvml.readings.forms import Output, Pick, Reading, bit, one, over, times

_MEGA: Final = 1e6

_MEMORY = tuple(Output(f"memory_{part}_bytes", attrgetter(part)) for part in ("used", "free", "total"))

MEMORY: Final = Reading(
    "nvmlDeviceGetMemoryInfo",
    (*_MEMORY, Output("memory_reserved_bytes", attrgetter("reserved"))),
    (pynvml.nvmlMemory_v2,),
    otherwise=Reading("nvmlDeviceGetMemoryInfo", _MEMORY),
)
"""Of a GPU, and of a slice; version 1 counts what the driver reserves as used."""

_EVENT_REASONS: Final = (
    (1, "idle"),
    (2, "application_clocks"),
    (4, "sw_power_cap"),
    (8, "hw_slowdown"),
    (16, "sync_boost"),
    (32, "sw_thermal"),
    (64, "hw_thermal"),
    (128, "hw_power_brake"),
    (256, "display_clocks"),
)
_CLOCK_EVENTS = tuple(Output("clock_event_active", bit(mask), (("reason", reason),)) for mask, reason in _EVENT_REASONS)
_CLOCK_DOMAINS: Final = ((0, "graphics"), (1, "sm"), (2, "memory"), (3, "video"))

FAST: tuple[Reading, ...] = (
    Reading(
        "nvmlDeviceGetUtilizationRates",
        (
            Output("utilization_ratio", over(100, attrgetter("gpu"))),
            Output("memory_bandwidth_utilization_ratio", over(100, attrgetter("memory"))),
        ),
    ),
    MEMORY,
    one("nvmlDeviceGetTemperature", "temperature_celsius", float, 0, labels=(("sensor", "core"),)),
    one("nvmlDeviceGetPowerUsage", "power_watts", over(1000)),
    one("nvmlDeviceGetTotalEnergyConsumption", "energy_joules_total", over(1000)),
    *(
        one("nvmlDeviceGetClockInfo", "clock_hertz", times(_MEGA), number, labels=(("domain", domain),))
        for number, domain in _CLOCK_DOMAINS
    ),
    one("nvmlDeviceGetPerformanceState", "performance_state"),
    Reading(
        "nvmlDeviceGetCurrentClocksEventReasons",
        _CLOCK_EVENTS,
        otherwise=Reading("nvmlDeviceGetCurrentClocksThrottleReasons", _CLOCK_EVENTS),
    ),
)


def _mode(call: str, mode: str) -> Reading:
    """A mode now, and whether another one waits for a reset."""
    pending: Pick = lambda answer: float(answer[0] != answer[1])  # noqa: E731  its type is worth a name
    return Reading(
        call, (Output(f"{mode}_mode", itemgetter(0)), Output("mode_change_pending", pending, (("mode", mode),)))
    )


def _ecc(error_type: int, type_name: str, counter: int, scope: str) -> Reading:
    labels = (("scope", scope), ("type", type_name))
    return one("nvmlDeviceGetTotalEccErrors", "ecc_errors_total", float, error_type, counter, labels=labels)


def _sram(scope: str, type_name: str, attribute: str) -> Output:
    return Output("sram_ecc_errors_total", attrgetter(attribute), (("scope", scope), ("type", type_name)))


_SRAM: Final = Reading(
    "nvmlDeviceGetSramEccErrorStatus",
    (
        _sram("volatile", "corrected", "volatileCor"),
        _sram("volatile", "uncorrected_parity", "volatileUncParity"),
        _sram("volatile", "uncorrected_secded", "volatileUncSecDed"),
        _sram("aggregate", "corrected", "aggregateCor"),
        _sram("aggregate", "uncorrected_parity", "aggregateUncParity"),
        _sram("aggregate", "uncorrected_secded", "aggregateUncSecDed"),
        *(
            Output("sram_ecc_uncorrected_errors_total", attrgetter(f"aggregateUncBucket{name}"), (("location", where),))
            for name, where in (
                ("L2", "l2"),
                ("Sm", "sm"),
                ("Pcie", "pcie"),
                ("Mcu", "microcontroller"),
                ("Other", "other"),
            )
        ),
        Output("sram_ecc_threshold_exceeded", attrgetter("bThresholdExceeded")),
    ),
    structure=pynvml.c_nvmlEccSramErrorStatus_v1_t,
)


def _registered(get: Callable[[Any], float]) -> Pick:
    """The number, on GPUs that belong to an NVLink fabric."""
    return lambda info: get(info) if info.state != pynvml.NVML_GPU_FABRIC_STATE_NOT_SUPPORTED else None


def _completed(info: Any) -> float | None:
    return info.status if info.state == pynvml.NVML_GPU_FABRIC_STATE_COMPLETED else None


def _condition(name: str) -> Pick:
    """Two bits of the health mask: 0 not told, 1 true, 2 false."""
    shift = getattr(pynvml, f"NVML_GPU_FABRIC_HEALTH_MASK_SHIFT_{name.upper()}")
    return lambda info: {1: 1.0, 2: 0.0}.get(info.healthMask >> shift & 3)


def _misconfigured(info: Any) -> float | None:
    told = info.healthMask >> pynvml.NVML_GPU_FABRIC_HEALTH_MASK_SHIFT_INCORRECT_CONFIGURATION & 15
    return told - 1 if told else None


_FABRIC: Final = (
    Output("fabric_state", _registered(attrgetter("state"))),
    Output("fabric_status", _completed),
    Output("fabric_degraded", _condition("degraded_bw"), (("condition", "degraded_bandwidth"),)),
    *(
        Output("fabric_degraded", _condition(name), (("condition", name),))
        for name in ("route_recovery", "route_unhealthy", "access_timeout_recovery")
    ),
    Output("fabric_misconfigured", _misconfigured),
)
_FABRIC_CALL: Final = "nvmlDeviceGetGpuFabricInfoV"

MEDIUM: tuple[Reading, ...] = (
    one("nvmlDeviceGetEnforcedPowerLimit", "power_limit_watts", over(1000)),
    one("nvmlDeviceGetMarginTemperature", "temperature_margin_celsius"),
    one("nvmlDeviceGetFanSpeed", "fan_speed_ratio", over(100)),
    one("nvmlDeviceGetEncoderUtilization", "encoder_utilization_ratio", over(100, itemgetter(0))),
    one("nvmlDeviceGetDecoderUtilization", "decoder_utilization_ratio", over(100, itemgetter(0))),
    one("nvmlDeviceGetBAR1MemoryInfo", "bar1_used_bytes", attrgetter("bar1Used")),
    one("nvmlDeviceGetPcieReplayCounter", "pcie_replays_total"),
    one("nvmlDeviceGetCurrPcieLinkGeneration", "pcie_link_generation"),
    one("nvmlDeviceGetCurrPcieLinkWidth", "pcie_link_width"),
    one("nvmlDeviceGetPersistenceMode", "persistence_mode"),
    _mode("nvmlDeviceGetMigMode", "mig"),
    _mode("nvmlDeviceGetEccMode", "ecc"),
    _ecc(0, "corrected", 0, "volatile"),
    _ecc(0, "corrected", 1, "aggregate"),
    _ecc(1, "uncorrected", 0, "volatile"),
    _ecc(1, "uncorrected", 1, "aggregate"),
    _SRAM,
    Reading(
        "nvmlDeviceGetRemappedRows",
        (
            Output("remapped_rows", itemgetter(0), (("kind", "corrected"),)),
            Output("remapped_rows", itemgetter(1), (("kind", "uncorrected"),)),
            Output("remapped_rows_pending", itemgetter(2)),
            Output("remapped_rows_failure", itemgetter(3)),
        ),
    ),
    Reading(
        _FABRIC_CALL,
        (*_FABRIC, Output("fabric_health", lambda info: info.healthSummary or None)),
        structure=pynvml.c_nvmlGpuFabricInfo_v3_t,
        otherwise=Reading(_FABRIC_CALL, _FABRIC, structure=pynvml.c_nvmlGpuFabricInfo_v2_t),
    ),
)


def _vgpu_licensed(features: Any) -> float | None:
    if not features.isGridLicenseSupported:
        return 0.0
    listed = features.gridLicensableFeatures[: features.licensableFeaturesCount]
    codes = {one.featureCode: one.featureState for one in listed}
    state = codes.get(pynvml.NVML_GRID_LICENSE_FEATURE_CODE_VGPU)
    return None if state is None else float(state > 0)


SLOW: tuple[Reading, ...] = (
    one("nvmlDeviceGetMaxPcieLinkGeneration", "pcie_link_generation_max"),
    one("nvmlDeviceGetMaxPcieLinkWidth", "pcie_link_width_max"),
    one("nvmlDeviceGetComputeMode", "compute_mode"),
    Reading("nvmlDeviceGetGridLicensableFeatures", (Output("vgpu_licensed", _vgpu_licensed),)),
    *(
        one("nvmlDeviceGetMaxClockInfo", "clock_max_hertz", times(_MEGA), number, labels=(("domain", domain),))
        for number, domain in _CLOCK_DOMAINS
    ),
    *(
        one("nvmlDeviceGetTemperatureThreshold", "temperature_limit_celsius", float, number, labels=(("action", name),))
        for number, name in enumerate(("shutdown", "slowdown", "memory_max", "gpu_max"))
    ),
    *(
        one("nvmlDeviceGetRetiredPages", "retired_pages", len, number, labels=(("cause", name),))
        for number, name in enumerate(("single_bit", "double_bit"))
    ),
    one("nvmlDeviceGetRetiredPagesPendingStatus", "retired_pages_pending"),
    Reading(
        "nvmlDeviceGetRowRemapperHistogram",
        tuple(
            Output("remapped_rows_available_banks", attrgetter(spare), (("spare", spare),))
            for spare in ("max", "high", "partial", "low", "none")
        ),
    ),
)
