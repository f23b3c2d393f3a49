"""Metrics of what connects the GPUs: PCIe, NVLink, the NVLink fabric."""

from typing import Literal

from collector.catalogue.gpu_row import row
from collector.catalogue.model import Metric


def _pcie_link(name: str, text: str, call: str, cadence: Literal["medium", "slow"]) -> Metric:
    return row(f"pcie_link_{name}", "", text, call, cadence=cadence)


_PCIE = (
    row(
        "pcie_transmit_bytes_total",
        "bytes",
        "Bytes that the GPU sent over PCIe; before Hopper, what goes beyond 4 GiB between two rounds is missed.",
        "nvmlDeviceGetFieldValues 197",
    ),
    row(
        "pcie_receive_bytes_total",
        "bytes",
        "Bytes that the GPU received over PCIe; before Hopper, what goes beyond 4 GiB between two rounds is missed.",
        "nvmlDeviceGetFieldValues 198",
    ),
    row(
        "pcie_replays_total",
        "",
        "PCIe packets that had to be sent again.",
        "nvmlDeviceGetPcieReplayCounter",
        cadence="medium",
    ),
    _pcie_link("generation", "PCIe generation of the link now.", "nvmlDeviceGetCurrPcieLinkGeneration", "medium"),
    _pcie_link(
        "generation_max",
        "Highest PCIe generation that GPU and slot allow.",
        "nvmlDeviceGetMaxPcieLinkGeneration",
        "slow",
    ),
    _pcie_link("width", "PCIe lanes of the link now.", "nvmlDeviceGetCurrPcieLinkWidth", "medium"),
    _pcie_link(
        "width_max",
        "Most PCIe lanes that GPU and slot allow.",
        "nvmlDeviceGetMaxPcieLinkWidth",
        "slow",
    ),
    row(
        "pcie_transmit_bytes_per_second",
        "",
        "Bytes a second that the GPU sent over PCIe: since the last round (Hopper and newer), else in 20 ms of it.",
        "nvmlGpmMetricsGet id 20; nvmlDeviceGetPcieThroughput",
    ),
    row(
        "pcie_receive_bytes_per_second",
        "",
        "Bytes a second that the GPU received over PCIe: since the last round (Hopper and newer), else in 20 ms of it.",
        "nvmlGpmMetricsGet id 21; nvmlDeviceGetPcieThroughput",
    ),
    row(
        "pcie_errors_total",
        "",
        "PCIe errors (correctable, non_fatal, fatal) since the driver was loaded.",
        "nvmlDeviceGetFieldValues 173, 179, 180",
        "severity",
        cadence="medium",
    ),
)

_NVLINK = (
    row(
        "nvlink_transmit_bytes_total",
        "bytes",
        "Data that the GPU sent over all of its NVLinks.",
        "nvmlDeviceGetFieldValues 138, else 202 of every link",
    ),
    row(
        "nvlink_receive_bytes_total",
        "bytes",
        "Data that the GPU received over all of its NVLinks.",
        "nvmlDeviceGetFieldValues 139, else 204 of every link",
    ),
    row(
        "nvlink_transmit_bytes_per_second",
        "",
        "Bytes a second that the GPU sent over all of its NVLinks, since the last round (Hopper and newer).",
        "nvmlGpmMetricsGet id 61",
    ),
    row(
        "nvlink_receive_bytes_per_second",
        "",
        "Bytes a second that the GPU received over all of its NVLinks, since the last round (Hopper and newer).",
        "nvmlGpmMetricsGet id 60",
    ),
    row(
        "nvlink_up",
        "",
        "Whether the NVLink is active.",
        "nvmlDeviceGetNvLinkState",
        "link",
        cadence="medium",
    ),
    row(
        "nvlink_bit_error_ratio",
        "ratio",
        "Bit errors (effective, symbol) on the worst NVLink of the GPU (Blackwell and newer).",
        "nvmlDeviceGetFieldValues 220, 222 of every link",
        "kind",
        cadence="medium",
    ),
    row(
        "nvlink_errors_total",
        "",
        "Errors of the kind (such as crc_flit, replay, dl_recovery, symbol) over all NVLinks of the GPU.",
        "nvmlDeviceGetFieldValues 38, 45, 52, 59, 160; 161 to 163, 206 to 215, 219, 221 of every link",
        "kind",
        cadence="medium",
    ),
)

_FABRIC = (
    row(
        "fabric_state",
        "",
        "Registration with the NVLink fabric: 1 not started, 2 under way, 3 completed.",
        "nvmlDeviceGetGpuFabricInfoV state",
        cadence="medium",
    ),
    row(
        "fabric_status",
        "",
        "How the registration with the NVLink fabric ended, once it is completed: 0 well, else a number of nvml.h.",
        "nvmlDeviceGetGpuFabricInfoV status",
        cadence="medium",
    ),
    row(
        "fabric_health",
        "",
        "Summary of the fabric's health: 1 healthy, 2 unhealthy, 3 limited capacity.",
        "nvmlDeviceGetGpuFabricInfoV healthSummary",
        cadence="medium",
    ),
    row(
        "fabric_degraded",
        "",
        "Whether the condition holds (degraded_bandwidth, route_recovery, route_unhealthy, access_timeout_recovery).",
        "nvmlDeviceGetGpuFabricInfoV healthMask",
        "condition",
        cadence="medium",
    ),
    row(
        "fabric_misconfigured",
        "",
        "What is wrong with the fabric's configuration: 0 nothing, 1 system GUID, 2 chassis serial number, "
        "3 no partition, 4 too few NVLinks, 5 GPU firmware, 6 location, 7 state of the GPU.",
        "nvmlDeviceGetGpuFabricInfoV healthMask",
        cadence="medium",
    ),
)

LINK_METRICS: tuple[Metric, ...] = (*_PCIE, *_NVLINK, *_FABRIC)
