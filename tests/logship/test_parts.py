"""Settings, names of generations, the checkpoint's account, the child without its extra."""

import contextlib
import socket
import sqlite3
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from forewarn.base.errors import ConfigError
from forewarn.base.sqlite import migrate, open_writer
from logship.checkpoint import MIGRATIONS, Checkpoint
from logship.delivery.answers import Item, read_answer
from logship.delivery.bulk import Bulk
from logship.delivery.ledger import Ledger
from logship.engine.times import Carried
from logship.feed import Anchor, FileState, Span
from logship.files.identity import Fingerprint, Identity, file_id, identify
from logship.files.rotation import bases, by_family
from logship.settings import LogsSettings
from logship.streams import Stream
from tests.support.bulk_sink import BulkSink
from tests.support.logship import ShipperChild, shipping, wait_for


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"url": "elastic:9200"}, "is no address"),
        ({"url": "https://u:p@elastic:9200"}, "must not hold a login"),
        ({"username": "u"}, "belong together"),
        ({"username": "u", "password_file": "/p", "api_key_file": "/k"}, "either username"),
        ({"file": [{"path": "relative.log"}]}, "is not absolute"),
        ({"file": [{"path": "/x", "timezone": "Mars/Olympus"}]}, "is no time zone"),
        ({"dataset": "Has-Dashes"}, "pattern"),
        ({"files": []}, "Extra inputs"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        LogsSettings.model_validate(settings)


def test_off_until_there_is_an_address_and_a_file() -> None:
    assert not LogsSettings().enabled
    assert not LogsSettings.model_validate({"url": "http://e:9200"}).enabled
    settings = LogsSettings.model_validate(
        {"url": "http://e:9200/", "file": [{"path": "/a"}, {"path": "/b", "dataset": "vllm"}, {"path": "/c"}]}
    )
    assert settings.enabled
    assert settings.url == ("http://e:9200",)
    assert settings.streams == ("logs-forewarn-default", "logs-vllm-default")


def test_the_streams_that_are_written_to_are_those_of_our_own_lines_and_of_anomalies_too() -> None:
    told = {"url": "http://e:9200", "file": [{"path": "/a", "dataset": "app"}]}
    everything = ("logs-app-default", "logs-forewarn-default", "logs-forewarn.anomalies-default")
    assert LogsSettings.model_validate(told).written == everything
    assert LogsSettings.model_validate(told | {"own": False, "templates": False}).written == everything[:1]
    assert LogsSettings().written == everything[1:]


@pytest.mark.parametrize("url", ["elastic:secret@es:9200", "https://elastic:secret@es:9200/x", "ftp://u:secret@es"])
def test_a_login_in_an_address_is_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError, match="must not hold a login") as caught:
        LogsSettings.model_validate({"url": url})
    assert "secret" not in caught.value.errors(include_input=False, include_url=False)[0]["msg"]


@pytest.mark.parametrize(
    ("name", "yes"),
    [
        ("app.log.1", True),
        ("app.log.12", True),
        ("app.log-20260101", True),
        ("app.log.2026-01-01_10", True),
        ("app.1.log", True),
        ("app-2026-01-01.log", True),
        ("app.log", False),
        ("app.log.old", False),
        ("app.log.err", False),
        ("app2.log", False),
        ("myapp.log.1", False),
    ],
)
def test_names_of_generations(name: str, *, yes: bool) -> None:
    assert ("app.log" in bases(name)) is yes


def test_generations_belong_to_their_live_file() -> None:
    paths = [Path(f"/l/{name}") for name in ("app.log.2", "app.log", "app.log.1", "web-20260101.log", "app.log.err")]
    found = by_family(paths, [])
    assert set(found) == {Path("/l/app.log"), Path("/l/web-20260101.log"), Path("/l/app.log.err")}
    assert sorted(found[Path("/l/app.log")]) == [Path("/l/app.log.1"), Path("/l/app.log.2")]
    assert by_family([Path("/l/app.log.1")], [Path("/l/app.log")]) == {Path("/l/app.log"): [Path("/l/app.log.1")]}


