"""The daemon on a node whose NVML is the fake library: real children, the unmodified nvidia-ml-py."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil
import pytest

from tests.support.daemon import RunningDaemon, running
from tests.support.nvml import FakeNvml, shared_fake

QUICK = "[collector]\ninterval = 1\n"
PARENT_LIMIT_MIB = 90


@pytest.fixture
def nvml(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> FakeNvml:
    fake = FakeNvml(tmp_path / "nvml.state", shared_fake(tmp_path_factory))
    fake.set_gpus(8)
    return fake


def gpus(daemon: RunningDaemon, name: str) -> list[str]:
    return [series for series in daemon.metrics() if series.startswith(f"forewarn_gpu_{name}{{")]


def test_eight_gpus_in_a_small_parent(tmp_path: Path, nvml: FakeNvml) -> None:
    with running(tmp_path / "data", config=QUICK, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: len(gpus(daemon, "utilization_ratio")) == 8)
        assert len(gpus(daemon, "memory_used_bytes")) == 8
        assert all('hostname="' in series for series in gpus(daemon, "power_watts"))
        daemon.wait_for(lambda: daemon.get("/v1/status")["forecasts"]["last_run"])
        for path in ("/openapi.json", "/v1/status", "/v1/targets", "/v1/forecasts", "/v1/rules", "/v1/metrics"):
            daemon.get(path)
        time.sleep(10)
        parent = psutil.Process(daemon.process.pid)
        daemon.wait_for(lambda: parent.memory_info().rss / 2**20 < PARENT_LIMIT_MIB)
        assert daemon.terminate()[0] == 0


def test_a_lost_gpu_is_missed_and_the_others_go_on(tmp_path: Path, nvml: FakeNvml) -> None:
    with running(tmp_path / "data", config=QUICK, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: len(gpus(daemon, "utilization_ratio")) == 8)
        nvml.lose(5)
        daemon.wait_for(lambda: len(gpus(daemon, "utilization_ratio")) == 7)
        (lost,) = [series for series, value in daemon.metrics().items() if "gpu_up{" in series and value == 0]
        assert 'gpu="5"' in lost
        firing = daemon.wait_for(
            lambda: [alert for alert in daemon.get("/v1/alerts")["alerts"] if alert["labels"].get("gpu") == "5"], 60
        )
        assert firing


@pytest.mark.timed
def test_a_driver_call_that_never_returns_stops_nothing_else(tmp_path: Path, nvml: FakeNvml) -> None:
    with running(tmp_path / "data", config=QUICK, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: len(gpus(daemon, "utilization_ratio")) == 8)
        nvml.hang("nvmlDeviceGetPowerUsage", 2)
        daemon.wait_for(lambda: daemon.metrics()["forewarn_nvml_stuck"] == 1)
        before = daemon.metrics()["forewarn_node_memory_available_bytes"], daemon.get("/healthz")["last_round"]
        daemon.wait_for(lambda: daemon.get("/healthz")["last_round"] > before[1])
        assert gpus(daemon, "utilization_ratio") == []
        assert daemon.metrics()['forewarn_collector_success{collector="host"}'] == 1
        assert any("nvmlDeviceGetPowerUsage" in line for line in daemon.lines)
        (child,) = nvml_children(daemon)
        with adopting():
            status, seconds = daemon.terminate()
            _, how = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(how) == 1  # by its own timer, not by a signal
        assert status == 1
        assert seconds < 5
        assert sum("stuck and was left behind" in line for line in daemon.lines) == 1
        daemon.wait_for(lambda: not [child for child in daemon.children() if child.is_running()])


def test_a_reload_while_the_driver_is_stuck_starts_no_second_child_beside_the_first(
    tmp_path: Path, nvml: FakeNvml
) -> None:
    with running(tmp_path / "data", config=QUICK, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: len(gpus(daemon, "utilization_ratio")) == 8)
        nvml.hang("nvmlDeviceGetPowerUsage", 2)
        daemon.wait_for(lambda: [line for line in daemon.lines if "nvmlDeviceGetPowerUsage" in line])
        (first,) = nvml_children(daemon)
        daemon.process.send_signal(signal.SIGHUP)
        deadline, seen = time.monotonic() + 60, {first}
        while first in seen and time.monotonic() < deadline:
            seen = nvml_children(daemon)
            assert len(seen) <= 1
        daemon.wait_for(lambda: nvml_children(daemon) - {first})
        assert sum("once the one that is stuck has ended" in line for line in daemon.lines) == 1
        ended = daemon.wait_for(lambda: [line for line in daemon.lines if "that was stuck has ended" in line])
        assert orjson.loads(ended[0])["status"] == 1  # by its own timer, not by a signal


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Children of a process of ours that ended become ours: prctl(2), PR_SET_CHILD_SUBREAPER."""
    prctl = ctypes.CDLL(None).prctl
    prctl(36, 1)
    try:
        yield
    finally:
        prctl(36, 0)


def nvml_children(daemon: RunningDaemon) -> set[int]:
    found = set()
    for process in daemon.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "collector.nvml.child" in process.cmdline():
                found.add(process.pid)
    return found
