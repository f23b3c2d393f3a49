"""Log files of a node, through the daemon's child, into a real Elasticsearch."""

import random
from pathlib import Path

import pytest

from tests.support.daemon import running
from tests.support.elasticsearch import Server


@pytest.mark.elasticsearch
@pytest.mark.slow
def test_a_log_file_arrives_whole_over_restarts(tmp_path: Path, elasticsearch: Server, dataset: str) -> None:
    lines = 20_000
    chance = random.Random(5)
    log = tmp_path / "server.log"
    levels = ("INFO", "WARNING", "ERROR")
    text = [
        f"2026-01-01 00:00:00,{n % 1000:03} {chance.choice(levels)} request {n} took {n % 97} ms\n"
        for n in range(lines)
    ]
    log.write_text("".join(text[: lines // 2]))
    config = (
        "[collector]\ninterval = 1\n"
        f'[logs]\nurl = "{elasticsearch.url}"\ndataset = "{dataset}"\n[[logs.file]]\npath = "{log}"\n'
    )
    stream = f"logs-{dataset}-default"
    with running(tmp_path / "data", config=config) as daemon:
        daemon.wait_for(lambda: elasticsearch.exists(stream) and elasticsearch.count(stream) > 0)
        daemon.process.kill()
        daemon.process.wait()
    with log.open("a") as more:
        more.write("".join(text[lines // 2 :]))
    with running(tmp_path / "data", config=config) as daemon:
        daemon.wait_for(lambda: elasticsearch.count(stream) == lines)
        settled = 'forewarn_logs_lines_total{outcome="acknowledged"}'
        daemon.wait_for(lambda: daemon.metrics().get(settled))
        assert daemon.metrics()['forewarn_collector_success{collector="logship"}'] == 1
        status, seconds = daemon.terminate()
        assert status == 0
        assert seconds < 5
    assert elasticsearch.count(stream) == lines


def test_an_unreadable_log_file_and_a_silent_server_harm_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.symlink_to(log)  # nobody can open it, not even root
    config = (
        "[collector]\ninterval = 1\n"
        f'[logs]\nurl = "http://127.0.0.1:9"\n[[logs.file]]\npath = "{log}"\n[[logs.file]]\npath = "{tmp_path}/*.txt"\n'
    )
    with running(tmp_path / "data", config=config) as daemon:
        daemon.wait_for(lambda: any("cannot read" in line and "server.log" in line for line in daemon.lines))
        daemon.wait_for(lambda: any("[logs] url" in line for line in daemon.lines))
        assert not any("elastic_transport" in line for line in daemon.lines)
        assert daemon.metrics()['forewarn_collector_success{collector="host"}'] == 1
        assert daemon.terminate()[0] == 0
