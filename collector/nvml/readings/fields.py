"""Numbers that the driver gives by id: fields of nvmlDeviceGetFieldValues, and GPM's.

Source: nvml.h for ids, units and scopes. The counters begin at 0 when the driver is loaded; the store corrects for that
reset. What wraps (197 and 198, where they have 32 bits) or begins anew link by link is made whole before (counters.py).
"""

from dataclasses import replace
from typing import Final

from collector.nvml.readings.forms import Field, GpmMetric, one, times

_NANO: Final = 1e-9
_MILLI: Final = 1e-3
_KIB: Final = 1024.0
_MIB: Final = 2.0**20
_ALL_LINKS: Final = 0xFFFFFFFF


def _throttled(number: int, reason: str) -> Field:
    return Field(number, "throttled_seconds_total", (("reason", reason),), _NANO)


def _margin(number: int, action: str) -> Field:
    return Field(number, "temperature_margin_limit_celsius", (("action", action),))


def _pcie_errors(number: int, severity: str) -> Field:
    return Field(number, "pcie_errors_total", (("severity", severity),))


def _nvlink_errors(number: int, kind: str) -> Field:
    return Field(number, "nvlink_errors_total", (("kind", kind),))


def _pcie_bytes(number: int, direction: str, counter: int) -> Field:
    """Bytes; where nobody tells their rate, the driver measures it in a call that takes 20 ms, in KB/s."""
    rate = f"pcie_{direction}_bytes_per_second"
    measured = one("nvmlDeviceGetPcieThroughput", rate, times(1000), counter)
    return Field(number, f"pcie_{direction}_bytes_total", wraps=True, rate=rate, otherwise=measured)


FAST_FIELDS: tuple[Field, ...] = (
    Field(82, "temperature_celsius", (("sensor", "memory"),)),
    Field(186, "power_instant_watts", factor=_MILLI),
    _throttled(74, "sw_power_cap"),
    _throttled(76, "sync_boost"),
    _throttled(269, "sw_thermal"),
    _throttled(270, "hw_thermal"),
    _throttled(271, "hw_power_brake"),
    _pcie_bytes(197, "transmit", 0),
    _pcie_bytes(198, "receive", 1),
    Field(138, "nvlink_transmit_bytes_total", factor=_KIB, scope=_ALL_LINKS, by_link=202),
    Field(139, "nvlink_receive_bytes_total", factor=_KIB, scope=_ALL_LINKS, by_link=204),
    Field(230, "recovery_action"),
)

_EARLIER_NUMBERS: Final = {269: 251, 270: 252, 271: 253}
_EARLIER_SINCE, _EARLIER_UNTIL = (575, 0), (580, 82)
"""Drivers from 575 on, until 580.82 took it back, numbered these so (nvml.h 12.9 and 13.0.39, nvidia-ml-py 12.575.51
and 13.580.65), and gave the numbers that they have now to settings of power smoothing."""


def fast_fields(driver_version: str) -> tuple[Field, ...]:
    """The fast ones, by the numbers that a driver of this version has for them."""
    version = tuple(int(part) for part in driver_version.split(".")[:2] if part.isdigit())
    if not _EARLIER_SINCE <= version < _EARLIER_UNTIL:
        return FAST_FIELDS
    return tuple(replace(one, number=_EARLIER_NUMBERS.get(one.number, one.number)) for one in FAST_FIELDS)


MEDIUM_FIELDS: tuple[Field, ...] = (
    _throttled(75, "thermal"),
    _throttled(77, "board_limit"),
    _throttled(78, "low_utilization"),
    _throttled(79, "reliability"),
    _throttled(80, "application_clocks"),
    _throttled(81, "base_clocks"),
    _pcie_errors(173, "correctable"),
    _pcie_errors(179, "non_fatal"),
    _pcie_errors(180, "fatal"),
    _nvlink_errors(38, "crc_flit"),
    _nvlink_errors(45, "crc_data"),
    _nvlink_errors(52, "replay"),
    _nvlink_errors(59, "recovery"),
    _nvlink_errors(160, "ecc_data"),
)

SLOW_FIELDS: tuple[Field, ...] = (
    _margin(193, "shutdown"),
    _margin(194, "slowdown"),
    _margin(195, "memory_max"),
    _margin(196, "gpu_max"),
)

LINK_ERRORS: Final[dict[int, str]] = {
    161: "dl_replay",
    162: "dl_recovery",
    163: "dl_crc",
    206: "malformed_packet",
    207: "buffer_overrun",
    208: "receive",
    209: "receive_remote",
    210: "receive_general",
    211: "local_link_integrity",
    212: "transmit_discard",
    213: "link_recovery_successful",
    214: "link_recovery_failed",
    215: "link_recovery",
    219: "effective",
    221: "symbol",
}
"""Counters that every NVLink has for itself, and the kind of error they count; 161 to 163 until Hopper, the rest since
Blackwell."""

LINK_ERROR_RATIOS: Final[dict[int, str]] = {220: "effective", 222: "symbol"}
"""Bit error ratios of every NVLink, since Blackwell: the exponent in bits 0 to 7, the mantissa in bits 8 to 11."""


def bit_error_ratio(coded: float) -> float:
    """The ratio that such a number stands for: mantissa times ten to the minus exponent."""
    return (int(coded) >> 8 & 0xF) * 10.0 ** -(int(coded) & 0xFF)


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
"""What GPM tells of a GPU and of a slice alike."""

GPM_LINKS: tuple[GpmMetric, ...] = (
    GpmMetric(20, "pcie_transmit_bytes_per_second", 1 / _MIB),
    GpmMetric(21, "pcie_receive_bytes_per_second", 1 / _MIB),
    GpmMetric(61, "nvlink_transmit_bytes_per_second", 1 / _MIB),
    GpmMetric(60, "nvlink_receive_bytes_per_second", 1 / _MIB),
)
"""What GPM tells of a whole GPU only."""
