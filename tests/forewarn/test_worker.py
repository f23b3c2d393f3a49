"""The bundled worker under the daemon: a real model, real requests, its latency as series."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import urllib3

from tests.support.daemon import FOREWARN, running

CONFIG = '[collector]\ninterval = 1\n[worker]\nlisten = "127.0.0.1:0"\nnice = 1\n'


@pytest.mark.timed
@pytest.mark.slow
def test_its_latency_is_recorded_from_the_canary_on_and_over_a_reload(tmp_path: Path) -> None:
    with running(tmp_path / "data", config=CONFIG, worker=True) as daemon:
        canary = 'forewarn_canary_up{endpoint="worker"}'
        daemon.wait_for(lambda: daemon.metrics().get(canary) == 1, 180)
        metrics = daemon.wait_for(lambda: answered(daemon.metrics()))
        assert metrics['forewarn_canary_duration_seconds{endpoint="worker"}'] > 0
        assert any(series.startswith("forewarn_inference_time_to_first_token_seconds_bucket{") for series in metrics)
        assert any("random weights" in line for line in daemon.lines)
        (worker,) = [child for child in daemon.children() if child.cmdline()[-1] == "worker.child"]
        assert worker.nice() == 1
        (ready,) = [line for line in daemon.lines if "the worker answers requests" in line]
        url = ready.partition('"url":"')[2].partition('"')[0]
        question = {"prompt": "hello", "max_tokens": 8}
        completion = urllib3.request("POST", f"{url}/v1/completions", json=question).json()
        assert completion["usage"]["completion_tokens"] >= 1

        (tmp_path / "data.toml").write_text(f"{CONFIG}[alerts]\nevaluate_every = 1\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for(lambda: any("configuration read again" in line for line in daemon.lines))
        daemon.wait_for(lambda: daemon.metrics().get('forewarn_collector_success{collector="endpoint:worker"}') == 1)
        assert worker in daemon.children()  # nothing changed for it

        status, seconds = daemon.terminate()
        assert status == 0
        assert seconds < 5
        assert not worker.is_running()


def answered(metrics: dict[str, float]) -> dict[str, float] | None:
    done = [value for series, value in metrics.items() if "inference_request_duration_seconds_count" in series]
    return metrics if done and min(done) >= 1 else None


@pytest.mark.timed
@pytest.mark.slow
def test_it_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "forewarn.toml"
    config.write_text(CONFIG)
    command = [str(FOREWARN), "worker", "run", "--config", str(config), "--data-dir", str(tmp_path / "data")]
    worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert worker.stderr is not None
    try:
        for line in worker.stderr:
            if "the worker answers requests" in line:
                break
        else:
            pytest.fail("it never answered")
        url = line.partition('"url":"')[2].partition('"')[0]
        assert urllib3.request("GET", f"{url}/healthz").status == 200
        started = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        assert time.monotonic() - started < 5
    finally:
        worker.kill()
        worker.wait()
        worker.stderr.close()
