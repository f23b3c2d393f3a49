"""Worker and log shipper as processes of their own, as under systemd."""

import contextlib
import importlib.util
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import FOREWARN, forewarn, running
from tests.support.ports import free_port

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
UNITS = {"FOREWARN_UNITS": "true"}


@contextlib.contextmanager
def worker(data: Path, config: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [FOREWARN, "worker", "run", "--data-dir", data, "--config", config]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=dict(os.environ))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@needs_torch
@pytest.mark.slow
def test_a_daemon_that_starts_after_the_worker_hears_of_it(tmp_path: Path) -> None:
    data, config = tmp_path / "data", tmp_path / "data.toml"
    text = f'[collector]\ninterval = 1\n[worker]\nlisten = "127.0.0.1:{free_port()}"\nnice = 0\n'
    config.write_text(text)
    scraped = 'forewarn_collector_success{collector="endpoint:worker"}'
    with worker(data, config) as process:
        for _ in range(2):  # the second daemon is one that came back
            with running(data, config=text, env=UNITS, worker=True) as daemon:
                daemon.wait_for(lambda daemon=daemon: daemon.metrics().get(scraped) == 1, 180)
                assert [child.cmdline()[-1] for child in daemon.children()] == ["collector.nvml.child"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_shipper_without_anything_to_ship_says_so(tmp_path: Path) -> None:
    config = tmp_path / "forewarn.toml"
    config.write_text("")
    done = forewarn("logs", "run", "--config", str(config), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: no Elasticsearch is configured\nhint: ")
