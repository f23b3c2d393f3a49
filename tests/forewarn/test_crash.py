"""kill -9 at random moments: at most the scrape in flight is lost, no child stays, the files open."""

import random
import time
from pathlib import Path

import psutil
import pytest

from collector.store import StoreReader
from tests.support.daemon import running
from tests.support.nvml import FakeNvml, shared_fake

ROUNDS = 12
INTERVAL = 1.0
SLACK = 0.6
"""Seconds a round may take to be on the disk on a busy machine."""


def stored(path: Path) -> list[int]:
    reader = StoreReader(path)
    try:
        (series,) = [each for each in reader.series() if each.key.name == "forewarn_node_load1"]
        times, _ = reader.samples(series.id, 0, 2**62)
        return [int(time_ms) for time_ms in times]
    finally:
        reader.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_again_and_again(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    moments = random.Random(20)
    nvml = FakeNvml(tmp_path / "nvml.state", shared_fake(tmp_path_factory))
    nvml.set_gpus(2)
    kept: list[int] = []
    for _ in range(ROUNDS):
        with running(tmp_path / "data", config=f"[collector]\ninterval = {INTERVAL}\n", env=nvml.environ()) as daemon:
            time.sleep(moments.uniform(0.1, 2.2))
            children = daemon.children()
            assert children
            killed_ms = time.time() * 1000
            daemon.process.kill()
            daemon.process.wait()
            _, alive = psutil.wait_procs(children, timeout=3)
            assert alive == []
        times = stored(tmp_path / "data" / "metrics.db")
        assert times[: len(kept)] == kept
        assert killed_ms - times[-1] <= (INTERVAL + SLACK) * 1000
        kept = times
    assert len(kept) >= ROUNDS
