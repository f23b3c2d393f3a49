"""What real servers refuse, and what becomes of the documents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.elasticsearch import LocalServer, Server, local_server, started
from tests.support.logship import ShipperChild, lines, shipping, wait_for

pytestmark = [pytest.mark.elasticsearch, pytest.mark.slow]

PATIENCE = 120.0


def follow(server: Server, dataset: str, tmp_path: Path, count: int, **more: Any) -> dict[str, Any]:
    path = tmp_path / "server.log"
    path.write_bytes(b"\n".join(lines(count)) + b"\n")
    return {"url": server.url, "dataset": dataset, "file": [{"path": str(path)}], **more}


def add(settings: dict[str, Any], text: bytes) -> None:
    with Path(settings["file"][0]["path"]).open("ab") as log:
        log.write(text)


def there(server: Server, dataset: str) -> int:
    stream = f"logs-{dataset}-default"
    return server.count(stream) if server.exists(stream) else 0


def outcome(child: ShipperChild, name: str) -> float:
    return child.value("forewarn_logs_lines_total", outcome=name) or 0.0


def template(server: Server, dataset: str, **settings: Any) -> None:
    body = {
        "index_patterns": [f"logs-{dataset}-*"],
        "data_stream": {},
        "priority": 900,
        "template": {"settings": settings},
    }
    server.call("PUT", f"/_index_template/{dataset}", body)


def test_a_closed_index_is_waited_for(each_elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    server, stream = each_elasticsearch, f"logs-{dataset}-default"
    settings = follow(server, dataset, tmp_path, 50)
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: there(server, dataset) == 50, "the first", PATIENCE)
        (held,) = server.call("GET", f"/_resolve/index/{stream}")["data_streams"]
        (index,) = held["backing_indices"]
        server.call("POST", f"/{index}/_close")
        add(settings, b"2026-03-02 00:00:00 INFO one more\n")
        wait_for(lambda: "closed" in child.stderr.read_text(), "the reason", PATIENCE)
        server.call("POST", f"/{index}/_open")
        wait_for(lambda: there(server, dataset) == 51, "one more", PATIENCE)
        assert outcome(child, "dead") == 0


def test_a_failing_pipeline_is_waited_for(each_elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    """A processor that needs security, which is off here: 500 for every document."""
    server = each_elasticsearch
    broken = {"processors": [{"set_security_user": {"field": "user"}}]}
    server.call("PUT", f"/_ingest/pipeline/{dataset}", broken)
    template(server, dataset, **{"index.default_pipeline": dataset})
    with shipping(follow(server, dataset, tmp_path, 50), tmp_path / "data") as child:
        wait_for(lambda: child.value("forewarn_logs_up") == 0, "the notice", PATIENCE)
        assert there(server, dataset) == 0
        server.call("PUT", f"/_ingest/pipeline/{dataset}", {"processors": []})
        wait_for(lambda: there(server, dataset) == 50, "the documents", PATIENCE)
        assert outcome(child, "dead") == 0


def test_a_pipeline_that_is_not_there_makes_dead_letters(
    each_elasticsearch: Server, dataset: str, tmp_path: Path
) -> None:
    server = each_elasticsearch
    template(server, dataset, **{"index.default_pipeline": f"{dataset}-none"})
    with shipping(follow(server, dataset, tmp_path, 50), tmp_path / "data") as child:
        wait_for(lambda: outcome(child, "dead") == 50, "dead letters", PATIENCE)
        assert there(server, dataset) == 0


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server with room for little at once."""
    folder = tmp_path_factory.mktemp("hurried")
    limits = {"indexing_pressure.memory.limit": "120kb", "thread_pool.write.size": 1, "thread_pool.write.queue_size": 1}
    running = started(local_server(folder, settings=limits, max_content="100kb"))
    yield running
    running.close()


def test_too_much_at_once_is_sent_in_smaller_parts_and_again(
    hurried: LocalServer, dataset: str, tmp_path: Path
) -> None:
    """413 halves; 429 of whole requests and of documents is waited for; each line is there once."""
    settings = follow(hurried, dataset, tmp_path, 8000, bulk_bytes=150_000, gzip=False)
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: there(hurried, dataset) == 8000, "all of it", PATIENCE)
        for status in ("413", "429"):
            wait_for(lambda s=status: bool(child.value("forewarn_logs_bulk_requests_total", status=s)), status)  # type: ignore[misc]
        assert outcome(child, "dead") == 0
    assert there(hurried, dataset) == 8000
