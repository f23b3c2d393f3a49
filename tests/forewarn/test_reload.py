"""A reload on a real daemon: only what it changes is started anew."""

import signal
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import RunningDaemon, running
from tests.support.nvml import FakeNvml, shared_fake

QUICK = '[collector]\ninterval = 1\n[collector.nvml]\nkernel_log = "off"\n'


@pytest.fixture
def nvml(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> FakeNvml:
    fake = FakeNvml(tmp_path / "nvml.state", shared_fake(tmp_path_factory))
    fake.set_gpus(2)
    return fake


def child(daemon: RunningDaemon) -> psutil.Process:
    (found,) = [each for each in daemon.children() if each.cmdline()[-1:] == ["collector.nvml.child"]]
    return found


def reload(daemon: RunningDaemon, path: Path, config: str) -> None:
    before = sum("configuration read again" in line for line in daemon.lines)
    path.write_text(config)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for(lambda: sum("configuration read again" in line for line in daemon.lines) > before)


def gpus(daemon: RunningDaemon) -> int:
    return sum(series.startswith("forewarn_gpu_utilization_ratio{") for series in daemon.metrics())


def errors(daemon: RunningDaemon) -> float:
    return sum(
        value for series, value in daemon.metrics().items() if series.startswith("forewarn_gpu_xid_errors_total")
    )


def test_the_child_at_the_gpus_goes_on_unless_its_settings_change(tmp_path: Path, nvml: FakeNvml) -> None:
    path, quiet = tmp_path / "data.toml", "[worker]\nenabled = false\n"
    with running(tmp_path / "data", config=QUICK, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: gpus(daemon) == 2)
        nvml.xid(0, 79)
        daemon.wait_for(lambda: errors(daemon) == 1)
        first = child(daemon)
        reload(daemon, path, QUICK + quiet + "[alerts]\nevaluate_every = 1\n")
        assert child(daemon) == first
        assert gpus(daemon) == 2  # in the very first round
        daemon.wait_for(lambda: daemon.get("/v1/status")["gpus"]["present"] == 2)
        assert errors(daemon) == 1
        nvml.lose(1)  # what it says from now on is heard
        daemon.wait_for(lambda: gpus(daemon) == 1)
        assert daemon.metrics()['forewarn_child_restarts_total{child="nvml"}'] == 0
        reload(daemon, path, QUICK.replace("interval = 1", "interval = 2") + quiet)
        daemon.wait_for(lambda: gpus(daemon) == 1)
        assert child(daemon) != first
        assert daemon.terminate()[0] == 0
