"""A roll-over between two sendings of one document, on real servers: it is there once."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.elasticsearch import Server
from tests.support.logship import lines, shipping, wait_for
from tests.support.relay import Relay

pytestmark = [pytest.mark.elasticsearch]

LINES = 4000


def counted(server: Server, stream: str) -> int:
    return server.count(stream) if server.exists(stream) else 0


def settings_for(url: str, dataset: str, path: Path) -> dict[str, Any]:
    return {"url": url, "dataset": dataset, "file": [{"path": str(path)}], "bulk_bytes": 200_000}


def distinct(server: Server, stream: str) -> int:
    return len({document["_id"] for document in server.documents(stream)})


def test_kill_between_the_roll_over_and_the_acknowledgement(
    each_elasticsearch: Server, dataset: str, tmp_path: Path
) -> None:
    server, stream = each_elasticsearch, f"logs-{dataset}-default"
    path = tmp_path / "server.log"
    path.write_bytes(b"\n".join(lines(LINES)) + b"\n")
    with Relay(server.url) as relay:
        relay.holding.set()
        with shipping(settings_for(relay.url, dataset, path), tmp_path / "data") as child:
            wait_for(lambda: relay.kept == 4, "all connections waiting")
            arrived = counted(server, stream)
            assert 0 < arrived < LINES
            server.call("POST", f"/{stream}/_rollover")
            child.kill()
    with shipping(settings_for(server.url, dataset, path), tmp_path / "data") as child:
        wait_for(lambda: child.value("forewarn_logs_lag_bytes", path=str(path)) == 0, "no lag")
        assert child.value("forewarn_logs_lines_total", outcome="duplicate") == arrived
    assert server.count(stream) == LINES
    assert distinct(server, stream) == LINES


def test_lost_answers_and_a_roll_over_before_the_next_try(
    each_elasticsearch: Server, dataset: str, tmp_path: Path
) -> None:
    server, stream = each_elasticsearch, f"logs-{dataset}-default"
    path = tmp_path / "server.log"
    path.write_bytes(b"\n".join(lines(LINES)) + b"\n")
    with Relay(server.url) as relay:
        relay.holding.set()
        with shipping(settings_for(relay.url, dataset, path), tmp_path / "data") as child:
            wait_for(lambda: relay.kept == 4, "all connections waiting")
            server.call("POST", f"/{stream}/_rollover")
            relay.lose()
            wait_for(lambda: child.value("forewarn_logs_lag_bytes", path=str(path)) == 0, "no lag")
            assert (child.value("forewarn_logs_lines_total", outcome="duplicate") or 0) > 0
    assert server.count(stream) == LINES
    assert distinct(server, stream) == LINES
