"""From a line in a file to a webhook, a data stream, the API and the command; over a kill in between."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.bulk_sink import BulkSink
from tests.support.daemon import RunningDaemon, forewarn, running
from tests.support.listener import Listener, listening

CALM = "2026-03-01 10:00:00 INFO [engine.py:10] Finished request, {n} tokens\n"
FATAL = (
    "2026-03-01 10:00:01 ERROR [worker.py:7] CUDA error: an illegal memory access was encountered, token hf_{secret}\n"
)
SECRET = "abcdefghijklmnopqrstuvwxyzABCDEF"


def config_of(log: Path, sink: BulkSink, listener: Listener) -> str:
    return (
        "[collector]\ninterval = 1\n[alerts]\ngroup_wait = 0\nevaluate_every = 1\n"
        f'[[alerts.receiver]]\nname = "ops"\nurl = "{listener.url}"\n'
        f'[logs]\nurl = "{sink.url}"\ndataset = "vllm"\n[[logs.file]]\npath = "{log}"\n'
        "[logs.anomalies]\nlearning = 3\n"
    )


def events_in(sink: BulkSink) -> list[dict[str, Any]]:
    return [one for one in sink.documents.values() if one["data_stream"]["dataset"] == "forewarn.anomalies"]


def alerts_at(listener: Listener) -> list[dict[str, Any]]:
    found = [alert for request in listener.requests for alert in request.json()["alerts"]]
    return [alert for alert in found if alert["labels"]["alertname"] == "LogsUnusual"]


def series_of(daemon: RunningDaemon) -> dict[str, float]:
    return {
        name: value
        for name, value in daemon.metrics().items()
        if "template_lines_total" in name and 'dataset="vllm"' in name
    }


@pytest.mark.timed
@pytest.mark.slow
def test_a_new_error_is_told_shipped_and_read_once(tmp_path: Path) -> None:
    log, data = tmp_path / "vllm.log", tmp_path / "data"
    log.write_text("".join(CALM.format(n=n) for n in range(100)))
    with BulkSink() as sink, listening() as listener:
        config = config_of(log, sink, listener)
        with running(data, config=config) as daemon:
            daemon.wait_for(lambda: sum(series_of(daemon).values()) == 100, 180)
            time.sleep(3)
            with log.open("a") as more:
                more.write("".join(CALM.format(n=n) for n in range(5)) + FATAL.format(secret=SECRET))
            daemon.wait_for(lambda: alerts_at(listener), 120)
            [alert, *_] = alerts_at(listener)
            assert alert["labels"]["dataset"] == "vllm"
            assert alert["labels"]["severity"] == "info"
            assert "a new kind of line" in alert["annotations"]["summary"]
            assert "illegal memory access" in alert["annotations"]["template"]
            daemon.wait_for(lambda: events_in(sink))
            [told] = daemon.get("/v1/logs/anomalies")["anomalies"]
            assert told["id"] == alert["annotations"]["anomaly"]
            known = daemon.get("/v1/logs/templates")["templates"]
            ours = [one for one in known if one["datasets"] == ["vllm"]]
            assert {one["level"] for one in ours} == {"info", "error"}
            assert "illegal memory access" in " ".join(one["template"] for one in ours)
            daemon.process.kill()
            daemon.process.wait()
        with running(data, config=config) as daemon:
            daemon.wait_for(lambda: daemon.metrics().get('forewarn_logs_anomalies_active{kind="new_template"}') == 1)
        listed = json.loads(forewarn("logs", "anomalies", "--json", "--data-dir", str(data)).stdout)
        live = json.loads(forewarn("logs", "templates", "--live", "--json", "--data-dir", str(data)).stdout)
    assert SECRET not in json.dumps([events_in(sink), told, alert, live]), "examples are masked like documents"
    assert [one["id"] for one in listed] == [told["id"]]
    assert {one["id"] for one in ours} <= {one["id"] for one in live["templates"]}
    assert len([one for one in sink.documents.values() if one["data_stream"]["dataset"] == "vllm"]) == 106
    [document] = events_in(sink)
    assert (document["anomaly"]["id"], document["event"]["action"]) == (told["id"], "log-anomaly-begun")
    assert document["log"]["level"] == "warning"
    assert not sink.doubles
