"""Documents in real servers, searched; what is found in them and in the files is the same."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from forewarn.base.clock import SystemClock, parse_time
from forewarn.cli.app import app
from logship.elastic.control import Control
from logship.search.asked import Asked
from logship.search.both import search
from logship.search.elastic import Elastic
from logship.search.errors import AskedError, SearchError, UnreachableError
from logship.settings import LogsSettings
from tests.support.elasticsearch import Server
from tests.support.logship import lines, shipping, wait_for
from tests.support.opensearch_server import OpenSearch
from tests.support.ports import free_port

pytestmark = [pytest.mark.elasticsearch]

BEGIN = parse_time("2026-03-01T10:00:00Z")


def settings_for(server: Server, dataset: str) -> LogsSettings:
    return LogsSettings.model_validate({"url": server.url, "dataset": dataset, "file": [{"path": "/var/log/a.log"}]})


def documents(dataset: str, count: int, host: str = "node-1", path: str = "/var/log/a.log") -> dict[str, Any]:
    levels = ("info", "error", "debug")
    return {
        f"{host}-{path}-0-{number}": {
            "@timestamp": BEGIN + number // 7 * 1000,
            "message": f"step {number} of CUDA out of memory",
            "log": {
                "offset": number,
                "level": levels[number % 3],
                "template": number % 5,
                "file": {"path": path},
            },
            "host": {"name": host},
            "data_stream": {"type": "logs", "dataset": dataset, "namespace": "default"},
        }
        for number in range(count)
    }


def rfc(sent: dict[str, Any]) -> dict[str, Any]:
    from forewarn.base.clock import rfc3339

    return {name: {**each, "@timestamp": rfc3339(each["@timestamp"])} for name, each in sent.items()}


def filled(server: Server, dataset: str) -> LogsSettings:
    settings = settings_for(server, dataset)
    Control(settings).prepare(settings.streams)
    for sent in (documents(dataset, 2500), documents(dataset, 100, "node-2", "/var/log/b.log")):
        assert set(server.bulk(settings.streams[0], rfc(sent))) == {201}
    return settings


def offsets(settings: LogsSettings, **asked: Any) -> list[int | None]:
    server = Elastic(settings)
    try:
        return [line.offset for line in server.search(Asked(**asked))]
    finally:
        server.close()


def check(server: Server, dataset: str) -> None:
    settings = filled(server, dataset)
    node = {"host": "node-1"}
    assert offsets(settings, text="cuda MEMORY", limit=5, **node) == [2495, 2496, 2497, 2498, 2499]
    assert offsets(settings, text="memory", limit=10_000, **node) == list(range(2500))
    assert offsets(settings, text='"out of memory" step', limit=3, level="error", **node) == [2491, 2494, 2497]
    assert offsets(settings, text='"of out memory"') == []
    assert offsets(settings, template=3, limit=2, **node) == [2493, 2498]
    assert offsets(settings, file="b.log", limit=2) == [98, 99]
    assert offsets(settings, file="/var/log/b.log", limit=2) == [98, 99]
    assert offsets(settings, since_ms=BEGIN + 2000, until_ms=BEGIN + 3000, **node) == list(range(14, 21))
    assert offsets(settings, dataset=dataset, host="node-2", limit=1) == [99]
    assert offsets(settings, text="1200", context=2, **node) == [1198, 1199, 1200, 1201, 1202]
    for unknown in ("nothingofthisname", "nothingofthis*"):
        with pytest.raises(AskedError, match="nothingofthis"):
            offsets(settings, dataset=unknown)


def test_searches(each_elasticsearch: Server, dataset: str) -> None:
    check(each_elasticsearch, dataset)


def test_searches_in_opensearch(opensearch: OpenSearch, dataset: str) -> None:
    check(opensearch, dataset)


def test_following_shows_each_line_once(each_elasticsearch: Server, dataset: str) -> None:
    settings = settings_for(each_elasticsearch, dataset)
    Control(settings).prepare(settings.streams)
    (stream,) = settings.streams
    sent = list(rfc(documents(dataset, 300)).items())
    server, asked = Elastic(settings), Asked("cuda", since_ms=BEGIN - 1000)
    seen: dict[str, int] = {}
    shown: list[int | None] = []
    assert server.follow(asked, seen) == []
    for part in (sent[:100], sent[200:], sent[100:200]):
        each_elasticsearch.bulk(stream, dict(part))
        shown += [line.offset for line in server.follow(asked, seen)]
        shown += [line.offset for line in server.follow(asked, seen)]
    server.close()
    assert sorted(number for number in shown if number is not None) == list(range(300))
    assert len(shown) == 300


def test_following_shows_no_old_line_behind_the_newest(each_elasticsearch: Server, dataset: str) -> None:
    settings = settings_for(each_elasticsearch, dataset)
    Control(settings).prepare(settings.streams)
    (stream,) = settings.streams
    sent = list(rfc(documents(dataset, 1300)).items())  # of the last three minutes
    late = [("late", sent[1150][1] | {"message": "a late line of CUDA"})]
    server, asked, seen = Elastic(settings), Asked("cuda", since_ms=BEGIN - 1000), dict[str, int]()
    each_elasticsearch.bulk(stream, dict(sent[:1200]))
    assert [line.offset for line in server.follow(asked, seen, 3)] == [1197, 1198, 1199]
    assert server.follow(asked, seen) == []
    each_elasticsearch.bulk(stream, dict([*sent[1200:], *late]))
    assert [line.offset for line in server.follow(asked, seen)] == [1150, *range(1200, 1300)]
    assert server.follow(asked, seen) == []
    server.close()


def test_following_keeps_up_with_more_lines_than_it_looks_at(elasticsearch: Server, dataset: str) -> None:
    """A second's worth of lines is more than one look takes: the newest are shown, and it goes on."""
    settings = settings_for(elasticsearch, dataset)
    Control(settings).prepare(settings.streams)
    (stream,) = settings.streams
    sent = list(rfc(documents(dataset, 200)).items())
    server, asked, seen = Elastic(settings), Asked("cuda", since_ms=BEGIN - 1000), dict[str, int]()
    elasticsearch.bulk(stream, dict(sent[:100]))
    assert [line.offset for line in server.follow(asked, seen, 50)] == [*range(50, 100)]
    assert server.follow(asked, seen, 50) == []
    elasticsearch.bulk(stream, dict(sent[100:]))
    assert [line.offset for line in server.follow(asked, seen, 50)] == [*range(150, 200)]
    server.close()


