"""History that is loaded into a running daemon is forecast at once, not with the next hour's run."""

import math
import time
from pathlib import Path

import pytest

from forewarn.base.clock import rfc3339
from forewarn.control import ControlClient
from tests.support.daemon import RunningDaemon, forewarn, running

CONFIG = """
[collector]
interval = 1
[forecast]
at_start = false
[[target]]
match = "forewarn_imported_value"
limit = 90
"""
STEP_MS = 300_000


def history(path: Path, days: int) -> Path:
    """A daily rhythm, every five minutes, up to the last full hour."""
    end = int(time.time()) // 3600 * 3_600_000
    rows = [
        f"load,{rfc3339(moment)},{50 + 20 * math.sin(moment / 86_400_000 * 2 * math.pi)}"
        for moment in range(end - days * 86_400_000, end, STEP_MS)
    ]
    path.write_text("\n".join(["series,timestamp,value", *rows]) + "\n")
    return path


def last_run(daemon: RunningDaemon) -> str | None:
    text: str | None = daemon.get("/v1/status")["forecasts"]["last_run"]
    return text


def test_it_follows_a_load(tmp_path: Path) -> None:
    data, path = tmp_path / "data", history(tmp_path / "h.csv", 10)
    with running(data, config=CONFIG) as daemon:
        assert last_run(daemon) is None
        loaded = forewarn("backfill", str(path), "--data-dir", str(data))
        assert loaded.returncode == 0, loaded.stderr
        assert "the daemon forecasts from it now" in loaded.stdout
        first = daemon.wait_for(lambda: last_run(daemon))
        made = daemon.get("/v1/forecasts")["forecasts"]
        assert [each for each in made if "forewarn_imported_value" in str(each) and each["status"] == "ok"]
        again = forewarn("backfill", str(path), "--data-dir", str(data))
        assert "the daemon forecasts" not in again.stdout  # it held nothing new
        assert last_run(daemon) == first


@pytest.mark.timed
def test_what_is_asked_for_during_a_run_is_one_more_run_after_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data, config=CONFIG) as daemon:
        with ControlClient(data / "control.sock", timeout=60) as client:
            assert client.ask("forecast")["asked"]
            daemon.wait_for(lambda: forecasting(daemon))
            for _ in range(5):
                assert client.ask("forecast")["asked"]
        made = "forecasts made"
        daemon.wait_for(lambda: sum(made in line for line in daemon.lines) == 2)
        time.sleep(3)
        assert sum(made in line for line in daemon.lines) == 2
        assert not [line for line in daemon.lines if "maximum number" in line]


def forecasting(daemon: RunningDaemon) -> bool:
    return any(child.cmdline()[-1:] == ["forecast.child"] for child in daemon.children() if child.is_running())


def test_a_daemon_that_makes_none_says_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data, config="[forecast]\nenabled = false\n") as daemon:
        loaded = forewarn("backfill", str(history(tmp_path / "h.csv", 2)), "--data-dir", str(data))
        assert loaded.returncode == 0, loaded.stderr
        assert "forecasts from it" not in loaded.stdout
        assert last_run(daemon) is None