def a_stream(name: str = "f") -> Stream:
    return Stream(name, "/l/app.log", Identity(1, 2**63 + 5, 3), 0, Fingerprint.of(b""), 0, b"", Carried(), 10, 20)


CARRIED = Carried(3, 1 << 63 | 1, b"2026-03-01T10:20:30Z")


def a_span(start: int, end: int, name: str = "f") -> Span:
    return Span(name, start, end, FileState(b"m%d" % end, CARRIED, b"head", 30))


def test_the_offset_moves_over_a_prefix_without_gaps_and_survives(tmp_path: Path) -> None:
    path = tmp_path / "logship.db"
    checkpoint = Checkpoint(path)
    checkpoint.add(a_stream())
    checkpoint.anchor([Anchor("f", 10, 1), Anchor("f", 30, 2)])
    ledger = Ledger(checkpoint)
    ledger.start("f", 0)
    ledger.settle([a_span(10, 20)])
    assert not ledger.commit()
    ledger.settle([a_span(20, 30), a_span(0, 10)])
    ledger.settle([a_span(40, 50)])
    assert (ledger.reached("f"), ledger.kept("f")) == (30, 0)
    assert ledger.commit()
    assert ledger.kept("f") == 30
    assert not ledger.commit()
    checkpoint.close()
    again = Checkpoint(path)
    stream = again.get("f")
    assert (stream.acknowledged, stream.marker, stream.carried, stream.modified_ns) == (30, b"m30", CARRIED, 30)
    assert stream.identity == Identity(1, 2**63 + 5, 3)
    assert again.anchors(stream) == []
    again.change({"f": {"acknowledged": 5}})
    assert path.stat().st_mode & 0o777 == 0o600
    again.close()


def test_what_is_no_file_keeps_its_own_state(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "logship.db")
    ledger = Ledger(checkpoint)
    ledger.start("journal", 7)
    ledger.settle([Span("journal", 9, 12, b"cursor 12"), Span("journal", 7, 9, b"cursor 9")])
    assert ledger.commit()
    checkpoint.close()
    again = Checkpoint(tmp_path / "logship.db")
    assert again.place("journal") == (12, b"cursor 12")
    assert again.place("another") is None
    again.close()


def test_a_checkpoint_of_an_older_version_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "logship.db"
    with contextlib.closing(open_writer(path)) as connection:
        migrate(connection, path, "logship", MIGRATIONS[:2])
        with connection:
            row = (
                "f",
                "/l/app.log",
                1,
                2,
                3,
                0,
                0,
                Fingerprint.of(b"").digest,
                5,
                b"m",
                b"2026-03-01T10:20:30Z",
                10,
                20,
                0,
            )
            connection.execute(f"INSERT INTO streams VALUES (1, {', '.join('?' * len(row))})", row)
    checkpoint = Checkpoint(path)
    stream = checkpoint.get("f")
    assert (stream.acknowledged, stream.carried) == (5, Carried(stamp=b"2026-03-01T10:20:30Z"))
    checkpoint.close()


