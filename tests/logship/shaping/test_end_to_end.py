"""Lines of real files through the shipper's own process: joined, masked, kept as fields, and never lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.bulk_sink import BulkSink
from tests.support.logship import ShipperChild, shipping, wait_for

TRACE = (
    b"2026-03-01 10:00:01,000 ERROR [engine.py:7] the engine died\n"
    b"Traceback (most recent call last):\n"
    b'  File "/opt/engine.py", line 7, in step\n'
    b"    run()\n"
    b"torch.AcceleratorError: CUDA error: an illegal memory access was encountered\n"
    b"CUDA kernel errors might be asynchronously reported at some other API call.\n"
    b"For debugging consider passing CUDA_LAUNCH_BLOCKING=1\n"
)
KEY = (
    b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQ==\n-----END PRIVATE KEY-----\n"
)
SMALL = {"bulk_bytes": 20_000}
SECONDS = 120.0
"""The first process after a change compiles, beside whatever else runs."""


@pytest.fixture
def sink() -> Iterator[BulkSink]:
    with BulkSink() as running:
        yield running


def settings_for(sink: BulkSink, path: Path, wait: str = "100ms", **file: Any) -> dict[str, Any]:
    return {
        "url": sink.url,
        "file": [{"path": str(path), "timezone": "UTC", **file}],
        "multiline": {"wait": wait},
        "anomalies": {"enabled": False},
    }


def documents(sink: BulkSink) -> list[dict[str, Any]]:
    found = [document for document in sink.documents.values() if "log" in document]
    return sorted(found, key=lambda document: document["log"]["offset"])


def settled(child: ShipperChild, path: Path) -> bool:
    return child.value("forewarn_logs_lag_bytes", path=str(path)) == 0


def ship(sink: BulkSink, path: Path, directory: Path, count: int, **file: Any) -> list[dict[str, Any]]:
    with shipping(settings_for(sink, path, **file), directory) as child:
        wait_for(lambda: len(sink.documents) >= count and settled(child, path), f"{count} documents", SECONDS)
    return documents(sink)


def test_everything_that_lines_can_be(sink: BulkSink, tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    lines = (
        b"2026-03-01 10:00:00,000 INFO [api.py:1] api_key=abcdefgh for prompt: 'Tell me', n=1\n"
        + TRACE
        + b'{"time":"2026-03-01T10:00:02Z","level":"warn","msg":"from json","n":1,"password":"hunter2"}\n'
        + b"no time of its own\n"
        + KEY
    )
    path.write_bytes(lines)
    found = ship(sink, path, tmp_path / "data", 8, service="vllm", tags=["gpu"], process="api_server")
    first, trace, parsed, plain, *key = found
    assert first["message"].endswith("api_key=******** for prompt: '*******', n=1")
    assert first["service"] == {"name": "vllm"}
    assert first["process"] == {"name": "api_server"}
    assert first["tags"] == ["gpu"]
    assert trace["message"] == TRACE.decode().rstrip("\n")
    assert trace["error"]["type"] == "torch.AcceleratorError"
    assert trace["error"]["message"].startswith("CUDA error: an illegal memory access was encountered\nCUDA kernel")
    assert trace["error"]["stack_trace"].startswith("Traceback (most recent call last):\n")
    assert trace["log"]["level"] == "error"
    assert trace["log"]["offset"] == lines.index(b"2026-03-01 10:00:01")
    assert parsed["json"] == {
        "time": "2026-03-01T10:00:02Z", "level": "warn", "msg": "from json", "n": 1, "password": "*******",
    }  # fmt: skip
    assert (parsed["message"], parsed["log"]["level"]) == ("from json", "warning")
    assert parsed["@timestamp"] == "2026-03-01T10:00:02Z"
    assert plain["@timestamp"] == "2026-03-01T10:00:02Z"
    assert [set(document["message"]) for document in key[1:3]] == [{"*"}, {"*"}]
    assert len(key) == 4
    assert all("log" in document and "template" in document["log"] for document in found)


def test_a_log_of_requests(sink: BulkSink, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(
        b'10.0.0.1 - - [01/Mar/2026:10:00:00 +0000] "GET /q?prompt=hello%20you HTTP/1.1" 200 5\n  indented\n'
        b'{"@timestamp":"2026-03-01T10:00:02.5Z","message":"POST /v1","http":{"request":{"body":{"content":"x"}}},'
        b'"input":"secret","log.level":"info","ecs.version":"1.6.0"}\n'
    )
    first, second, third = ship(sink, path, tmp_path / "data", 3)
    assert '"GET /q?prompt=*********** HTTP/1.1" 200 5' in first["message"]
    assert second["message"] == "  indented"
    assert third["message"] == "POST /v1"
    assert "json" not in third
    assert third["input"] == "******"
    assert third["log"]["level"] == "info"
    assert third["log"]["file"]["path"] == str(path)
    assert third["host"]["name"] == "node-1"


def test_a_request_longer_than_a_document_shows_nothing_in_any_part(sink: BulkSink, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    said = b"private " * 20_000
    path.write_bytes(b'{"model":"m","prompt":"' + said + b'"}\n{"prompt":"short private"}\n10.0.0.1 GET /v1 200\n')
    settings = settings_for(sink, path) | SMALL | {"max_line_bytes": 64 * 1024}
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: settled(child, path), "all of it", SECONDS)
    *parts, short, last = documents(sink)
    assert len(parts) > 2
    assert parts[0]["message"].startswith('{"model":"m","prompt":"***')
    assert not any("private" in document["message"] for document in (*parts, short))
    assert short["message"] == '{"prompt":"*************"}'
    assert last["message"] == "10.0.0.1 GET /v1 200"


def test_what_comes_in_time_belongs_to_the_line_before(sink: BulkSink, tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"2026-03-01 10:00:00 ERROR first\n")
    with shipping(settings_for(sink, path, wait="60s"), tmp_path / "data"):
        with path.open("ab") as file:
            file.write(b"  second\n")
            file.flush()
            file.write(b"2026-03-01 10:00:01 INFO third\n")
        wait_for(lambda: len(sink.documents) > 0, "the first document", SECONDS)
    first, *_ = documents(sink)
    assert first["message"] == "2026-03-01 10:00:00 ERROR first\n  second"


def test_what_comes_too_late_is_a_document_of_its_own(sink: BulkSink, tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"2026-03-01 10:00:00 ERROR first\n")
    with shipping(settings_for(sink, path), tmp_path / "data") as child:
        wait_for(lambda: len(sink.documents) == 1, "the line, once it was quiet", SECONDS)
        with path.open("ab") as file:
            file.write(b"  second\n")
        wait_for(lambda: len(sink.documents) == 2 and settled(child, path), "the rest", SECONDS)
    assert [document["message"] for document in documents(sink)] == ["2026-03-01 10:00:00 ERROR first", "  second"]


def test_a_document_that_went_out_unfinished_is_not_joined_when_it_is_sent_again(
    sink: BulkSink, tmp_path: Path
) -> None:
    path = tmp_path / "server.log"
    half = TRACE.index(b"    run()")
    path.write_bytes(TRACE[:half])
    sink.fault, sink.every = "lost", 1
    with shipping(settings_for(sink, path), tmp_path / "data") as child:
        wait_for(lambda: len(sink.documents) == 1, "the first half", SECONDS)
        child.kill()
        with path.open("ab") as file:
            file.write(TRACE[half:])
        sink.every = 0
    found = ship(sink, path, tmp_path / "data", 3)
    assert "\n".join(document["message"] for document in found) == TRACE.decode().rstrip("\n")
    assert found[0]["message"].encode() + b"\n" == TRACE[:half]


def test_a_document_longer_than_a_reading(sink: BulkSink, tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    head = b"2026-03-01 10:00:00 ERROR first\n"
    rows = [b"  row %05d %s\n" % (n, b"x" * 200) for n in range(400)]
    path.write_bytes(head + b"".join(rows) + b"2026-03-01 10:00:01 INFO second\n" + b"y" * 30_000 + b"\n")
    settings = settings_for(sink, path) | SMALL
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: settled(child, path), "all of it", SECONDS)
    first, second, third = documents(sink)
    assert first["message"] == (head + b"".join(rows)).decode().rstrip("\n")
    assert second["message"] == "2026-03-01 10:00:01 INFO second"
    assert third["message"] == "y" * 30_000


def test_secrets_are_counted_and_switched_off(sink: BulkSink, tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"a password=one token=abcdefgh1234\nb password=two\nc ticket ABC-123\n")
    settings = settings_for(sink, path)
    rule = {"name": "ticket", "pattern": r"ticket (\w+)-\d", "group": 1, "trigger": "ticket"}
    settings["redact"] = {"off": ["token"], "rule": [rule]}
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: settled(child, path), "all of it", SECONDS)
        wait_for(lambda: child.value("forewarn_logs_redactions_total", rule="password") == 2, "the count", SECONDS)
        assert child.value("forewarn_logs_redactions_total", rule="ticket") == 1
        assert child.value("forewarn_logs_redactions_total", rule="token") is None
    assert [document["message"] for document in documents(sink)] == [
        "a password=*** token=abcdefgh1234",
        "b password=***",
        "c ticket ***-123",
    ]
