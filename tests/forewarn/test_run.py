import os
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.support.daemon import RunningDaemon, forewarn, running

QUICK = "[collector]\ninterval = 1\n"


@pytest.mark.timed
def test_it_records_the_host_and_ends_in_time(tmp_path: Path) -> None:
    with running(tmp_path / "data", config=QUICK) as daemon:
        metrics = daemon.metrics()
        assert metrics["forewarn_node_memory_total_bytes"] == psutil.virtual_memory().total
        assert metrics['forewarn_collector_success{collector="host"}'] == 1
        assert not any(series.startswith("forewarn_gpu_utilization") for series in metrics)
        assert sum("no GPU to watch" in line for line in daemon.lines) == 1
        assert daemon.get("/healthz")["status"] == "ok"
        children = daemon.children()
        assert [child.cmdline()[-1] for child in children] == ["collector.nvml.child"]
        status, seconds = daemon.terminate()
        assert status == 0
        assert seconds < 5
        assert not any(child.is_running() for child in children)


def memory(daemon: RunningDaemon) -> list[str]:
    """When the memory was recorded."""
    found = daemon.get("/v1/query?match=forewarn_node_memory_total_bytes&step=1")["series"]
    return [time for series in found for time in series["times"]]


def test_what_it_recorded_is_there_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path / "data", config=QUICK) as daemon:
        daemon.wait_for(lambda: len(memory(daemon)) >= 3)
    with running(tmp_path / "data", config=QUICK) as daemon:
        assert len(memory(daemon)) >= 3
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "data").iterdir()} == {0}


def test_a_second_daemon_gets_one_line(tmp_path: Path) -> None:
    with running(tmp_path / "data", config=QUICK) as daemon:
        second = forewarn("run", "--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0")
        assert second.returncode == 1
        assert f"another forewarn (pid {daemon.process.pid}) holds" in second.stderr
        assert second.stderr.count("\n") == 2  # the error and its hint
        assert daemon.get("/healthz")["status"] == "ok"


def test_a_port_in_use_is_named_and_costs_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = forewarn("run", "--data-dir", str(tmp_path / "data"), "--listen", address)
    assert result.returncode == 1
    assert f"cannot listen on {address}: Address already in use" in result.stderr
    assert not (tmp_path / "data" / "metrics.db").exists()


def test_status_asks_the_daemon(tmp_path: Path) -> None:
    with running(tmp_path / "data", config=QUICK) as daemon:
        until = time.monotonic() + 120  # on a busy machine a source may be late at first, which status tells
        while (result := forewarn("status", "--data-dir", str(tmp_path / "data"))).returncode:
            assert time.monotonic() < until, result.stdout + result.stderr
        assert daemon.url in result.stdout
    result = forewarn("status", "--data-dir", str(tmp_path / "data"))
    assert result.returncode == 1
    assert "forewarn run" in result.stderr


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    with running(tmp_path / "data", config=QUICK) as daemon:
        (child,) = daemon.children()
        child.kill()
        restarts = 'forewarn_child_restarts_total{child="nvml"}'
        daemon.wait_for(lambda: daemon.metrics()[restarts] == 1 and daemon.metrics()['forewarn_child_up{child="nvml"}'])
        (again,) = daemon.children()
        assert again.pid != child.pid


def test_a_good_reload_changes_and_a_bad_one_does_not(tmp_path: Path) -> None:
    with running(tmp_path / "data", config=QUICK) as daemon:
        good = "forewarn_config_last_reload_successful"
        path = tmp_path / "data.toml"
        path.write_text("[collector]\nintervall = 3\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for(lambda: daemon.metrics()[good] == 0)
        assert any("collector.intervall: unknown key" in line for line in daemon.lines)
        with socket.socket() as target:
            target.bind(("127.0.0.1", 0))
            target.listen()
            address = f"127.0.0.1:{target.getsockname()[1]}"
            path.write_text(f'[collector]\ninterval = 1\nnetwork.targets = ["{address}"]\n[worker]\nenabled = false\n')
            daemon.process.send_signal(signal.SIGHUP)
            latency = f'forewarn_network_latency_seconds{{target="{address}"}}'
            daemon.wait_for(lambda: latency in daemon.metrics())
        assert daemon.metrics()[good] == 1
        assert daemon.terminate()[0] == 0


@pytest.mark.timed
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_ends_it_well(tmp_path: Path, signum: signal.Signals) -> None:
    with running(tmp_path / "data", config=QUICK) as daemon:
        os.kill(daemon.process.pid, signum)
        assert daemon.process.wait(5) == 0
        assert not any("Traceback" in line for line in daemon.lines)
