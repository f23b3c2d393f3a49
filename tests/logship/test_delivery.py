"""A real log file into a real Elasticsearch, with ends and faults on either side."""

import random
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from forewarn.cli.app import app
from tests.support.elasticsearch import LocalServer, Server
from tests.support.logship import lines, shipping, wait_for

pytestmark = [pytest.mark.elasticsearch]


def settings_for(server: Server, dataset: str, path: Path | str, **more: Any) -> dict[str, Any]:
    return {"url": server.url, "dataset": dataset, "file": [{"path": str(path)}], "bulk_bytes": 900_000} | more


def stream_of(dataset: str) -> str:
    return f"logs-{dataset}-default"


def counted(server: Server, dataset: str) -> int:
    return server.count(stream_of(dataset)) if server.exists(stream_of(dataset)) else 0


def wait_until_counted(server: Server, dataset: str, count: int, seconds: float = 40.0) -> None:
    wait_for(lambda: counted(server, dataset) >= count, f"{count} documents", seconds)
    assert counted(server, dataset) == count


def test_a_file_arrives_line_by_line(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    written = lines(3000)
    path = tmp_path / "server.log"
    path.write_bytes(b"\n".join(written) + b"\n")
    settings = settings_for(elasticsearch, dataset, path)
    settings["file"][0]["labels"] = {"role": "inference"}
    with shipping(settings, tmp_path / "data") as child:
        wait_until_counted(elasticsearch, dataset, 3000)
        wait_for(lambda: child.value("forewarn_logs_lines_total", outcome="acknowledged") == 3000, "the count")
        assert child.value("forewarn_logs_up") == 1
        assert child.value("forewarn_logs_bytes_total") == path.stat().st_size
        wait_for(lambda: child.value("forewarn_logs_lag_bytes", path=str(path)) == 0, "no lag")
        assert child.value("forewarn_logs_last_ack_timestamp_seconds") == pytest.approx(time.time(), abs=30)
    documents = elasticsearch.documents(stream_of(dataset))
    offset = 0
    for line, document in zip(written, documents, strict=True):
        assert document["message"] == line.decode()
        assert document["log"]["offset"] == offset
        assert document["_id"].endswith(f"-{offset:012x}")
        offset += len(line) + 1
    first = documents[0]
    assert first["host"] == {"name": "node-1"}
    assert first["event"] == {"dataset": dataset}
    assert first["data_stream"] == {"type": "logs", "dataset": dataset, "namespace": "default"}
    assert first["labels"] == {"role": "inference"}
    assert first["log"]["file"] == {"path": str(path)}


def test_nothing_is_sent_again_after_an_orderly_end(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"\n".join(lines(2000)) + b"\n")
    settings = settings_for(elasticsearch, dataset, path)
    with shipping(settings, tmp_path / "data") as child:
        wait_until_counted(elasticsearch, dataset, 2000)
        assert child.stop() < 2.0
        assert child.process.returncode == 0
    with path.open("ab") as log:
        log.write(b"2026-03-02 00:00:00 INFO one more\n")
    with shipping(settings, tmp_path / "data") as child:
        wait_until_counted(elasticsearch, dataset, 2001)
        wait_for(lambda: child.value("forewarn_logs_lines_total", outcome="acknowledged") == 1, "the count")
        assert child.value("forewarn_logs_lines_total", outcome="duplicate") == 0


@pytest.mark.slow
def test_kill_of_the_shipper_at_random_moments(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    written = lines(40_000)
    path = tmp_path / "server.log"
    path.write_bytes(b"\n".join(written) + b"\n")
    settings = settings_for(elasticsearch, dataset, path, bulk_bytes=200_000)
    chance = random.Random(7)
    sent = 0
    for _ in range(4):
        with shipping(settings, tmp_path / "data") as child:
            aim = sent + chance.randrange(1_000, 4_000)
            wait_for(lambda aim=aim: counted(elasticsearch, dataset) > aim, "some of it")  # type: ignore[misc]
            child.kill()
        sent = counted(elasticsearch, dataset)
        assert sent < 40_000, "killed too late to show anything"
    with shipping(settings, tmp_path / "data"):
        wait_until_counted(elasticsearch, dataset, 40_000)


@pytest.mark.slow
def test_kill_of_the_server_in_the_middle(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    if not isinstance(elasticsearch, LocalServer):
        pytest.skip("ELASTICSEARCH_URL names a server that is not ours to kill")
    path = tmp_path / "server.log"
    path.write_bytes(b"\n".join(lines(40_000)) + b"\n")
    settings = settings_for(elasticsearch, dataset, path, bulk_bytes=200_000)
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: counted(elasticsearch, dataset) > 2_000, "a beginning")
        elasticsearch.kill()
        wait_for(lambda: child.value("forewarn_logs_up") == 0, "the shipper's notice")
        elasticsearch.start()
        wait_until_counted(elasticsearch, dataset, 40_000, 60)
        wait_for(lambda: child.value("forewarn_logs_lag_bytes", path=str(path)) == 0, "no lag")
    assert "Elasticsearch does not take logs-" in (tmp_path / "data" / "stderr.log").read_text()


def test_a_read_only_index_is_waited_for(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    """Blocks answer 429 (read only) and 403 (no writes) for each document; neither is the document's fault."""
    path = tmp_path / "server.log"
    written = lines(300)
    path.write_bytes(b"\n".join(written[:100]) + b"\n")
    stream = stream_of(dataset)
    with shipping(settings_for(elasticsearch, dataset, path), tmp_path / "data") as child:
        wait_until_counted(elasticsearch, dataset, 100)
        elasticsearch.call("PUT", f"/{stream}/_settings", {"index.blocks.read_only_allow_delete": True})
        with path.open("ab") as log:
            log.write(b"\n".join(written[100:]) + b"\n")
        wait_for(lambda: child.value("forewarn_logs_up") == 0, "the shipper's notice")
        elasticsearch.call("PUT", f"/{stream}/_settings", {"index.blocks.read_only_allow_delete": None})
        wait_until_counted(elasticsearch, dataset, 300)
        wait_for(lambda: child.value("forewarn_logs_lines_total", outcome="acknowledged") == 300, "the count")
        assert child.value("forewarn_logs_lines_total", outcome="dead") == 0


def test_a_write_block_pauses_and_loses_nothing(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"first\n")
    stream = stream_of(dataset)
    settings = settings_for(elasticsearch, dataset, path)
    with shipping(settings, tmp_path / "data"):
        wait_until_counted(elasticsearch, dataset, 1)
        elasticsearch.call("PUT", f"/{stream}/_settings", {"index.blocks.write": True})
        with path.open("ab") as log:
            log.write(b"second\n")
        wait_for(lambda: "403" in (tmp_path / "data" / "stderr.log").read_text(), "the clear line")
        elasticsearch.call("PUT", f"/{stream}/_settings", {"index.blocks.write": None})
    with shipping(settings, tmp_path / "data"):
        wait_until_counted(elasticsearch, dataset, 2)
    assert dead_letters(tmp_path / "data") == []


def dead_letters(data: Path) -> list[dict[str, Any]]:
    places = ["--config", str(data.parent / "none.toml"), "--data-dir", str(data)]
    (data.parent / "none.toml").touch()
    done = CliRunner().invoke(app, ["logs", "dead", "--json", *places])
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = orjson.loads(done.stdout)
    return found


def test_refused_documents_become_dead_letters(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    """A label that is a number in the mapping: documents with text in it are refused with 400, the others pass."""
    elasticsearch.call(
        "PUT",
        f"/_index_template/{dataset}",
        {
            "index_patterns": [stream_of(dataset)],
            "data_stream": {},
            "priority": 900,
            "template": {"mappings": {"properties": {"labels": {"properties": {"rank": {"type": "long"}}}}}},
        },
    )
    good, bad = tmp_path / "good.log", tmp_path / "bad.log"
    good.write_bytes(b"\n".join(lines(50)) + b"\n")
    bad.write_bytes(b"one\ntwo\nthree\n")
    settings = settings_for(elasticsearch, dataset, good)
    settings["file"] = [
        {"path": str(good), "labels": {"rank": "1"}},
        {"path": str(bad), "labels": {"rank": "first"}},
    ]
    with shipping(settings, tmp_path / "data") as child:
        wait_until_counted(elasticsearch, dataset, 50)
        wait_for(lambda: child.value("forewarn_logs_lines_total", outcome="dead") == 3, "three dead letters")
        wait_for(lambda: child.value("forewarn_logs_lag_bytes", path=str(bad)) == 0, "no lag")
    letters = dead_letters(tmp_path / "data")
    assert {letter["document"]["message"] for letter in letters} == {"one", "two", "three"}, "workers keep no order"
    assert len(letters) == 3
    assert {(letter["status"], letter["type"]) for letter in letters} == {(400, "document_parsing_exception")}
    assert letters[0]["index"] == stream_of(dataset)
    assert "rank" in letters[0]["reason"]


def test_too_large_requests_are_halved(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    """The test's own server takes 1 MB (a named one 100 MB: there it shows only that large requests arrive)."""
    path = tmp_path / "server.log"
    path.write_bytes(b"\n".join(lines(12_000)) + b"\n")
    settings = settings_for(elasticsearch, dataset, path, bulk_bytes=3_000_000, gzip=False)
    with shipping(settings, tmp_path / "data") as child:
        wait_until_counted(elasticsearch, dataset, 12_000)
        if isinstance(elasticsearch, LocalServer):
            wait_for(lambda: bool(child.value("forewarn_logs_bulk_requests_total", status="413")), "a 413")


def test_an_overloaded_server_is_given_time(elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    """A circuit breaker answers whole requests with 429."""
    path = tmp_path / "server.log"
    path.write_bytes(b"first\n")
    limit = "network.breaker.inflight_requests.limit"
    with shipping(settings_for(elasticsearch, dataset, path), tmp_path / "data") as child:
        wait_until_counted(elasticsearch, dataset, 1)
        elasticsearch.call("PUT", "/_cluster/settings", {"persistent": {limit: "20kb"}})
        try:
            with path.open("ab") as log:
                log.write(b"\n".join(lines(20_000)) + b"\n")
            wait_for(lambda: bool(child.value("forewarn_logs_bulk_requests_total", status="429")), "a 429")
        finally:
            elasticsearch.call("PUT", "/_cluster/settings", {"persistent": {limit: None}})
        wait_until_counted(elasticsearch, dataset, 20_001)


def test_an_unreadable_file_is_named_once_and_the_others_go_on(
    elasticsearch: Server, dataset: str, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.log", tmp_path / "bad.log"
    good.write_bytes(b"\n".join(lines(20)) + b"\n")
    bad.symlink_to(bad)  # a loop cannot be opened by anybody, root included
    settings = settings_for(elasticsearch, dataset, tmp_path / "*.log")
    with shipping(settings, tmp_path / "data"):
        wait_until_counted(elasticsearch, dataset, 20)
        time.sleep(2.2)
        bad.unlink()
        bad.write_bytes(b"now\n")
        wait_until_counted(elasticsearch, dataset, 21)
    told = (tmp_path / "data" / "stderr.log").read_text()
    assert told.count("cannot read the log file") == 1
    assert str(bad) in told
