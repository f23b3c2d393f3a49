"""Which GPUs there are, and what they are."""

from dataclasses import dataclass, field
from typing import Any

from collector.nvml.codes import DRIVER_GONE, NOT_OFFERED, NvmlError
from collector.nvml.library import Nvml
from collector.series import Labels


@dataclass(slots=True)
class Device:
    """A GPU with its handle.

    Attributes:
        down: error number because of which it is out of service, or None.
    """

    gpu: str
    uuid: str
    handle: Any
    info: dict[str, str] = field(default_factory=dict)
    down: int | None = None

    @property
    def labels(self) -> Labels:
        """The labels of all of its series."""
        return (("gpu", self.gpu), ("uuid", self.uuid))


@dataclass(frozen=True, slots=True)
class Inventory:
    """The GPUs that have a handle, the indices that have none, with the error number, and the driver's version."""

    devices: tuple[Device, ...]
    failed: dict[str, int]
    driver_version: str = ""

    def frame(self) -> dict[str, Any]:
        """What the parent is told."""
        return {
            "kind": "inventory",
            "count": len(self.devices) + len(self.failed),
            "devices": [{"gpu": device.gpu, "uuid": device.uuid, **device.info} for device in self.devices],
        }


def take_inventory(nvml: Nvml) -> Inventory:
    """Ask for every GPU's handle and identity; one that does not answer does not keep the others away.

    Raises:
        NvmlError: the number of GPUs could not be had, or the driver is gone.
    """
    versions = {
        "driver_version": _text(nvml, "nvmlSystemGetDriverVersion"),
        "cuda_version": _cuda_version(nvml),
    }
    devices: list[Device] = []
    failed: dict[str, int] = {}
    for index in range(nvml.call("nvmlDeviceGetCount")):
        gpu = str(index)
        try:
            handle = nvml.call("nvmlDeviceGetHandleByIndex", index, gpu=gpu)
            uuid = nvml.call("nvmlDeviceGetUUID", handle, gpu=gpu)
            devices.append(Device(gpu, uuid, handle, {**versions, **_identity(nvml, handle, gpu)}))
        except NvmlError as error:
            if error.code in DRIVER_GONE:
                raise
            failed[gpu] = error.code
    return Inventory(tuple(devices), failed, versions["driver_version"])


def _identity(nvml: Nvml, handle: Any, gpu: str) -> dict[str, str]:
    return {
        "name": _text(nvml, "nvmlDeviceGetName", handle, gpu=gpu),
        "serial": _text(nvml, "nvmlDeviceGetSerial", handle, gpu=gpu),
        "vbios_version": _text(nvml, "nvmlDeviceGetVbiosVersion", handle, gpu=gpu),
        "pci_bus_id": _pci_bus_id(nvml, handle, gpu),
        "mig_mode": _mig_mode(nvml, handle, gpu),
    }


def _ask(nvml: Nvml, call: str, *args: Any, gpu: str = "") -> Any:
    """The answer, or None where the device does not have it."""
    try:
        return nvml.call(call, *args, gpu=gpu)
    except NvmlError as error:
        if error.code in NOT_OFFERED:
            return None
        raise


def _text(nvml: Nvml, call: str, *args: Any, gpu: str = "") -> str:
    return _ask(nvml, call, *args, gpu=gpu) or ""


def _cuda_version(nvml: Nvml) -> str:
    number = _ask(nvml, "nvmlSystemGetCudaDriverVersion")
    return f"{number // 1000}.{number % 1000 // 10}" if number else ""


def _pci_bus_id(nvml: Nvml, handle: Any, gpu: str) -> str:
    pci = _ask(nvml, "nvmlDeviceGetPciInfo", handle, gpu=gpu)
    try:
        return str(pci.busId) if pci else ""
    except UnicodeDecodeError:  # the structure decodes its text when it is read
        return ""


def _mig_mode(nvml: Nvml, handle: Any, gpu: str) -> str:
    modes = _ask(nvml, "nvmlDeviceGetMigMode", handle, gpu=gpu)
    return "" if modes is None else ("enabled" if modes[0] else "disabled")
