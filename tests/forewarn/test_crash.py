"""kill -9 at random moments: no scrape that was told of is lost, no child stays, the files open."""

import random
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3

from collector.store import StoreReader
from forewarn.base.clock import parse_time
from tests.support.daemon import ANEW, RunningDaemon, running
from tests.support.nvml import FakeNvml, shared_fake

ROUNDS = 12
INTERVAL = 1.0


def stored(path: Path) -> list[int]:
    reader = StoreReader(path)
    try:
        (series,) = [each for each in reader.series() if each.key.name == "forewarn_node_load1"]
        times, _ = reader.samples(series.id, 0, 2**62)
        return [int(time_ms) for time_ms in times]
    finally:
        reader.close()


def rounds(daemon: RunningDaemon) -> dict[str, Any]:
    """What it tells of its rounds; none may have been yet."""
    told: dict[str, Any] = urllib3.request(
        "GET", f"{daemon.url}/healthz", retries=False, timeout=60, headers=ANEW
    ).json()
    return told


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    moments = random.Random(20)
    nvml = FakeNvml(tmp_path / "nvml.state", shared_fake(tmp_path_factory))
    nvml.set_gpus(2)
    kept: list[int] = []
    for _ in range(ROUNDS):
        with running(tmp_path / "data", config=f"[collector]\ninterval = {INTERVAL}\n", env=nvml.environ()) as daemon:
            daemon.wait_for(lambda daemon=daemon: rounds(daemon)["status"] == "ok")
            time.sleep(moments.uniform(0.1, 2.2))
            children = daemon.children()
            assert children
            told_ms = parse_time(rounds(daemon)["last_round"])
            daemon.process.kill()
            daemon.process.wait()
            _, alive = psutil.wait_procs(children, timeout=30)
            assert alive == []
        times = stored(tmp_path / "data" / "metrics.db")
        assert times[: len(kept)] == kept
        assert times[-1] >= told_ms
        kept = times
    assert len(kept) >= ROUNDS
