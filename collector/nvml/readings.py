"""What is asked of each GPU, as tables: the call, and the metrics that its answer holds.

Sources: nvml.h for the units; the catalogue names every metric's call and says which are counters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, Final

import pynvml

from collector.series import Labels

Pick = Callable[[Any], float]


@dataclass(frozen=True, slots=True)
class Output:
    """One metric of an answer: its name without ``forewarn_gpu_``, how to get it, labels beside gpu and uuid."""

    metric: str
    pick: Pick
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One call for one GPU.

    Attributes:
        call: function of nvidia-ml-py; its first argument is the GPU's handle.
        outputs: the metrics in its answer.
        args: further arguments.
        otherwise: what to ask where this is not offered.
    """

    call: str
    outputs: tuple[Output, ...]
    args: tuple[Any, ...] = ()
    otherwise: "Reading | None" = None

    @property
    def title(self) -> str:
        """Its name in the log."""
        return f"{self.call}({', '.join(map(str, self.args))})" if self.args else self.call


@dataclass(frozen=True, slots=True)
class Field:
    """A value of nvmlDeviceGetFieldValues: number, metric, labels, factor to the base unit, and its scope."""

    number: int
    metric: str
    labels: Labels = ()
    factor: float = 1.0
    scope: int = 0


def times(factor: float, pick: Pick = float) -> Pick:
    """The picked number times a constant."""
    return lambda answer: pick(answer) * factor


def over(divisor: float, pick: Pick = float) -> Pick:
    """The picked number over a constant: 94 over 100 is 0.94 to the last bit, 94 times 0.01 is not."""
    return lambda answer: pick(answer) / divisor


def bit(mask: int) -> Pick:
    """1 where the bit of the mask is set, else 0."""
    return lambda answer: float(bool(answer & mask))


def one(call: str, metric: str, pick: Pick = float, *args: Any, labels: Labels = ()) -> Reading:
    """A reading of a single metric."""
    return Reading(call, (Output(metric, pick, labels),), args)


_MEGA: Final = 1e6
_NANO: Final = 1e-9
_KIB: Final = 1024.0

_MEMORY = tuple(Output(f"memory_{part}_bytes", attrgetter(part)) for part in ("used", "free", "total"))

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
    Reading(
        "nvmlDeviceGetMemoryInfo",
        (*_MEMORY, Output("memory_reserved_bytes", attrgetter("reserved"))),
        (pynvml.nvmlMemory_v2,),
        otherwise=Reading("nvmlDeviceGetMemoryInfo", _MEMORY),
    ),
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

MEDIUM: tuple[Reading, ...] = (
    one("nvmlDeviceGetEnforcedPowerLimit", "power_limit_watts", over(1000)),
    one("nvmlDeviceGetFanSpeed", "fan_speed_ratio", over(100)),
    one("nvmlDeviceGetEncoderUtilization", "encoder_utilization_ratio", over(100, itemgetter(0))),
    one("nvmlDeviceGetDecoderUtilization", "decoder_utilization_ratio", over(100, itemgetter(0))),
    one("nvmlDeviceGetBAR1MemoryInfo", "bar1_used_bytes", attrgetter("bar1Used")),
    one("nvmlDeviceGetPcieReplayCounter", "pcie_replays_total"),
    one("nvmlDeviceGetCurrPcieLinkGeneration", "pcie_link_generation"),
    one("nvmlDeviceGetMaxPcieLinkGeneration", "pcie_link_generation_max"),
    one("nvmlDeviceGetCurrPcieLinkWidth", "pcie_link_width"),
    one("nvmlDeviceGetMaxPcieLinkWidth", "pcie_link_width_max"),
    one("nvmlDeviceGetPersistenceMode", "persistence_mode"),
    *(
        one("nvmlDeviceGetMaxClockInfo", "clock_max_hertz", times(_MEGA), number, labels=(("domain", domain),))
        for number, domain in _CLOCK_DOMAINS
    ),
    *(
        one("nvmlDeviceGetTemperatureThreshold", "temperature_limit_celsius", float, number, labels=(("action", name),))
        for number, name in ((0, "shutdown"), (1, "slowdown"))
    ),
    *(
        one(
            "nvmlDeviceGetTotalEccErrors",
            "ecc_errors_total",
            float,
            error_type,
            counter,
            labels=(("scope", scope), ("type", name)),
        )
        for error_type, name in ((0, "corrected"), (1, "uncorrected"))
        for counter, scope in ((0, "volatile"), (1, "aggregate"))
    ),
    Reading(
        "nvmlDeviceGetRemappedRows",
        (
            Output("remapped_rows", itemgetter(0), (("kind", "corrected"),)),
            Output("remapped_rows", itemgetter(1), (("kind", "uncorrected"),)),
            Output("remapped_rows_pending", itemgetter(2)),
            Output("remapped_rows_failure", itemgetter(3)),
        ),
    ),
)

_ALL_LINKS: Final = 0xFFFFFFFF

FIELDS: tuple[Field, ...] = (
    Field(82, "temperature_celsius", (("sensor", "memory"),)),
    Field(74, "throttled_seconds_total", (("reason", "sw_power_cap"),), _NANO),
    Field(76, "throttled_seconds_total", (("reason", "sync_boost"),), _NANO),
    Field(269, "throttled_seconds_total", (("reason", "sw_thermal"),), _NANO),
    Field(270, "throttled_seconds_total", (("reason", "hw_thermal"),), _NANO),
    Field(271, "throttled_seconds_total", (("reason", "hw_power_brake"),), _NANO),
    Field(197, "pcie_transmit_bytes_total"),
    Field(198, "pcie_receive_bytes_total"),
    Field(138, "nvlink_transmit_bytes_total", factor=_KIB, scope=_ALL_LINKS),
    Field(139, "nvlink_receive_bytes_total", factor=_KIB, scope=_ALL_LINKS),
    Field(230, "recovery_action"),
)


@dataclass(frozen=True, slots=True)
class GpmMetric:
    """A number of GPM: its id, the metric, and what it is divided by to be in the base unit."""

    number: int
    metric: str
    divisor: float = 100.0


GPM: tuple[GpmMetric, ...] = (
    GpmMetric(1, "graphics_activity_ratio"),
    GpmMetric(2, "sm_activity_ratio"),
    GpmMetric(3, "sm_occupancy_ratio"),
    GpmMetric(4, "integer_activity_ratio"),
    GpmMetric(5, "tensor_activity_ratio"),
    GpmMetric(10, "dram_activity_ratio"),
    GpmMetric(11, "fp64_activity_ratio"),
    GpmMetric(12, "fp32_activity_ratio"),
    GpmMetric(13, "fp16_activity_ratio"),
)