def test_the_server_and_the_files_agree(each_elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"\n".join(lines(2000)) + b"\n")
    settings = {"url": each_elasticsearch.url, "dataset": dataset, "file": [{"path": str(path), "timezone": "UTC"}]}
    stream = f"logs-{dataset}-default"
    with shipping(settings, tmp_path / "data"):
        wait_for(
            lambda: each_elasticsearch.exists(stream) and each_elasticsearch.count(stream) == 2000, "documents", 90
        )
    held = LogsSettings.model_validate(settings)
    for text, level in (("finished request", None), ("seq=00000123", None), ("", "error"), ("models", "warning")):
        asked = Asked(text, level=level, limit=10_000)
        there = search(held, asked, "node-1", SystemClock(), "elasticsearch")
        here = search(held, asked, "node-1", SystemClock(), "local")
        assert [(line.offset, line.time_ms, line.level, line.message) for line in there.lines] == [
            (line.offset, line.time_ms, line.level, line.message) for line in here.lines
        ]
        assert there.lines


def test_a_server_that_is_away_and_one_that_refuses(each_elasticsearch: Server, dataset: str) -> None:
    nobody = LogsSettings.model_validate({"url": f"http://127.0.0.1:{free_port()}", "dataset": dataset})
    with pytest.raises(UnreachableError):
        search(nobody, Asked("x"), "node-1", SystemClock(), "elasticsearch")
    with pytest.raises(SearchError, match="nor the files"):
        search(nobody, Asked("x"), "node-1", SystemClock())
    stream = f"logs-{dataset}-default"
    wrong = {"mappings": {"properties": {"@timestamp": {"type": "date"}, "message": {"type": "long"}}}}
    template = {"index_patterns": [stream], "data_stream": {}, "priority": 900, "template": wrong}
    each_elasticsearch.call("PUT", f"/_index_template/{dataset}", template)
    each_elasticsearch.bulk(stream, {"f-0": {"@timestamp": "2026-03-01T10:00:00Z", "message": 3}})
    with pytest.raises(SearchError) as caught:
        search(settings_for(each_elasticsearch, dataset), Asked('"no number"'), "node-1", SystemClock())
    assert not isinstance(caught.value, UnreachableError)
    assert caught.value.hint


def test_the_command(each_elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    filled(each_elasticsearch, dataset)
    config = tmp_path / "forewarn.toml"
    config.write_text(f'[logs]\nurl = "{each_elasticsearch.url}"\ndataset = "{dataset}"\n')
    options = ["--since", "2026-01-01", "--config", str(config), "--limit", "2", "--host", "node-2"]
    told = CliRunner().invoke(app, ["logs", "search", "cuda memory", *options])
    assert told.exit_code == 0, told.output
    assert each_elasticsearch.url in told.stderr
    assert told.stdout.splitlines()[-1].endswith("node-2 b.log: step 99 of CUDA out of memory")
    assert len(told.stdout.splitlines()) == 2
