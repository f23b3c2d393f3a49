"""Which of our metrics is which DCGM field, as data: read forwards for the page, backwards for recorded history.

The default fields are those of etc/default-counters.csv in dcgm-exporter 4.5.3-4.8.2; the newer names are those of
DCGM 4.6.0 (dcgmlib/dcgm_fields.h), which changed the names, not the values. Types and units are those of
dcgmlib/src/dcgm_fields.cpp, ``DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL`` as DcgmCacheManager computes it.
"""

from dataclasses import dataclass
from typing import Final, Literal

from collector.series import Labels

Form = Literal["whole", "floor", "real"]
"""How a value is written: rounded to a whole number, cut down to one, or with six decimals."""

XID_ERRORS: Final = "DCGM_FI_DEV_XID_ERRORS"
"""A gauge that holds the last code, 0 before the first: it never goes back, and misses all but the last."""

_MIB: Final = 1 / 1048576
_MEGA: Final = 1e-6
_NVLINK_UNIT: Final = 1 / 1024 / 1000  # thousands of KiB


@dataclass(frozen=True, slots=True)
class Field:
    """A field of DCGM.

    Attributes:
        name: as dcgm-exporter has always called it.
        metric: our metric that is its value, empty where there is none.
        labels: which series of it, beside those that name the GPU.
        factor: its value is ours times this.
        growth_of: counters whose growth a second, added up, is the value where the metric is not there.
        form: how the value is written.
        newer: its name since DCGM 4.6.0, where it was renamed.
        default: whether dcgm-exporter shows it unless told otherwise.
    """

    name: str
    metric: str
    labels: Labels = ()
    factor: float = 1.0
    growth_of: tuple[str, ...] = ()
    form: Form = "whole"
    newer: str = ""
    default: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every name under which it was ever recorded, the newest first."""
        return (self.newer, self.name) if self.newer else (self.name,)


def _field(
    name: str,
    metric: str,
    *,
    factor: float = 1.0,
    growth_of: tuple[str, ...] = (),
    form: Form = "whole",
    newer: str = "",
    default: bool = False,
    **labels: str,
) -> Field:
    """A field by the parts of the names that tell: ``DEV_GPU_UTIL`` and ``utilization_ratio``."""
    return Field(
        f"DCGM_FI_{name}",
        f"forewarn_gpu_{metric}" if metric else "",
        tuple(sorted(labels.items())),
        factor,
        tuple(f"forewarn_gpu_{each}" for each in growth_of),
        form,
        f"DCGM_FI_{newer}" if newer else "",
        default,
    )


def _violation(name: str, reason: str) -> Field:
    return _field(f"DEV_{name}_VIOLATION", "throttled_seconds_total", reason=reason, factor=1e9)


def _link_errors(name: str) -> Field:
    return _field(
        f"DEV_NVLINK_{name}_ERROR_COUNT_TOTAL",
        "nvlink_errors_total",
        kind=name.lower(),
        newer=f"DEV_NVLINK_{name}_ERROR_TOTAL",
    )


FIELDS: Final[tuple[Field, ...]] = (
    _field("DEV_SM_CLOCK", "clock_hertz", domain="sm", factor=_MEGA, default=True),
    _field("DEV_MEM_CLOCK", "clock_hertz", domain="memory", factor=_MEGA, default=True),
    _field("DEV_VIDEO_CLOCK", "clock_hertz", domain="video", factor=_MEGA),
    _field("DEV_MAX_SM_CLOCK", "clock_max_hertz", domain="sm", factor=_MEGA),
    _field("DEV_MAX_MEM_CLOCK", "clock_max_hertz", domain="memory", factor=_MEGA),
    _field("DEV_MAX_VIDEO_CLOCK", "clock_max_hertz", domain="video", factor=_MEGA),
    _field("DEV_MEMORY_TEMP", "temperature_celsius", sensor="memory", newer="DEV_MEMORY_TEMP_CELSIUS", default=True),
    _field("DEV_GPU_TEMP", "temperature_celsius", sensor="core", newer="DEV_GPU_TEMP_CELSIUS", default=True),
    _field(
        "DEV_SLOWDOWN_TEMP",
        "temperature_limit_celsius",
        action="slowdown",
        newer="DEV_GPU_TEMP_SLOWDOWN_CELSIUS",
    ),
    _field(
        "DEV_SHUTDOWN_TEMP",
        "temperature_limit_celsius",
        action="shutdown",
        newer="DEV_GPU_TEMP_SHUTDOWN_CELSIUS",
    ),
    _field("DEV_GPU_TEMP_LIMIT", "temperature_margin_celsius", newer="DEV_GPU_TEMP_MARGIN_CELSIUS"),
    _field("DEV_POWER_USAGE", "power_watts", form="real", newer="DEV_BOARD_POWER_WATTS", default=True),
    _field("DEV_POWER_USAGE_INSTANT", "power_instant_watts", form="real", newer="DEV_BOARD_POWER_RAW_WATTS"),
    _field(
        "DEV_ENFORCED_POWER_LIMIT",
        "power_limit_watts",
        form="real",
        newer="DEV_BOARD_POWER_LIMIT_ENFORCED_WATTS",
    ),
    _field("DEV_TOTAL_ENERGY_CONSUMPTION", "energy_joules_total", factor=1000.0, default=True),
    _field("DEV_PCIE_REPLAY_COUNTER", "pcie_replays_total", newer="DEV_PCIE_REPLAY_TOTAL", default=True),
    _field("DEV_PCIE_LINK_GEN", "pcie_link_generation"),
    _field("DEV_PCIE_LINK_WIDTH", "pcie_link_width"),
    _field("DEV_PCIE_MAX_LINK_GEN", "pcie_link_generation_max"),
    _field("DEV_PCIE_MAX_LINK_WIDTH", "pcie_link_width_max"),
    _field("DEV_GPU_UTIL", "utilization_ratio", factor=100.0, newer="DEV_GPU_UTIL_RATIO", default=True),
    _field("DEV_MEM_COPY_UTIL", "memory_bandwidth_utilization_ratio", factor=100.0, default=True),
    _field("DEV_ENC_UTIL", "encoder_utilization_ratio", factor=100.0, default=True),
    _field("DEV_DEC_UTIL", "decoder_utilization_ratio", factor=100.0, default=True),
    _field("DEV_FAN_SPEED", "fan_speed_ratio", factor=100.0),
    _field("DEV_PSTATE", "performance_state", newer="DEV_GPU_PSTATE"),
    _field("DEV_FB_FREE", "memory_free_bytes", factor=_MIB, form="floor", default=True),
    _field("DEV_FB_USED", "memory_used_bytes", factor=_MIB, form="floor", default=True),
    _field("DEV_FB_RESERVED", "memory_reserved_bytes", factor=_MIB, form="floor", default=True),
    _field("DEV_FB_TOTAL", "memory_total_bytes", factor=_MIB, form="floor"),
    _field("DEV_BAR1_USED", "bar1_used_bytes", factor=_MIB, form="floor"),
    _field(
        "DEV_NVLINK_BANDWIDTH_TOTAL",
        "",
        factor=_NVLINK_UNIT,
        growth_of=("nvlink_transmit_bytes_total", "nvlink_receive_bytes_total"),
        form="floor",
        newer="DEV_NVLINK_THROUGHPUT_TOTAL",
        default=True,
    ),
    _field("DEV_ECC_SBE_VOL_TOTAL", "ecc_errors_total", type="corrected", scope="volatile"),
    _field("DEV_ECC_DBE_VOL_TOTAL", "ecc_errors_total", type="uncorrected", scope="volatile"),
    _field("DEV_ECC_SBE_AGG_TOTAL", "ecc_errors_total", type="corrected", scope="aggregate"),
    _field("DEV_ECC_DBE_AGG_TOTAL", "ecc_errors_total", type="uncorrected", scope="aggregate"),
    _field(
        "DEV_UNCORRECTABLE_REMAPPED_ROWS",
        "remapped_rows",
        kind="uncorrected",
        newer="DEV_ROW_REMAP_UNCORRECTABLE_TOTAL",
        default=True,
    ),
    _field(
        "DEV_CORRECTABLE_REMAPPED_ROWS",
        "remapped_rows",
        kind="corrected",
        newer="DEV_ROW_REMAP_CORRECTABLE_TOTAL",
        default=True,
    ),
    _field("DEV_ROW_REMAP_FAILURE", "remapped_rows_failure", newer="DEV_ROW_REMAP_FAILED", default=True),
    _field("DEV_ROW_REMAP_PENDING", "remapped_rows_pending"),
    _field("DEV_VGPU_LICENSE_STATUS", "vgpu_licensed", default=True),
    *(
        _field(
            f"DEV_BANKS_REMAP_ROWS_AVAIL_{spare.upper()}",
            "remapped_rows_available_banks",
            spare=spare,
            newer=f"DEV_BANK_REMAP_AVAIL_{spare.upper()}",
        )
        for spare in ("max", "high", "partial", "low", "none")
    ),
    _field("DEV_RETIRED_SBE", "retired_pages", cause="single_bit", newer="DEV_PAGE_RETIRED_SBE_TOTAL"),
    _field("DEV_RETIRED_DBE", "retired_pages", cause="double_bit", newer="DEV_PAGE_RETIRED_DBE_TOTAL"),
    _field("DEV_RETIRED_PENDING", "retired_pages_pending", newer="DEV_PAGE_RETIRED_PENDING"),
    _violation("POWER", "sw_power_cap"),
    _violation("THERMAL", "thermal"),
    _violation("SYNC_BOOST", "sync_boost"),
    _violation("BOARD_LIMIT", "board_limit"),
    _violation("LOW_UTIL", "low_utilization"),
    _violation("RELIABILITY", "reliability"),
    _violation("TOTAL_APP_CLOCKS", "application_clocks"),
    _violation("TOTAL_BASE_CLOCKS", "base_clocks"),
    _link_errors("CRC_FLIT"),
    _link_errors("CRC_DATA"),
    _link_errors("REPLAY"),
    _link_errors("RECOVERY"),
    _field("DEV_ECC_CURRENT", "ecc_mode", newer="DEV_ECC_MODE"),
    _field("DEV_MIG_MODE", "mig_mode"),
    _field("DEV_PERSISTENCE_MODE", "persistence_mode", newer="DEV_GPU_PERSISTENCE_MODE"),
    _field("DEV_GET_GPU_RECOVERY_ACTION", "recovery_action", newer="DEV_GPU_RECOVERY_ACTION"),
    _field(
        "PROF_GR_ENGINE_ACTIVE",
        "graphics_activity_ratio",
        form="real",
        newer="PROF_GR_ENGINE_UTIL_RATIO",
        default=True,
    ),
    _field("PROF_SM_ACTIVE", "sm_activity_ratio", form="real", newer="PROF_SM_UTIL_RATIO"),
    _field("PROF_SM_OCCUPANCY", "sm_occupancy_ratio", form="real", newer="PROF_SM_OCCUPANCY_RATIO"),
    _field(
        "PROF_PIPE_TENSOR_ACTIVE",
        "tensor_activity_ratio",
        form="real",
        newer="PROF_TENSOR_UTIL_RATIO",
        default=True,
    ),
    _field("PROF_DRAM_ACTIVE", "dram_activity_ratio", form="real", newer="PROF_DRAM_UTIL_RATIO", default=True),
    _field("PROF_PIPE_FP64_ACTIVE", "fp64_activity_ratio", form="real", newer="PROF_FP64_UTIL_RATIO"),
    _field("PROF_PIPE_FP32_ACTIVE", "fp32_activity_ratio", form="real", newer="PROF_FP32_UTIL_RATIO"),
    _field("PROF_PIPE_FP16_ACTIVE", "fp16_activity_ratio", form="real", newer="PROF_FP16_UTIL_RATIO"),
    _field("PROF_PIPE_INT_ACTIVE", "integer_activity_ratio", form="real", newer="PROF_INT_UTIL_RATIO"),
    _field(
        "PROF_PCIE_TX_BYTES",
        "pcie_transmit_bytes_per_second",
        growth_of=("pcie_transmit_bytes_total",),
        form="floor",
        default=True,
    ),
    _field(
        "PROF_PCIE_RX_BYTES",
        "pcie_receive_bytes_per_second",
        growth_of=("pcie_receive_bytes_total",),
        form="floor",
        default=True,
    ),
    _field("PROF_NVLINK_TX_BYTES", "nvlink_transmit_bytes_per_second", form="floor"),
    _field("PROF_NVLINK_RX_BYTES", "nvlink_receive_bytes_per_second", form="floor"),
)
