"""What an error number of the driver means on machines of many kinds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from collector.nvml.health.absence import WITHOUT_GPUS, explain, versions_differ
from collector.nvml.health.diagnosis import DIAGNOSES
from collector.nvml.health.surroundings import Surroundings
from tests.support.driver_tree import MODULE, OPEN_MODULE, DriverTree

SLOT = "0000:3b:00.0"


def bare(_: DriverTree) -> None:
    """Nothing of NVIDIA at all."""


def gpu(tree: DriverTree) -> None:
    tree.pci(SLOT)
    tree.pci("0000:3b:00.1", kind="0x040300")
    tree.pci("0000:00:02.0", vendor="0x8086", kind="0x030000")


def gpu_for_a_guest(tree: DriverTree) -> None:
    tree.pci(SLOT, driver="vfio-pci")


def gpu_of_nouveau(tree: DriverTree) -> None:
    tree.pci(SLOT, kind="0x030000", driver="nouveau")


def loaded(tree: DriverTree) -> None:
    gpu(tree)
    tree.module("590.48.01")


def docker(tree: DriverTree) -> None:
    tree.container()
    tree.device_nodes()


def kubernetes(tree: DriverTree) -> None:
    tree.container("proc/1/cgroup")
    tree.device_nodes()


def pod_with_groups_of_its_own(tree: DriverTree) -> None:
    tree.mounts("overlay")
    tree.device_nodes()


def host_without_systemd(tree: DriverTree) -> None:
    tree.mounts("ext4")
    tree.device_nodes()


def container_without_devices(tree: DriverTree) -> None:
    tree.container("run/.containerenv")


@pytest.mark.parametrize(
    ("code", "machine", "reason", "detail"),
    [
        (None, bare, "no_gpu", ""),
        (12, bare, "no_library", ""),
        (12, gpu, "driver_not_installed", f"on the PCI bus: {SLOT}"),
        (12, gpu_of_nouveau, "driver_not_installed", f"on the PCI bus: {SLOT}"),
        (12, gpu_for_a_guest, "no_library", ""),
        (12, loaded, "library_missing", "kernel module 590.48.01"),
        (9, bare, "no_driver", ""),
        (9, gpu, "driver_not_loaded", f"on the PCI bus: {SLOT}"),
        (18, loaded, "driver_mismatch", "kernel module 590.48.01"),
        (18, bare, "driver_mismatch", ""),
        (999, docker, "container_lost_gpus", ""),
        (999, kubernetes, "container_lost_gpus", ""),
        (999, pod_with_groups_of_its_own, "container_lost_gpus", ""),
        (999, host_without_systemd, "driver_unknown_error", ""),
        (999, container_without_devices, "driver_unknown_error", ""),
        (999, loaded, "driver_unknown_error", ""),
        (15, bare, "gpu_lost", "all of them"),
        (4, loaded, "no_permission", ""),
        (20, bare, "driver_error", "error 20 (memory)"),
    ],
)
def test_errors_on_machines(
    tmp_path: Path, code: int | None, machine: Callable[[DriverTree], None], reason: str, detail: str
) -> None:
    machine(DriverTree(tmp_path))
    absence = explain(code, Surroundings(tmp_path))
    assert (absence.reason, absence.detail) == (reason, detail)
    assert absence.hint == (WITHOUT_GPUS[reason] if reason in WITHOUT_GPUS else DIAGNOSES[reason].text)


@pytest.mark.parametrize("form", [MODULE, OPEN_MODULE])
def test_the_version_of_either_kernel_module(tmp_path: Path, form: str) -> None:
    DriverTree(tmp_path).module("535.104.05", form)
    assert Surroundings(tmp_path).module_version() == "535.104.05"


def test_versions_that_agree_or_are_not_known_are_no_trouble(tmp_path: Path) -> None:
    machine = Surroundings(tmp_path)
    assert versions_differ("590.48.01", machine) == ""
    DriverTree(tmp_path).module("590.48.01")
    assert versions_differ("590.48.01", machine) == ""
    assert versions_differ("", machine) == ""
    assert versions_differ("595.58.03", machine) == "NVML answers for 595.58.03, kernel module 590.48.01"


def test_a_library_that_was_replaced_on_the_disk_while_the_old_one_is_in_use(tmp_path: Path) -> None:
    tree, folder = DriverTree(tmp_path / "root"), tmp_path / "lib"
    folder.mkdir()
    tree.module("580.65.06")
    (tmp_path / "root/proc/self").mkdir()
    mapped = f"7f00-7f01 r-xp 00000000 08:01 12 {folder}/libnvidia-ml.so.580.65.06 (deleted)\n7f02 rw-p [heap]\n"
    (tmp_path / "root/proc/self/maps").write_text(mapped)
    (folder / "libnvidia-ml.so.595.58.03").touch()
    (folder / "libnvidia-ml.so.1").symlink_to("libnvidia-ml.so.595.58.03")
    found = versions_differ("580.65.06", Surroundings(tree.root))
    assert found == "NVML answers for 580.65.06, kernel module 580.65.06, library on the disk 595.58.03"
    (folder / "libnvidia-ml.so.1").unlink()
    (folder / "libnvidia-ml.so.580.65.06").touch()  # the same version, installed again
    (folder / "libnvidia-ml.so.1").symlink_to("libnvidia-ml.so.580.65.06")
    assert versions_differ("580.65.06", Surroundings(tree.root)) == ""
