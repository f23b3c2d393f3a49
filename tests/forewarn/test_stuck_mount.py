from pathlib import Path

import pytest

from tests.support.daemon import RunningDaemon, running
from tests.support.dead_mount import can_mount, dead_mount


def alerts(daemon: RunningDaemon, name: str) -> list[str]:
    shown = daemon.get("/v1/alerts")["alerts"]
    return [each["labels"]["mountpoint"] for each in shown if each["labels"]["alertname"] == name]


@pytest.mark.timed
@pytest.mark.skipif(not can_mount(), reason="mounting needs root and /dev/fuse")
def test_a_mount_that_hangs_in_the_kernel_stops_nothing_else(tmp_path: Path) -> None:
    mountpoint = tmp_path / "dead"
    mountpoint.mkdir()
    with dead_mount(mountpoint), running(tmp_path / "data", config="[collector]\ninterval = 1\n") as daemon:
        stuck = f'forewarn_node_filesystem_stuck{{mountpoint="{mountpoint}"}}'
        daemon.wait_for(lambda: daemon.metrics().get(stuck) == 1)
        before = daemon.get("/healthz")["last_round"]
        daemon.wait_for(lambda: daemon.get("/healthz")["last_round"] > before)
        metrics = daemon.metrics()
        assert f'forewarn_node_filesystem_avail_bytes{{mountpoint="{mountpoint}"}}' not in metrics
        assert any("filesystem_avail_bytes" in series for series in metrics)
        firing = daemon.wait_for(
            lambda: [
                each for each in daemon.get("/v1/alerts")["alerts"] if each["labels"]["alertname"] == "FilesystemStuck"
            ],
        )
        assert firing[0]["labels"]["mountpoint"] == str(mountpoint)
        status, seconds = daemon.terminate()
        assert status == 0
        assert seconds < 5
