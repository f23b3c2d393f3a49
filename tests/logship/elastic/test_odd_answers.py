"""A proxy's pages and half answers are troubles that pass, never the end of the shipper."""

from collections.abc import Iterator

import orjson
import pytest

from logship.delivery.probe import Probe
from logship.elastic.control import Control
from logship.errors import ControlError
from logship.search.asked import Asked
from logship.search.elastic import Elastic
from logship.search.errors import UnreachableError
from logship.settings import LogsSettings
from tests.support.page_server import PageServer, page_server

STREAM = "logs-vllm-default"
PAGE = "<html><body>Please log in</body></html>"
ROOT = {"version": {"number": "2.19.0", "distribution": "opensearch"}}
OURS = {"name": "other", "index_template": {"index_patterns": ["logs-*"], "priority": 1, "data_stream": {}}}


@pytest.fixture
def server() -> Iterator[PageServer]:
    with page_server() as served:
        served.page("/", orjson.dumps(ROOT))
        yield served


def settings(server: PageServer) -> LogsSettings:
    return LogsSettings.model_validate({"url": server.url, "dataset": "vllm", "file": [{"path": "/x"}]})


@pytest.mark.parametrize("text", [PAGE, "", "[]", "7", '"x"', "null", '{"version": 9}'])
def test_what_is_no_server_is_said(server: PageServer, text: str) -> None:
    server.page("/", text)
    with pytest.raises(ControlError):
        Control(settings(server)).prepare([STREAM])


@pytest.mark.parametrize(
    "answer",
    [
        PAGE,
        "",
        "{}",
        "[]",
        '{"index_templates": {}}',
        '{"index_templates": [1]}',
        '{"index_templates": [{"name": "x"}]}',
        '{"index_templates": [{"name": "x", "index_template": {}}]}',
        '{"index_templates": [{"name": "x", "index_template": {"index_patterns": ["*"], "priority": "high"}}]}',
    ],
)
def test_templates_that_cannot_be_read_are_asked_for_again(server: PageServer, answer: str) -> None:
    server.page("/_index_template", answer)
    control = Control(settings(server))
    with pytest.raises(ControlError, match="cannot be understood") as raised:
        control.prepare([STREAM])
    assert raised.value.status == 0
    server.page("/_index_template", orjson.dumps({"index_templates": [OURS]}))
    control.prepare([STREAM])


@pytest.mark.parametrize("answer", [PAGE, "{}", "[]", '{"data_streams": [1]}', '{"data_streams": "none"}'])
def test_a_probe_that_is_not_answered_finds_nothing_out(server: PageServer, answer: str) -> None:
    server.page(f"/_resolve/index/{STREAM}", answer)
    with pytest.raises(ControlError, match="cannot be understood"):
        Probe(settings(server)).there(STREAM, [b"f-0"])


@pytest.mark.parametrize("answer", [PAGE, "{}", '{"docs": []}', '{"docs": [{}]}', '{"docs": [{"error": 3}]}'])
def test_documents_that_are_not_answered_are_not_taken_for_missing(server: PageServer, answer: str) -> None:
    resolved = {"data_streams": [{"name": STREAM, "backing_indices": ["one", "two"]}]}
    server.page(f"/_resolve/index/{STREAM}", orjson.dumps(resolved))
    path = "/one/_mget?_source=false&filter_path=docs._id,docs.found,docs.error.type"
    server.page(path, answer)
    with pytest.raises(ControlError, match="cannot be understood"):
        Probe(settings(server)).there(STREAM, [b"f-0"])
    server.page(path, '{"docs": [{"_id": "f-0", "found": true}]}')
    assert {*Probe(settings(server)).there(STREAM, [b"f-0"])} == {b"f-0"}


@pytest.mark.parametrize("answer", [PAGE, "{}", "[]", '{"hits": []}', '{"hits": {"hits": [3]}}'])
def test_a_search_that_cannot_be_read_goes_to_the_files(server: PageServer, answer: str) -> None:
    server.page(f"/{STREAM}/_search?ignore_unavailable=true&allow_no_indices=true", answer)
    with pytest.raises(UnreachableError, match="cannot be understood"):
        Elastic(settings(server)).search(Asked("cuda"))


def test_shards_that_do_not_answer_are_said(server: PageServer, caplog: pytest.LogCaptureFixture) -> None:
    answer = {"_shards": {"total": 3, "failed": 1}, "hits": {"hits": []}}
    server.page(f"/{STREAM}/_search?ignore_unavailable=true&allow_no_indices=true", orjson.dumps(answer))
    assert Elastic(settings(server)).search(Asked("cuda")) == []
    assert "1 of 3 shards did not answer" in caplog.text