def test_a_change_of_one_attribute_keeps_what_another_thread_changed(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "logship.db")
    checkpoint.add(a_stream())

    def change(name: str) -> None:
        for number in range(1, 51):
            checkpoint.change({"f": {name: number}})

    threads = [threading.Thread(target=change, args=(name,)) for name in ("acknowledged", "modified_ns")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (checkpoint.get("f").acknowledged, checkpoint.get("f").modified_ns) == (50, 50)
    checkpoint.close()


def test_years_of_rotations_cost_neither_memory_nor_time(tmp_path: Path) -> None:
    path, generations = tmp_path / "logship.db", 20_000
    checkpoint = Checkpoint(path)
    checkpoint.add(a_stream("live"))
    checkpoint.close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TEMP TABLE old AS SELECT * FROM streams")
        connection.execute("UPDATE old SET finished = 1, marker = zeroblob(64), number = NULL")
        rows = "WITH RECURSIVE n(i) AS (VALUES (100) UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        columns = ", ".join(row[1] for row in connection.execute("PRAGMA table_info(streams)"))
        values = columns.replace("file_id", "'old' || i").replace("inode", "i")
        connection.execute(f"{rows} INSERT INTO streams ({columns}) SELECT {values} FROM n, old", (generations + 99,))
    tracemalloc.start()
    again = Checkpoint(path)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 500_000
    began = time.process_time()
    found = [again.find(Identity(1, 100 + number, 3)) for number in range(2000)]
    assert time.process_time() - began < 1
    assert [stream.file_id for stream in found if stream] == [f"old{100 + number}" for number in range(2000)]
    assert (again.has("old100"), again.has("new"), again.get("old100").finished) == (True, False, True)
    assert len(again.of_path("/l/app.log")) == generations + 1
    assert [stream.file_id for stream in again.unfinished("/l/app.log")] == ["live"]
    again.close()


def test_a_stream_that_is_finished_keeps_what_had_arrived(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "logship.db")
    checkpoint.add(a_stream())
    ledger = Ledger(checkpoint)
    ledger.start("f", 0)
    ledger.settle([a_span(0, 10)])
    ledger.finish("f")
    ledger.settle([a_span(10, 20)])
    assert not ledger.commit()
    assert (checkpoint.get("f").acknowledged, checkpoint.get("f").finished) == (10, True)
    checkpoint.change({"f": {"finished": False}})
    ledger.start("f", checkpoint.get("f").acknowledged)
    assert (ledger.reached("f"), [stream.file_id for stream in checkpoint.unfinished("/l/app.log")]) == (10, ["f"])
    checkpoint.close()


def test_ids_of_files_differ_where_files_do(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x\n")
    with path.open("rb") as file:
        identity = identify(file.fileno())
    assert (identity.device, identity.inode) == (path.stat().st_dev, path.stat().st_ino)
    names = {file_id(identity, epoch, line) for epoch in range(3) for line in (b"a\n", b"b\n")}
    assert len(names) == 6
    assert file_id(identity, 0, b"a\n") in names


@pytest.mark.parametrize(
    ("status", "kind", "fate"),
    [
        (201, "", "acknowledged"),
        (409, "version_conflict_engine_exception", "duplicate"),
        (429, "es_rejected_execution_exception", "retry"),
        (503, "unavailable_shards_exception", "retry"),
        (403, "cluster_block_exception", "pause"),
        (404, "index_not_found_exception", "pause"),
        (400, "index_closed_exception", "pause"),
        (400, "document_parsing_exception", "dead"),
        (413, "request_too_large", "dead"),
    ],
)
def test_fates(status: int, kind: str, fate: str) -> None:
    assert Item(status, kind).fate == fate


def test_a_document_set_aside_by_the_server_is_quarantined() -> None:
    answer = read_answer(200, b'{"errors":false,"items":[{"create":{"status":201,"failure_store":"used"}}]}', None, 1)
    assert [item.fate for item in answer.items] == ["quarantined"]


def test_an_answer_without_errors_speaks_of_all_or_of_none() -> None:
    one = b'{"create":{"status":201}}'
    assert read_answer(200, b'{"errors":false,"items":[%s,%s]}' % (one, one), None, 2).status == 200
    assert read_answer(200, b'{"errors":false,"items":[]}', None, 2).status == 200
    assert read_answer(200, b'{"errors":false,"items":[%s]}' % one, None, 2).status == 0


@contextlib.contextmanager
def answering(body: bytes, status: bytes = b"200 OK", header: bytes = b"X: x") -> Iterator[str]:
    """A server that answers one request so; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                head = b"HTTP/1.1 %s\r\n%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                connection.sendall(head % (status, header, len(body)) + body)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(60)


@pytest.mark.parametrize("answer", [b'{"items":["x"]}', b'{"items":[{}]}', b'{"items":[7]}', b"[]", b"<html>"])
def test_an_answer_that_is_none_is_no_end_of_the_sender(answer: bytes) -> None:
    with answering(answer) as url:
        bulk = Bulk(LogsSettings.model_validate({"url": url}))
        assert bulk.post("s", b"{}\n{}\n", 1).status == 0


@pytest.mark.parametrize(("asked", "wait"), [(b"7", 7.0), (b"99999999", 300.0), (b"soon", 0.0), (b"\xb2", 0.0)])
def test_the_wait_that_a_server_asks_for(asked: bytes, wait: float) -> None:
    with answering(b"{}", b"429 Too Many Requests", b"Retry-After: " + asked) as url:
        answer = Bulk(LogsSettings.model_validate({"url": url})).post("s", b"{}\n{}\n", 1)
    assert (answer.status, answer.retry_after) == (429, wait)


@pytest.mark.parametrize("text", ["k€y", "two\nlines"])
def test_a_key_that_no_header_can_carry_is_named_and_not_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text, encoding="utf-8")
    settings = LogsSettings.model_validate({"url": "http://127.0.0.1:9", "api_key_file": file})
    with pytest.raises(ConfigError, match="holds no API key") as raised:
        Bulk(settings)
    assert text not in str(raised.value)


def off(child: ShipperChild) -> list[dict[str, Any]]:
    """The frames in which it says why it is off."""
    return [frame for frame in child.frames if frame["kind"] == "off"]


def without_streams(directory: Path) -> None:
    directory.mkdir()
    Checkpoint(directory / "logship.db").close()
    with contextlib.closing(sqlite3.connect(directory / "logship.db")) as connection:
        connection.execute("CREATE TRIGGER fault BEFORE INSERT ON streams BEGIN SELECT RAISE(ABORT, 'no room'); END")


def test_a_shipper_that_can_no_longer_read_ends_and_says_why(tmp_path: Path) -> None:
    """A thread that dies in silence would leave a process that looks alive and ships nothing."""
    without_streams(tmp_path / "data")
    (tmp_path / "app.log").write_bytes(b"line\n")
    with BulkSink() as sink:
        settings = {"url": sink.url, "file": [{"path": str(tmp_path / "app.log")}]}
        with shipping(settings, tmp_path / "data") as child:
            assert child.process.wait(200) == 1
    [told] = [line for line in (tmp_path / "data" / "stderr.log").read_text().splitlines() if "broke off" in line]
    assert "no room" in told


def test_a_checkpoint_that_cannot_be_used_is_one_line_and_tried_again(tmp_path: Path) -> None:
    """A disk may have room again, a damaged file may be moved away: to be off for good would be forgotten."""
    (tmp_path / "data").mkdir()
    checkpoint = tmp_path / "data" / "logship.db"
    checkpoint.write_bytes(b"this is no database, whatever its name may say" * 100)
    (tmp_path / "app.log").write_bytes(b"line\n")
    with BulkSink() as sink:
        settings = {"url": sink.url, "file": [{"path": str(tmp_path / "app.log")}]}
        with shipping(settings, tmp_path / "data") as child:
            assert child.process.wait(200) == 1
            wait_for(lambda: bool(off(child)), "the word")
            assert "logship.db" in off(child)[0]["reason"]
        [told] = (tmp_path / "data" / "stderr.log").read_text().splitlines()
        assert "logship.db" in told
        checkpoint.unlink()
        with shipping(settings, tmp_path / "data"):
            wait_for(lambda: len(sink.documents) == 1, "the line")


@pytest.mark.timed
@pytest.mark.parametrize("missing", ["elasticsearch", "httptools", "isal"])
def test_without_the_extra_the_room_says_so_and_stays_off(tmp_path: Path, missing: str) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(f"import sys\nsys.modules['{missing}'] = None\n")
    (tmp_path / "app.log").write_bytes(b"line\n")
    settings = {"url": "http://127.0.0.1:9", "file": [{"path": str(tmp_path / "app.log")}]}
    environment = {"PYTHONPATH": str(tmp_path / "without")}
    with shipping(settings, tmp_path / "data", environment) as child:
        wait_for(lambda: bool(off(child)), "the word")
        assert "forewarn[logs]" in off(child)[0]["reason"]
        assert child.process.poll() is None
        assert child.stop() < 2.0
    assert "forewarn[logs]" in (tmp_path / "data" / "stderr.log").read_text()


def test_a_secret_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"line\n")
    settings = {
        "url": "http://127.0.0.1:9",
        "file": [{"path": str(tmp_path / "app.log")}],
        "api_key_file": str(tmp_path / "missing"),
    }
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: bool(off(child)), "the word")
        assert str(tmp_path / "missing") in off(child)[0]["reason"]
