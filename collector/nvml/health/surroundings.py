"""What the file system tells of GPUs and driver without asking the driver's library. Read in the nvml child only."""

import re
from pathlib import Path
from typing import Final

_NVIDIA: Final = "0x10de"
_DISPLAY_CLASS: Final = "0x03"
_PASSED_THROUGH: Final = frozenset({"vfio-pci", "pci-stub", "xen-pciback"})
_VERSION = re.compile(r"\b(\d{3,4}\.\d+(?:\.\d+)?)\b")
_LIBRARY = re.compile(r"(/\S*/libnvidia-ml\.so\.[\d.]+)(?: \(deleted\))?$", re.MULTILINE)
_CONTAINER_FILES: Final = (
    ".dockerenv",
    "run/.containerenv",
    "run/systemd/container",
    "var/run/secrets/kubernetes.io",
)
_OWN_GROUPS: Final = "0::/"
_OVERLAY_ROOT = re.compile(r"^\d+ \d+ \S+ \S+ / .* - overlay ", re.MULTILINE)
_CONTAINER_GROUPS = re.compile(r"docker|kubepods|containerd|libpod|lxc|crio")


class Surroundings:
    """The machine as seen from a root directory (``/``; a tree of its own in tests)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def gpus_on_bus(self) -> list[str]:
        """PCI addresses of NVIDIA's display and 3D controllers, without those that are handed to virtual machines."""
        try:
            devices = sorted((self._root / "sys/bus/pci/devices").iterdir())
        except OSError:
            return []
        return [device.name for device in devices if _is_gpu(device) and _driver(device) not in _PASSED_THROUGH]

    def module_version(self) -> str:
        """Version of the kernel module that is loaded, empty where none is."""
        return _version(_text(self._root / "proc/driver/nvidia/version"))

    def library_version(self) -> str:
        """Version of the driver's library that a program which starts now would get, as far as it can be known.

        The library is named after its version, and ``libnvidia-ml.so.1`` beside it leads there.
        """
        mapped = _LIBRARY.search(_text(self._root / "proc/self/maps"))
        if mapped is None:
            return ""
        name = Path(mapped[1]).with_name("libnvidia-ml.so.1")
        return _version(name.resolve().name.removeprefix("libnvidia-ml.so."))

    def versions(self) -> tuple[str, str]:
        """Those of the module and of the library."""
        return self.module_version(), self.library_version()

    def has_device_nodes(self) -> bool:
        """Whether /dev has what the driver's library opens."""
        return any((self._root / "dev").glob("nvidia[0-9]*")) or (self._root / "dev/nvidiactl").exists()

    def in_container(self) -> bool:
        """Whether this looks like a container: by the files of its engine, by its control group, or by its root.

        In control groups of its own, a container sees itself at their root, where a host has init.scope.
        """
        if any((self._root / name).exists() for name in _CONTAINER_FILES):
            return True
        groups = _text(self._root / "proc/1/cgroup").strip()
        if groups == _OWN_GROUPS:
            return bool(_OVERLAY_ROOT.search(_text(self._root / "proc/self/mountinfo")))
        return bool(_CONTAINER_GROUPS.search(groups))


HERE: Final = Surroundings(Path("/"))
"""This machine."""


def _is_gpu(device: Path) -> bool:
    return _text(device / "vendor").strip() == _NVIDIA and _text(device / "class").startswith(_DISPLAY_CLASS)


def _driver(device: Path) -> str:
    try:
        return (device / "driver").readlink().name
    except OSError:
        return ""


def _version(text: str) -> str:
    found = _VERSION.search(text)
    return found[1] if found else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
