"""Why there is no GPU to read: what an error number of the driver means on this machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from collector.nvml.codes import (
    DRIVER_NOT_LOADED,
    GPU_IS_LOST,
    LIBRARY_NOT_FOUND,
    NO_PERMISSION,
    UNKNOWN,
    VERSION_MISMATCH,
    code_name,
)
from collector.nvml.health.diagnosis import DIAGNOSES
from collector.nvml.health.surroundings import Surroundings

WITHOUT_GPUS: Final = {
    "no_gpu": "NVML sees no GPU on this node",
    "no_library": "no NVIDIA driver is installed, or its libnvidia-ml.so.1 is not where the loader looks",
    "no_driver": "the NVIDIA kernel module is not loaded, and there is no NVIDIA GPU on the PCI bus",
}
"""Reasons that are no trouble on a node that never had a GPU."""

MISSED: Final = {"no_library": "driver_not_installed", "no_driver": "driver_not_loaded"}
"""The condition that such a reason is on a node that is known to have GPUs."""


class AbsentError(Exception):
    """There is no GPU to read.

    Attributes:
        code: the driver's error number, None where it has no GPU to offer.
    """

    def __init__(self, code: int | None = None) -> None:
        super().__init__("no GPU" if code is None else code_name(code))
        self.code = code


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no GPU to read.

    Attributes:
        reason: a condition of the table of diagnoses, or one of ``WITHOUT_GPUS``.
        detail: the particulars of this machine, may be empty.
    """

    reason: str
    detail: str = ""

    @property
    def hint(self) -> str:
        """What it means and what to do next."""
        return WITHOUT_GPUS[self.reason] if self.reason in WITHOUT_GPUS else DIAGNOSES[self.reason].text


def meaning_of(reason: str) -> str:
    """What a reason means, without what to do next."""
    return WITHOUT_GPUS[reason] if reason in WITHOUT_GPUS else DIAGNOSES[reason].meaning


def explain(code: int | None, machine: Surroundings) -> Absence:
    """What an error number means here; the driver is not asked."""
    if code is None:
        return Absence("no_gpu")
    judge = _BY_CODE.get(code)
    return judge(machine) if judge else Absence("driver_error", f"error {code} ({code_name(code)})")


def versions_differ(nvml: str, machine: Surroundings) -> str:
    """How the driver's parts differ in version, empty where those that are known agree.

    Args:
        nvml: the version that NVML tells, empty where it could not be asked.
        machine: knows those of the module and of the library on the disk.
    """
    module, library = machine.module_version(), machine.library_version()
    if len({version for version in (nvml, module, library) if version}) < 2:
        return ""
    parts = {"NVML answers for": nvml, "kernel module": module, "library on the disk": library}
    return ", ".join(f"{part} {version}" for part, version in parts.items() if version)


def _no_library(machine: Surroundings) -> Absence:
    version, gpus = machine.module_version(), machine.gpus_on_bus()
    if version:
        return Absence("library_missing", f"kernel module {version}")
    return Absence("driver_not_installed", _on_bus(gpus)) if gpus else Absence("no_library")


def _no_driver(machine: Surroundings) -> Absence:
    gpus = machine.gpus_on_bus()
    return Absence("driver_not_loaded", _on_bus(gpus)) if gpus else Absence("no_driver")


def _mismatch(machine: Surroundings) -> Absence:
    version = machine.module_version()
    return Absence("driver_mismatch", versions_differ("", machine) or (f"kernel module {version}" if version else ""))


def _unknown(machine: Surroundings) -> Absence:
    if machine.in_container() and machine.has_device_nodes():
        return Absence("container_lost_gpus")
    return Absence("driver_unknown_error")


def _on_bus(gpus: list[str]) -> str:
    return f"on the PCI bus: {', '.join(gpus)}"


_BY_CODE: Mapping[int, Callable[[Surroundings], Absence]] = {
    LIBRARY_NOT_FOUND: _no_library,
    DRIVER_NOT_LOADED: _no_driver,
    VERSION_MISMATCH: _mismatch,
    UNKNOWN: _unknown,
    GPU_IS_LOST: lambda _: Absence("gpu_lost", "all of them"),
    NO_PERMISSION: lambda _: Absence("no_permission"),
}
