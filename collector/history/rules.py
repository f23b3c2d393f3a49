"""Which series of other exporters become which of ours, as tables.

Names: DCGM's from :mod:`collector.dcgm`, node_exporter's from the catalogue (``Metric.node_exporter``), those of
nvidia_gpu_exporter 1.14 from its recorded pages (``nvidia_smi_*``), and our own, where a Prometheus scraped us.
The names of inference servers are those of :mod:`collector.adapters`.
"""

import os
from dataclasses import dataclass
from typing import Final

from collector.catalogue import CATALOGUE, Metric, metric_of_sample
from collector.dcgm import FIELDS, Field
from collector.series import Labels

G: Final = "forewarn_gpu_"
_SMI: Final = "nvidia_smi_"
_PROCESSES: Final = "forewarn_gpu_process"
_OURS: Final = ("forewarn_gpu_", "forewarn_mig_", "forewarn_node_", "forewarn_network_", "forewarn_inference_")


@dataclass(frozen=True, slots=True)
class Rule:
    """A series of theirs that is one of ours.

    Attributes:
        source: their name.
        target: our name.
        labels: labels of ours that their name stands for.
        keep: labels that both have under the same name.
        times: our value is theirs times this ...
        over: ... over this; two numbers, so that 94 % is 0.94 to the last bit.
        rank: of several names with values at one time the lowest counts.
    """

    source: str
    target: str
    labels: Labels = ()
    keep: tuple[str, ...] = ()
    times: float = 1.0
    over: float = 1.0
    rank: int = 0

    @property
    def of_gpu(self) -> bool:
        """Whether the series is of one whole GPU."""
        metric = metric_of_sample(self.target)
        return metric is not None and metric.name.startswith(G) and "uuid" in metric.labels


@dataclass(frozen=True, slots=True)
class Derived:
    """A series of ours that the server can compute.

    Attributes:
        source: the name that it is computed from.
        target: our name.
        expression: PromQL; ``$selector`` (conditions), ``$window`` and ``$rate`` (durations with at least one, and at
            least two samples in them) are filled in.
        keep: labels of the answer that are labels of ours.
    """

    source: str
    target: str
    expression: str
    keep: tuple[str, ...] = ()


NO_COUNTERPART: Final[dict[str, str]] = {
    "DCGM_FI_DEV_XID_ERRORS": "it holds the last code only, and does not tell how often",
    "DCGM_FI_DEV_XID_ERROR": "it holds the last code only, and does not tell how often",
    **dict.fromkeys(
        [name for field in FIELDS if not field.metric for name in field.names], "it is a rate, ours is a counter"
    ),
}
"""Why a name that people look for is left out."""


def _of_dcgm(field: Field, name: str, rank: int) -> Rule:
    up, down = (1.0, field.factor) if field.factor >= 1 else (round(1 / field.factor), 1.0)
    return Rule(name, field.metric, field.labels, times=up, over=down, rank=rank)


def _smi(source: str, target: str, *keep: str, rank: int = 2, **labels: str) -> Rule:
    return Rule(_SMI + source, G + target, tuple(sorted(labels.items())), keep, rank=rank)


_DCGM = tuple(_of_dcgm(field, name, rank) for field in FIELDS if field.metric for rank, name in enumerate(field.names))

_REASONS: Final = (
    ("gpu_idle", "idle"),
    ("applications_clocks_setting", "application_clocks"),
    ("sw_power_cap", "sw_power_cap"),
    ("hw_slowdown", "hw_slowdown"),
    ("sync_boost", "sync_boost"),
    ("sw_thermal_slowdown", "sw_thermal"),
    ("hw_thermal_slowdown", "hw_thermal"),
    ("hw_power_brake_slowdown", "hw_power_brake"),
)
_THROTTLED: Final = (
    "sw_power_cap",
    "sync_boost",
    "sw_thermal_slowdown",
    "hw_thermal_slowdown",
    "hw_power_brake_slowdown",
)
_BY_REASON = dict(_REASONS)

