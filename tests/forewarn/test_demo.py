import os
import time
from pathlib import Path

import pytest

from tests.support.daemon import FOREWARN, RunningDaemon, forewarn

WITHIN_SECONDS = 60


@pytest.mark.timed
@pytest.mark.slow
@pytest.mark.alone
def test_within_a_minute_a_breach_is_forecast_and_told(tmp_path: Path) -> None:
    (tmp_path / "forewarn.toml").write_text("this would be an error, were it read")
    started = time.monotonic()
    environ = {**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "FOREWARN_NONSENSE": "not read either"}
    daemon = RunningDaemon([str(FOREWARN), "demo", "--listen", "127.0.0.1:0"], environ)
    try:
        daemon.wait_ready(WITHIN_SECONDS)
        daemon.wait_for(lambda: [line for line in daemon.lines if line.startswith("[FIRING]")], WITHIN_SECONDS)
        assert time.monotonic() - started < WITHIN_SECONDS
        daemon.wait_for(lambda: daemon.get("/v1/status")["forecasts"]["last_run"], WITHIN_SECONDS)
        assert daemon.get("/v1/status")["simulated"]
        assert daemon.children() == []
        series = daemon.metrics()
        assert len([each for each in series if each.startswith("forewarn_gpu_memory_used_bytes{")]) == 8
        assert [each for each in series if 'simulated="true"' not in each] == []
        stored = daemon.get("/v1/series?match=" + "%7B__name__%3D~%22.%2B%22%7D")["series"]
        assert len(stored) > 100
        assert {each["labels"].get("simulated") for each in stored} == {"true"}
        breaches = [each for each in daemon.get("/v1/targets")["targets"] if each["breach"]]
        assert any(each["labels"].get("gpu") == "3" for each in breaches)
        status, seconds = daemon.terminate()
        assert status == 0
        assert seconds < 5
    finally:
        daemon.close()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("forewarn-demo")] == []


def test_a_directory_that_is_no_demo_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "metrics.db").write_text("somebody's")
    refused = forewarn("demo", "--data-dir", str(tmp_path), "--listen", "127.0.0.1:0")
    assert refused.returncode == 2
    assert "no demo" in refused.stderr
    assert (tmp_path / "metrics.db").read_text() == "somebody's"
