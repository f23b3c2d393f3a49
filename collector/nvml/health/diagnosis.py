"""What may be wrong with a node's GPUs: the condition, what it means, what to do next.

One table for everything that speaks of it: the log, ``forewarn status``, /metrics, alert texts and the docs.
"""

from dataclasses import dataclass
from typing import Final, Literal

DiagnosisSeverity = Literal["critical", "warning", "hint"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A row of the table.

    Attributes:
        condition: value of the label ``condition``.
        severity: critical and warning make ``forewarn status`` unhealthy; a hint does not.
        alert: the shipped rule that tells of it, empty where none does.
        meaning: what is the matter, as a sentence without its full stop.
        next_step: what to do.
    """

    condition: str
    severity: DiagnosisSeverity
    alert: str
    meaning: str
    next_step: str

    @property
    def text(self) -> str:
        """Meaning and next step in one line."""
        return f"{self.meaning}: {self.next_step}"


_ROWS: Final = (
    Diagnosis(
        "driver_stuck",
        "critical",
        "GpuDriverStuck",
        "a call into the GPU driver does not come back",
        "Nothing is known of the GPUs since, and work on this node is likely to hang. See the kernel's log for XID 119 "
        "or 120; drain the node and reboot it. Forewarn waits for the call and never kills it: that can freeze a GPU.",
    ),
    Diagnosis(
        "driver_slow",
        "warning",
        "GpuDriverSlow",
        "calls into the GPU driver take many seconds, again and again",
        "Readings of all GPUs have gaps meanwhile, and a GPU or the driver may be about to hang: see forewarn status "
        "for the GPU, the kernel's log for XIDs of it, and whether persistence mode is on.",
    ),
    Diagnosis(
        "gpu_lost",
        "critical",
        "GpuLost",
        "a GPU has fallen off the bus",
        "See the kernel's log for XID 79. Drain the node and power-cycle it; reseat the GPU if it comes back.",
    ),
    Diagnosis(
        "gpu_missing",
        "critical",
        "GpuLost",
        "a GPU that this node had is not listed by the driver",
        "Look for it with lspci -d 10de: and in the kernel's log. If it was taken out for good: "
        "forewarn nvml forget --missing.",
    ),
    Diagnosis(
        "gpu_reset_required",
        "critical",
        "GpuLost",
        "a GPU answers that it must be reset",
        "Drain it, forewarn nvml pause, nvidia-smi --gpu-reset -i INDEX, forewarn nvml resume.",
    ),
    Diagnosis(
        "gpu_error",
        "critical",
        "GpuLost",
        "a GPU answers every question with an error",
        "The log has the error's number. See the kernel's log for XIDs; drain the GPU and reset it.",
    ),
    Diagnosis(
        "container_lost_gpus",
        "critical",
        "GpuDriverUnusable",
        "this container has lost its access to the GPUs (error 999), as after systemctl daemon-reload on the host",
        "The container must be recreated, a restart of what runs in it does not help; every other container of the "
        "host may have lost them too, one that holds the bundled worker included. To prevent it, run Forewarn on the "
        "host, or create containers with --device=/dev/nvidiactl --device=/dev/nvidia0 and so on.",
    ),
    Diagnosis(
        "driver_unknown_error",
        "critical",
        "GpuDriverUnusable",
        "the driver answers with its unknown error (999)",
        "See the kernel's log for lines of NVRM. Where this is a container after all, recreate it; else reload the "
        "module or reboot.",
    ),
    Diagnosis(
        "driver_mismatch",
        "critical",
        "GpuDriverUnusable",
        "the driver's library and the loaded kernel module are of different versions, as after an upgrade",
        "Reboot, or stop everything that uses the GPUs and reload the module. Programs that are started now find no "
        "GPU; to prevent it, keep unattended upgrades away from the driver's packages.",
    ),
    Diagnosis(
        "driver_not_loaded",
        "critical",
        "GpuDriverUnusable",
        "the NVIDIA kernel module is not loaded",
        "modprobe nvidia; where that fails, the kernel's log says why (a module built for another kernel, Secure Boot, "
        "nouveau holding the GPU).",
    ),
    Diagnosis(
        "driver_not_installed",
        "warning",
        "GpuDriverMissing",
        "this node has an NVIDIA GPU, but no driver for it is installed",
        "Install the driver. Where the GPU is not to be watched, set [collector.nvml] enabled = false.",
    ),
    Diagnosis(
        "library_missing",
        "critical",
        "GpuDriverUnusable",
        "the kernel module is loaded, but its library libnvidia-ml.so.1 is not found",
        "Install the driver's user-space packages; in a container, ask for them with "
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility.",
    ),
    Diagnosis(
        "no_permission",
        "critical",
        "GpuDriverUnusable",
        "the driver refuses this process",
        "Let the daemon's user read and write /dev/nvidiactl and /dev/nvidia*: see their group, and DeviceAllow in "
        "the unit. Where the module was loaded after Forewarn was started: systemctl restart forewarn.",
    ),
    Diagnosis(
        "driver_error",
        "critical",
        "GpuDriverUnusable",
        "the driver answers with an error that Forewarn has no name for",
        "See nvidia-smi and the kernel's log.",
    ),
    Diagnosis(
        "recovery_needed",
        "warning",
        "GpuNeedsRecovery",
        "the driver asks for a recovery of a GPU",
        "Drain what it needs drained and do as it asks; forewarn nvml pause lets go of the GPU meanwhile, "
        "nvidia-smi --gpu-reset -i INDEX resets it, forewarn nvml resume goes on.",
    ),
    Diagnosis(
        "row_remap_failed",
        "critical",
        "GpuRowRemapFailed",
        "a GPU has no spare rows left for its broken memory",
        "Take it out of service and have it replaced.",
    ),
    Diagnosis(
        "nvlink_down",
        "critical",
        "GpuNvlinkDown",
        "an NVLink of a GPU that was up is down",
        "Work over several GPUs fails, hangs or is slow. forewarn status names the link. See the kernel's log for "
        "XID 74 or 144 to 155; drain the node and reset its GPUs. If it stays down: bridge, cable, switch. "
        "If it was taken out on purpose, restart Forewarn, which then expects what is up at its start.",
    ),
    Diagnosis(
        "fabric_unhealthy",
        "critical",
        "GpuFabricUnhealthy",
        "the NVLink fabric is unhealthy",
        "Work over several GPUs fails or hangs. See the log of nvidia-fabricmanager and forewarn_gpu_fabric_degraded; "
        "drain the node, restart the fabric manager and reset the GPUs.",
    ),
    Diagnosis(
        "fabric_limited",
        "warning",
        "GpuFabricLimited",
        "the NVLink fabric works with less than its capacity",
        "Work over several GPUs is slower. See the log of nvidia-fabricmanager and forewarn_gpu_fabric_degraded.",
    ),
    Diagnosis(
        "fabric_misconfigured",
        "warning",
        "GpuFabricMisconfigured",
        "the NVLink fabric is wrongly configured for a GPU",
        "Jobs over several GPUs fail or do not see it. See the log of nvidia-fabricmanager, or ask whoever "
        "partitions the rack.",
    ),
    Diagnosis(
        "sram_errors",
        "warning",
        "GpuSramErrors",
        "the memory inside a GPU's chip has had more uncorrectable errors than its vendor tolerates",
        "Drain the GPU and run the vendor's field diagnostics; it is a case for replacement.",
    ),
    Diagnosis(
        "row_remap_pending",
        "hint",
        "",
        "a GPU has found a spare for broken memory, which takes over at its next reset",
        "Reset the GPU when its work allows it.",
    ),
    Diagnosis(
        "process_list_invalid",
        "hint",
        "",
        "the driver's list of processes names some that cannot be",
        "They are left out. Drivers around 535 scramble the list for older libraries: update driver or nvidia-ml-py.",
    ),
    Diagnosis(
        "dead_process_memory",
        "warning",
        "GpuMemoryHeldByDeadProcess",
        "GPU memory is held by processes that no longer exist",
        "See fuser -v /dev/nvidia* for a child that still holds it; where there is none, reset the GPU.",
    ),
    Diagnosis(
        "process_idle",
        "hint",
        "",
        "a process holds GPU memory and has run nothing on the GPU for a day",
        "Ask its owner whether it is still needed: forewarn nvml processes names user, unit and container.",
    ),
    Diagnosis(
        "persistence_off",
        "hint",
        "",
        "persistence mode is off: without a program on the GPU the driver unloads, and the next call takes seconds",
        "Run nvidia-persistenced, or nvidia-smi -pm 1.",
    ),
)

RECOVERY_ACTIONS: Final = {
    1: "reset the GPU",
    2: "reboot the node",
    3: "drain its peers",
    4: "drain its peers and reset the GPU",
    5: "recover IMEX",
    6: "reset the bus",
    7: "reboot the system",
}
"""What the driver asks for, by the number of field 230 (nvml.h, nvmlDeviceGpuRecoveryAction_t)."""

FABRIC_FAULTS: Final = {
    1: "wrong system GUID",
    2: "wrong chassis serial number",
    3: "no partition",
    4: "too few NVLinks",
    5: "incompatible GPU firmware",
    6: "wrong location",
    7: "invalid state of the GPU",
}
"""What is wrong with the fabric's configuration, by the number of forewarn_gpu_fabric_misconfigured."""

DIAGNOSES: Final[dict[str, Diagnosis]] = {row.condition: row for row in _ROWS}
"""The table, by condition."""