_NVIDIA_SMI = (
    _smi("utilization_gpu_ratio", "utilization_ratio"),
    _smi("utilization_memory_ratio", "memory_bandwidth_utilization_ratio"),
    _smi("utilization_encoder_ratio", "encoder_utilization_ratio"),
    _smi("utilization_decoder_ratio", "decoder_utilization_ratio"),
    *(_smi(f"memory_{part}_bytes", f"memory_{part}_bytes") for part in ("used", "free", "reserved", "total")),
    _smi("temperature_gpu", "temperature_celsius", sensor="core"),
    _smi("temperature_memory", "temperature_celsius", sensor="memory"),
    _smi("power_draw_watts", "power_watts"),
    _smi("enforced_power_limit_watts", "power_limit_watts"),
    _smi("energy_joules_total", "energy_joules_total"),
    _smi("fan_speed_ratio", "fan_speed_ratio"),
    *(
        _smi(f"clocks_{theirs}_{domain}_clock_hz", ours, domain=domain)
        for theirs, ours in (("current", "clock_hertz"), ("max", "clock_max_hertz"))
        for domain in ("graphics", "sm", "memory", "video")
    ),
    _smi("pstate", "performance_state"),
    *(
        _smi(f"clocks_{word}_reasons_{theirs}", "clock_event_active", rank=2 + rank, reason=ours)
        for rank, word in enumerate(("event", "throttle"))
        for theirs, ours in _REASONS
    ),
    *(
        _smi(f"clocks_event_reasons_counters_{theirs}_seconds", "throttled_seconds_total", reason=_BY_REASON[theirs])
        for theirs in _THROTTLED
    ),
    *(
        _smi(f"ecc_errors_{kind}_{scope}_total", "ecc_errors_total", type=kind, scope=scope)
        for kind in ("corrected", "uncorrected")
        for scope in ("volatile", "aggregate")
    ),
    _smi("remapped_rows_correctable", "remapped_rows", kind="corrected"),
    _smi("remapped_rows_uncorrectable", "remapped_rows", kind="uncorrected"),
    _smi("remapped_rows_pending", "remapped_rows_pending"),
    _smi("remapped_rows_failure", "remapped_rows_failure"),
    _smi("gpu_recovery_action", "recovery_action"),
    _smi("pcie_link_gen_current", "pcie_link_generation"),
    _smi("pcie_link_gen_max", "pcie_link_generation_max"),
    _smi("pcie_link_width_current", "pcie_link_width"),
    _smi("pcie_link_width_max", "pcie_link_width_max"),
    *(
        _smi(f"pcie_throughput_{theirs}_bytes_per_second", f"pcie_{ours}_bytes_per_second")
        for theirs, ours in (("tx", "transmit"), ("rx", "receive"))
    ),
    *(
        _smi(f"remapped_rows_histogram_{spare}", "remapped_rows_available_banks", spare=spare)
        for spare in ("max", "high", "partial", "low", "none")
    ),
    _smi("temperature_gpu_tlimit", "temperature_margin_celsius"),
    _smi("power_draw_instant_watts", "power_instant_watts"),
    _smi("persistence_mode", "persistence_mode"),
    _smi("ecc_mode_current", "ecc_mode"),
    _smi("mig_mode_current", "mig_mode"),
    _smi("xid_errors_total", "xid_errors_total", "xid"),
    _smi("xid_last_timestamp_seconds", "xid_last_timestamp_seconds", "xid"),
)

_PAGE_BYTES: Final = float(os.sysconf("SC_PAGE_SIZE"))
_PAGES: Final = ("node_vmstat_pswpin", "node_vmstat_pswpout")
_BY_CPU: Final = ("softnet_dropped_total", "softnet_times_squeezed_total")
_DIFFERENT: Final = (
    *("node_cpu_seconds_total", "node_hwmon_temp_celsius", "node_hwmon_temp_crit_celsius"),
    *(f"node_{name}" for name in _BY_CPU),
)
"""Names that need more than their labels: summed up by ``DERIVED``, or with labels of another meaning."""


def _of_node_exporter(metric: Metric) -> tuple[Rule, ...]:
    """A metric's rules: one, or one for each resource that its name stands for."""
    source = metric.node_exporter or ""
    if not source or source in _DIFFERENT or metric.name.endswith("_info"):
        return ()
    if "{resource}" in source:
        found = (("resource", resource) for resource in ("cpu", "memory", "io"))
        return tuple(Rule(source.format(resource=name), metric.name, ((label, name),)) for label, name in found)
    times = _PAGE_BYTES if source in _PAGES else 1.0
    return (Rule(source, metric.name, keep=metric.labels, times=times),)


_NODE_EXPORTER = tuple(rule for metric in CATALOGUE.values() for rule in _of_node_exporter(metric))

_FOREWARN = tuple(
    Rule(name, name, keep=(*metric.labels, *(("le",) if name.endswith("_bucket") else ())), rank=-1)
    for metric in CATALOGUE.values()
    if metric.name.startswith(_OURS) and not metric.name.endswith("_info") and not metric.name.startswith(_PROCESSES)
    for name in metric.sample_names
)

RULES: Final = (*_DCGM, *_NVIDIA_SMI, *_NODE_EXPORTER, *_FOREWARN)

_CPU: Final = "node_cpu_seconds_total"
DERIVED: Final = (
    Derived(
        _CPU,
        "forewarn_node_cpu_utilization_ratio",
        'max(1 - sum without (cpu, mode) (rate(node_cpu_seconds_total{mode=~"idle|iowait",$selector}[$rate]))'
        " / sum without (cpu, mode) (rate(node_cpu_seconds_total{$selector}[$rate])))",
    ),
    Derived(
        _CPU,
        "forewarn_node_cpus",
        'max(count without (cpu, mode) (last_over_time(node_cpu_seconds_total{mode="idle",$selector}[$window])))',
    ),
    Derived(
        _CPU,
        "forewarn_node_cpu_seconds_total",
        "max by (mode) (sum without (cpu) (last_over_time(node_cpu_seconds_total{$selector}[$window])))",
        ("mode",),
    ),
    Derived(
        "node_disk_io_time_seconds_total",
        "forewarn_node_disk_utilization_ratio",
        "clamp_max(max by (device) (rate(node_disk_io_time_seconds_total{$selector}[$rate])), 1)",
        ("device",),
    ),
    *(
        Derived(
            f"node_{name}",
            f"forewarn_node_{name}",
            f"max(sum without (cpu) (last_over_time(node_{name}{{$selector}}[$window])))",
        )
        for name in _BY_CPU
    ),
)
"""Those whose target the catalogue does not have are not used."""
