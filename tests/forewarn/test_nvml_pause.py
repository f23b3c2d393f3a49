"""forewarn nvml pause and resume on a real daemon."""

import contextlib
import signal
import time
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from tests.support.daemon import RunningDaemon, forewarn, running
from tests.support.nvml import FakeNvml, shared_fake

QUICK = '[collector]\ninterval = 1\n[collector.nvml]\nkernel_log = "off"\n[alerts]\nevaluate_every = 1\n'


@pytest.fixture
def nvml(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> FakeNvml:
    fake = FakeNvml(tmp_path / "nvml.state", shared_fake(tmp_path_factory))
    fake.set_gpus(2)
    return fake


def nvml_children(daemon: RunningDaemon) -> list[psutil.Process]:
    found = []
    for process in daemon.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "collector.nvml.child" in process.cmdline():
                found.append(process)
    return found


def gpu_series(daemon: RunningDaemon) -> list[str]:
    return [series for series in daemon.metrics() if series.startswith("forewarn_gpu_")]


def present(daemon: RunningDaemon) -> Any:
    return daemon.get("/v1/status")["gpus"]["present"]


def command(data: Path, *arguments: str) -> tuple[int, Any]:
    done = forewarn("nvml", *arguments, "--json", "--data-dir", str(data))
    assert done.stdout, done.stderr
    return done.returncode, orjson.loads(done.stdout)


def troubles(daemon: RunningDaemon) -> list[str]:
    """What fails and what is alerted of the GPUs; this machine may have troubles of its own."""
    failing = [series for series, value in daemon.metrics().items() if "collector_success" in series and value == 0]
    alerts = [each["labels"] for each in daemon.get("/v1/alerts")["alerts"]]
    told = [text for text in map(str, alerts) if "Gpu" in text or "gpu" in text or "nvml" in text]
    return [series for series in failing if "gpu" in series or "nvml" in series] + told


def test_a_pause_lets_go_says_so_and_frightens_nobody(tmp_path: Path, nvml: FakeNvml) -> None:
    data = tmp_path / "data"
    with running(data, config=QUICK, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: present(daemon) == 2)
        assert daemon.metrics()["forewarn_nvml_paused"] == 0
        nvml.fail("nvmlShutdown", 999)  # so that the log tells that it was called
        status, answer = command(data, "pause", "--for", "10m")
        assert (status, answer["released"], answer["hanging"]) == (0, True, None)
        assert nvml_children(daemon) == []
        assert sum("NVML did not shut down cleanly" in line for line in daemon.lines) == 1
        daemon.wait_for(lambda: gpu_series(daemon) == [])
        metrics = daemon.metrics()
        assert metrics["forewarn_nvml_paused"] == 1
        assert 500 < metrics["forewarn_nvml_pause_remaining_seconds"] <= 600
        assert 'forewarn_child_up{child="nvml"}' not in metrics
        shown = forewarn("status", "--data-dir", str(data))
        assert shown.returncode == 0
        assert f"PAUSED until {answer['until']}" in shown.stdout
        assert "GPU collection is paused until" in daemon.get("/v1/status")["state"]["sentence"]
        child = next(each for each in daemon.get("/v1/status")["children"] if each["name"] == "nvml")
        assert (child["state"], child["restarts"]) == ("paused", 0)

        daemon.process.send_signal(signal.SIGHUP)  # a reload does not end it
        daemon.wait_for(lambda: any("configuration read again" in line for line in daemon.lines))
        time.sleep(3)
        assert nvml_children(daemon) == []
        assert daemon.metrics()["forewarn_nvml_paused"] == 1
        assert troubles(daemon) == []

        nvml.clear()
        nvml.set_gpus(1)  # everything is found out anew
        assert command(data, "resume") == (0, {"was_paused": True})
        daemon.wait_for(lambda: present(daemon) == 1)
        daemon.wait_for(lambda: daemon.metrics()["forewarn_nvml_paused"] == 0)
        daemon.wait_for(lambda: daemon.metrics().get('forewarn_child_up{child="nvml"}') == 1)
        assert command(data, "resume") == (0, {"was_paused": False})
        assert not (data / "nvml-pause.json").exists()
        assert daemon.terminate()[0] == 0


def test_a_pause_ends_by_itself_and_nothing_failed_meanwhile(tmp_path: Path, nvml: FakeNvml) -> None:
    data = tmp_path / "data"
    with running(data, config=QUICK, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: present(daemon) == 2)
        assert command(data, "pause", "--for", "4s")[0] == 0
        deadline = time.monotonic() + 60
        while present(daemon) != 2:
            assert troubles(daemon) == []
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert troubles(daemon) == []
        daemon.wait_for(lambda: sum("GPU collection goes on: the pause is over" in line for line in daemon.lines) == 1)


def test_a_pause_outlives_the_daemon(tmp_path: Path, nvml: FakeNvml) -> None:
    data = tmp_path / "data"
    with running(data, config=QUICK, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: present(daemon) == 2)
        assert command(data, "pause")[0] == 0
        assert daemon.terminate()[0] == 0
    with running(data, config=QUICK, env=nvml.environ()) as daemon:
        assert sum("stays paused, as before the start" in line for line in daemon.lines) == 1
        time.sleep(2)
        assert nvml_children(daemon) == []
        assert 1700 < daemon.metrics()["forewarn_nvml_pause_remaining_seconds"] < 1800
        assert command(data, "resume") == (0, {"was_paused": True})
        daemon.wait_for(lambda: present(daemon) == 2)


@pytest.mark.timed
def test_a_pause_during_a_hung_call_says_that_nothing_is_let_go_of(tmp_path: Path, nvml: FakeNvml) -> None:
    data = tmp_path / "data"
    with running(data, config=QUICK, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: present(daemon) == 2)
        nvml.hang("nvmlDeviceGetPowerUsage", 1)
        time.sleep(2)
        begun = time.monotonic()
        status, answer = command(data, "pause")
        assert time.monotonic() - begun < 15
        assert (status, answer["released"]) == (1, False)
        assert "nvmlDeviceGetPowerUsage of GPU 1" in answer["hanging"]
        (child,) = nvml_children(daemon)
        assert child.is_running()  # it is waited for, not killed
        nvml.clear()
        nvml.set_gpus(2)
        daemon.wait_for(lambda: nvml_children(daemon) == [])
        assert command(data, "pause")[1]["released"]


def test_a_pause_of_no_sensible_length_is_refused(tmp_path: Path, nvml: FakeNvml) -> None:
    with running(tmp_path / "data", config=QUICK, env=nvml.environ()) as daemon:
        for duration in ("soon", "0s", "25h"):
            done = forewarn("nvml", "pause", "--for", duration, "--data-dir", str(tmp_path / "data"))
            assert done.returncode != 0
            assert "30m" in done.stderr
            assert daemon.metrics()["forewarn_nvml_paused"] == 0


def test_without_gpus_to_watch_there_is_nothing_to_pause(tmp_path: Path) -> None:
    with running(tmp_path / "data", config="[collector.nvml]\nenabled = false\n"):
        done = forewarn("nvml", "pause", "--data-dir", str(tmp_path / "data"))
        assert (done.returncode, "GPUs are not watched here" in done.stderr) == (1, True)
