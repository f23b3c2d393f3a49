"""Failures of the field on a real daemon: said in the log, in the status, on /metrics and by an alert."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from collector.nvml.health.diagnosis import DIAGNOSES
from tests.support.daemon import RunningDaemon, forewarn, running
from tests.support.driver_tree import DriverTree
from tests.support.nvml import FakeNvml, shared_fake

XID_TOTAL = "forewarn_gpu_xid_errors_total"


@pytest.fixture
def nvml(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> FakeNvml:
    fake = FakeNvml(tmp_path / "nvml.state", shared_fake(tmp_path_factory))
    fake.set_gpus(2)
    return fake


@pytest.fixture
def tree(tmp_path: Path) -> DriverTree:
    return DriverTree(tmp_path / "root")


def settings(tree: DriverTree, kernel_log: str = "off") -> str:
    return (
        f'[collector]\ninterval = 1\n[collector.nvml]\nroot = "{tree.root}"\nkernel_log = "{kernel_log}"\n'
        "[alerts]\nevaluate_every = 1\n"
    )


def holds(daemon: RunningDaemon, condition: str) -> bool:
    start = f'forewarn_gpu_diagnosis{{condition="{condition}"'
    return any(series.startswith(start) and value == 1 for series, value in daemon.metrics().items())


def seen(daemon: RunningDaemon) -> dict[str, Any]:
    """What the status says of the GPUs."""
    gpus: dict[str, Any] = daemon.get("/v1/status")["gpus"]
    return gpus


def known(daemon: RunningDaemon) -> list[str]:
    """UUIDs of the GPUs that the node is known to have."""
    up = (series for series in daemon.metrics() if series.startswith("forewarn_gpu_up{"))
    return [series.partition('uuid="')[2].partition('"')[0] for series in up]


def alert(daemon: RunningDaemon, name: str) -> Any:
    found = [each for each in daemon.get("/v1/alerts")["alerts"] if each["labels"]["alertname"] == name]
    return next((each for each in found if each["state"] in {"pending", "firing"}), None)


def told_everywhere(daemon: RunningDaemon, data: Path, condition: str, seconds: float = 120) -> str:
    """Wait for a condition; it must stand in the log, the status and an alert. What ``forewarn status`` prints."""
    row = DIAGNOSES[condition]
    daemon.wait_for(lambda: holds(daemon, condition), seconds)
    assert sum(row.next_step in line for line in daemon.lines) == 1
    raised = daemon.wait_for(lambda: alert(daemon, row.alert))
    assert raised["annotations"]["description"] == row.next_step
    status = forewarn("status", "--data-dir", str(data))
    assert status.returncode == 1
    assert row.next_step in status.stdout
    return status.stdout


def test_a_container_that_lost_its_gpus_is_told_to_be_recreated(
    tmp_path: Path, nvml: FakeNvml, tree: DriverTree
) -> None:
    tree.container()
    tree.device_nodes()
    with running(tmp_path / "data", config=settings(tree), env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: seen(daemon)["present"] == 2)
        nvml.lose("*", 999)
        text = told_everywhere(daemon, tmp_path / "data", "container_lost_gpus")
        assert "must be recreated" in text
        assert "bundled worker" in text
        assert daemon.terminate()[0] == 0


def test_a_driver_that_was_upgraded_underneath(tmp_path: Path, nvml: FakeNvml, tree: DriverTree) -> None:
    tree.module("590.48.01")
    with running(tmp_path / "data", config=settings(tree), env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: seen(daemon)["present"] == 2)
        assert not holds(daemon, "driver_mismatch")
        nvml.fail_everything(18)
        nvml.fail_init(18)
        text = told_everywhere(daemon, tmp_path / "data", "driver_mismatch")
        assert "kernel module 590.48.01" in text
        refused = forewarn("nvml", "forget", "--missing", "--data-dir", str(tmp_path / "data"))
        assert (refused.returncode, "is not known" in refused.stderr) == (1, True)  # they are not missing


def test_a_module_of_another_version_than_the_library_is_seen_before_anything_fails(
    tmp_path: Path, nvml: FakeNvml, tree: DriverTree
) -> None:
    tree.module("580.65.06")
    with running(tmp_path / "data", config=settings(tree), env=nvml.environ()) as daemon:
        text = told_everywhere(daemon, tmp_path / "data", "driver_mismatch")
        assert "NVML answers for 590.48.01, kernel module 580.65.06" in text
        assert seen(daemon)["present"] == 2


def test_a_lost_gpu_and_forgetting_it(tmp_path: Path, nvml: FakeNvml, tree: DriverTree) -> None:
    data = str(tmp_path / "data")
    with running(tmp_path / "data", config=settings(tree), env=nvml.environ()) as daemon:
        uuids = sorted(daemon.wait_for(lambda: known(daemon)))
        refused = forewarn("nvml", "forget", uuids[0], "--data-dir", data)
        assert (refused.returncode, "is there" in refused.stderr) == (1, True)
        nvml.lose(1)
        text = told_everywhere(daemon, tmp_path / "data", "gpu_lost")
        assert "GPU 1: a GPU has fallen off the bus" in text
        assert forewarn("nvml", "forget", "--data-dir", data).returncode == 2
        done = forewarn("nvml", "forget", uuids[1], "--data-dir", data)
        assert (done.returncode, f"forgotten: {uuids[1]} (GPU 1" in done.stdout) == (0, True)
        assert sum("was forgotten, as asked for by a command" in line for line in daemon.lines) == 1
        assert uuids[1] not in (tmp_path / "data" / "gpus.json").read_text()
        daemon.wait_for(lambda: seen(daemon)["expected"] == 1)
        daemon.wait_for(lambda: not holds(daemon, "gpu_lost"))
        assert forewarn("nvml", "forget", "--missing", "--data-dir", data).stdout == "no known GPU is missing\n"


def test_what_the_drivers_own_numbers_show(tmp_path: Path, nvml: FakeNvml, tree: DriverTree) -> None:
    nvml.set("field_230", 1, 1)
    nvml.set("persistence_mode", 0)
    with running(tmp_path / "data", config=settings(tree), env=nvml.environ()) as daemon:
        text = told_everywhere(daemon, tmp_path / "data", "recovery_needed")
        assert "WARNING  GPU 1: the driver asks for a recovery of a GPU (reset the GPU)" in text
        assert "HINT  GPU 0: persistence mode is off" in text
        nvml.set("field_230", 0, 1)
        daemon.wait_for(lambda: not holds(daemon, "recovery_needed"))
        assert forewarn("status", "--data-dir", str(tmp_path / "data")).returncode == 0  # a hint is no trouble


def test_a_driver_that_refuses_us(tmp_path: Path, nvml: FakeNvml, tree: DriverTree) -> None:
    nvml.fail_init(4)
    with running(tmp_path / "data", config=settings(tree), env=nvml.environ()) as daemon:
        text = told_everywhere(daemon, tmp_path / "data", "no_permission")
        assert "/dev/nvidiactl" in text


@pytest.mark.timed
def test_a_hung_driver_call(tmp_path: Path, nvml: FakeNvml, tree: DriverTree) -> None:
    with running(tmp_path / "data", config=settings(tree), env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: seen(daemon)["present"] == 2)
        nvml.hang("nvmlDeviceGetPowerUsage", 1)
        begun = time.monotonic()
        text = told_everywhere(daemon, tmp_path / "data", "driver_stuck")
        assert "nvmlDeviceGetPowerUsage of GPU 1" in text
        assert time.monotonic() - begun < 25
        nvml.clear()
        nvml.set_gpus(2)
        daemon.wait_for(lambda: not holds(daemon, "driver_stuck"))
        assert "no longer so: a call into the GPU driver does not come back" in "\n".join(daemon.lines)


def test_a_gpu_on_the_bus_without_a_driver(tmp_path: Path, tree: DriverTree) -> None:
    tree.pci("0000:3b:00.0")
    empty = tmp_path / "empty"
    empty.mkdir()
    with running(tmp_path / "data", config=settings(tree), env={**os.environ, "LD_LIBRARY_PATH": str(empty)}) as daemon:
        text = told_everywhere(daemon, tmp_path / "data", "driver_not_installed")
        assert "on the PCI bus: 0000:3b:00.0" in text


def test_xids_of_both_witnesses_over_a_restart(tmp_path: Path, nvml: FakeNvml, tree: DriverTree) -> None:
    pipe = tmp_path / "kmsg"
    os.mkfifo(pipe)
    log = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    config = settings(tree, str(pipe))

    def line(sequence: int, xid: int) -> None:
        text = f"NVRM: Xid (PCI:0000:20:00): {xid}, pid=4211, name=python3, GPU has fallen off the bus."
        os.write(log, f"3,{sequence},1000,-;{text}\n".encode())

    def xids(daemon: RunningDaemon, name: str = XID_TOTAL) -> dict[str, float]:
        found = {series: value for series, value in daemon.metrics().items() if series.startswith(name)}
        assert all('gpu="1"' in series and 'uuid="' in series for series in found)
        return {series.partition('xid="')[2].partition('"')[0]: value for series, value in found.items()}

    with running(tmp_path / "data", config=config, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: seen(daemon)["present"] == 2)
        nvml.xid(1, 79)
        line(1, 79)
        nvml.xid(1, 999)
        line(2, 119)
        line(3, 45)
        daemon.wait_for(lambda: len(xids(daemon)) == 3)
        time.sleep(6)  # longer than a code that nobody tells is waited for
        assert xids(daemon) == {"79": 1, "119": 1, "45": 1}
        firing = daemon.wait_for(lambda: alert(daemon, "GpuXidCritical"))
        assert firing["annotations"]["summary"].startswith("GPU 1 reported XID ")
        last = xids(daemon, "forewarn_gpu_xid_last_timestamp_seconds")
        assert daemon.get("/v1/status")["gpus"]["xid_witness"] == "driver events and kernel log"
        assert daemon.terminate()[0] == 0
    with running(tmp_path / "data", config=config, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: seen(daemon)["present"] == 2)
        assert xids(daemon) == {}
        assert xids(daemon, "forewarn_gpu_xid_last_timestamp_seconds") == last
        told = [each["labels"]["xid"] for each in daemon.get("/v1/alerts")["alerts"] if "xid" in each["labels"]]
        assert sorted(told) == ["119", "79"]
    os.close(log)
