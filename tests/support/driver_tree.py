"""A root directory with what /proc, /sys and /dev tell of GPUs and their driver."""

from pathlib import Path

OPEN_MODULE = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build  (dvs-builder@U16)\n"
MODULE = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  12\n"


class DriverTree:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)

    def _write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def module(self, version: str, form: str = OPEN_MODULE) -> None:
        """The kernel module is loaded."""
        self._write("proc/driver/nvidia/version", form.format(version=version))

    def pci(self, address: str, *, vendor: str = "0x10de", kind: str = "0x030200", driver: str = "") -> None:
        """A device on the PCI bus; 0x0302 is a 3D controller, 0x0300 a graphics card, 0x0403 its sound."""
        folder = f"sys/bus/pci/devices/{address}"
        self._write(f"{folder}/vendor", f"{vendor}\n")
        self._write(f"{folder}/class", f"{kind}\n")
        if driver:
            (self.root / folder / "driver").symlink_to(f"../../../../bus/pci/drivers/{driver}")

    def device_nodes(self) -> None:
        """What a container is given of the driver."""
        self._write("dev/nvidiactl", "")
        self._write("dev/nvidia0", "")

    def mounts(self, root_type: str) -> None:
        """The file system that / is of, and control groups that begin with process 1's own."""
        self._write("proc/1/cgroup", "0::/\n")
        lines = f"21 1 0:20 / / rw,relatime - {root_type} overlay rw,lowerdir=/a\n22 21 0:5 / /proc rw - proc proc rw\n"
        self._write("proc/self/mountinfo", lines)

    def container(self, how: str = ".dockerenv") -> None:
        """This is a container."""
        self._write(how, "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope\n" if "cgroup" in how else "")
