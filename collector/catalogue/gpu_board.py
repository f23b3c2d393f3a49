"""Metrics of the GPU boards: temperature, power, clocks."""

from collector.catalogue.gpu_row import row
from collector.catalogue.model import Metric

_POWER_AND_HEAT = (
    row(
        "temperature_celsius",
        "celsius",
        "Temperature of the sensor (core, memory).",
        "nvmlDeviceGetTemperature; field 82",
        "sensor",
        core=4,
    ),
    row(
        "temperature_limit_celsius",
        "celsius",
        "Temperature at which the GPU acts: shutdown, slowdown (core), memory_max, gpu_max (highest under load).",
        "nvmlDeviceGetTemperatureThreshold",
        "action",
        cadence="slow",
    ),
    row(
        "temperature_margin_celsius",
        "celsius",
        "Degrees that the GPU is below the temperature at which it slows down.",
        "nvmlDeviceGetMarginTemperature",
        cadence="medium",
    ),
    row(
        "temperature_margin_limit_celsius",
        "celsius",
        "Margin at which the GPU acts: shutdown, slowdown, memory_max, gpu_max; below zero is beyond its limit.",
        "nvmlDeviceGetFieldValues 193, 194, 195, 196",
        "action",
        cadence="slow",
    ),
    row(
        "power_watts",
        "watts",
        "Power drawn by the board, a one-second mean on most GPUs since Ampere.",
        "nvmlDeviceGetPowerUsage",
        core=5,
    ),
    row(
        "power_instant_watts",
        "watts",
        "Power drawn by the board at this moment.",
        "nvmlDeviceGetFieldValues 186",
    ),
    row(
        "power_limit_watts",
        "watts",
        "Power limit that is enforced.",
        "nvmlDeviceGetEnforcedPowerLimit",
        cadence="medium",
        core=5,
    ),
    row(
        "energy_joules_total",
        "joules",
        "Energy used since the driver was loaded.",
        "nvmlDeviceGetTotalEnergyConsumption",
    ),
    row(
        "fan_speed_ratio",
        "ratio",
        "Fan speed, of the highest; boards without fans do not have it.",
        "nvmlDeviceGetFanSpeed",
        cadence="medium",
    ),
)

_CLOCKS = (
    row(
        "clock_hertz", "hertz", "Clock of the domain (graphics, sm, memory, video).", "nvmlDeviceGetClockInfo", "domain"
    ),
    row(
        "clock_max_hertz",
        "hertz",
        "Highest clock of the domain (graphics, sm, memory, video).",
        "nvmlDeviceGetMaxClockInfo",
        "domain",
        cadence="slow",
    ),
    row(
        "performance_state",
        "",
        "Performance state: 0 is the fastest, 15 the slowest.",
        "nvmlDeviceGetPerformanceState",
    ),
    row(
        "clock_event_active",
        "",
        "Whether the reason holds the clocks down at this moment.",
        "nvmlDeviceGetCurrentClocksEventReasons",
        "reason",
        core=6,
    ),
    row(
        "throttled_seconds_total",
        "seconds",
        "Time for which the reason has held the clocks down; thermal is software and hardware together.",
        "nvmlDeviceGetFieldValues 74 to 81, 269, 270, 271",
        "reason",
        core=6,
    ),
)

BOARD_METRICS: tuple[Metric, ...] = (*_POWER_AND_HEAT, *_CLOCKS)
