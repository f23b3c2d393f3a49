"""The daemon and the command tell who uses the GPUs: processes of this machine on the fake's GPUs."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil
import pytest

from tests.support.daemon import RunningDaemon, forewarn, running
from tests.support.gpu_processes import process, put_processes
from tests.support.nvml import FakeNvml, shared_fake

GIB = 2**30
QUICK = "[collector]\ninterval = 1\n[forecast]\nenabled = false\n"


@pytest.fixture
def nvml(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> FakeNvml:
    fake = FakeNvml(tmp_path / "nvml.state", shared_fake(tmp_path_factory))
    fake.set_gpus(2)
    return fake


@pytest.fixture
def model_server() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as server:
        yield server
        server.kill()


def processes(daemon: RunningDaemon, metric: str) -> dict[str, float]:
    return {
        series: value
        for series, value in daemon.metrics().items()
        if series.startswith(f"forewarn_gpu_process_{metric}{{")
    }


def test_who_uses_the_gpus(tmp_path: Path, nvml: FakeNvml, model_server: subprocess.Popen[bytes]) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    put_processes(
        nvml,
        process(0, "C", model_server.pid, 60 * GIB, sm=80),
        process(1, "C", model_server.pid, 2 * GIB),
        process(1, "C", ended.pid, 5 * GIB),
    )
    user = psutil.Process().username()
    with running(tmp_path / "data", config=QUICK, env=nvml.environ()) as daemon:
        memory = daemon.wait_for(lambda: processes(daemon, "memory_bytes"))
        assert sorted(memory.values()) == [2 * GIB, 60 * GIB]
        assert all('command="sleep"' in series and f'user="{user}"' in series for series in memory)
        assert sorted(processes(daemon, "sm_utilization_ratio").values()) == [0.0, 0.8]
        dead = daemon.wait_for(lambda: {v for v in dead_memory(daemon) if v})  # the second look is sure of it
        assert dead == {5 * GIB}
        answer = forewarn("nvml", "processes", "--json", "--data-dir", str(tmp_path / "data"))
        rows = orjson.loads(answer.stdout)
        assert [(row["gpu"], row["pid"], row["state"]) for row in rows] == [
            ("0", model_server.pid, "running"),
            ("1", ended.pid, "dead"),
            ("1", model_server.pid, "running"),
        ]
        assert all("600" not in str(row.get("command")) for row in rows)  # arguments stay where they are
        table = forewarn("nvml", "processes", "--data-dir", str(tmp_path / "data")).stdout
        assert [word in table for word in ("sleep", "60 GiB", "80 %", "(dead)", user)] == [True] * 5
        busy = next(series for series in memory if 'gpu="0"' in series)
        assert busy.replace("memory_bytes", "idle_seconds") in processes(daemon, "idle_seconds")
        assert daemon.metrics()['forewarn_collector_success{collector="gpu_processes"}'] == 1


def dead_memory(daemon: RunningDaemon) -> list[float]:
    return [value for series, value in daemon.metrics().items() if "_dead_process_memory_bytes{" in series]


def test_off_by_one_switch(tmp_path: Path, nvml: FakeNvml) -> None:
    put_processes(nvml, process(0, "C", os.getpid(), GIB))
    config = QUICK.replace("[forecast]", "[collector.nvml]\nprocesses = false\n[forecast]")
    with running(tmp_path / "data", config=config, env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: [series for series in daemon.metrics() if "gpu_power_watts" in series])
        time.sleep(2)
        assert [series for series in daemon.metrics() if "process" in series and "gpu" in series] == []
        answer = forewarn("nvml", "processes", "--data-dir", str(tmp_path / "data"))
        assert answer.returncode == 1
        assert "processes = true" in answer.stderr
