"""Documents in older backing indices of real servers are found, and only they."""

import pytest

from logship.delivery.probe import Probe
from logship.elastic.control import Control
from logship.errors import ControlError
from logship.settings import LogsSettings
from tests.support.elasticsearch import Server
from tests.support.ports import free_port

pytestmark = [pytest.mark.elasticsearch]


def document(dataset: str, text: str) -> dict[str, object]:
    stream = {"type": "logs", "dataset": dataset, "namespace": "default"}
    return {"@timestamp": "2026-01-01T00:00:00Z", "message": text, "data_stream": stream}


def prepared(server: Server, dataset: str) -> tuple[LogsSettings, str]:
    settings = LogsSettings.model_validate({"url": server.url, "dataset": dataset, "file": [{"path": "/x"}]})
    Control(settings).prepare(settings.streams)
    return settings, settings.streams[0]


def test_a_stream_that_is_not_there_holds_nothing(each_elasticsearch: Server, dataset: str) -> None:
    settings, stream = prepared(each_elasticsearch, dataset)
    assert not Probe(settings).there(stream, [b"f-0"])


def test_only_what_an_older_index_holds_is_found(each_elasticsearch: Server, dataset: str) -> None:
    settings, stream = prepared(each_elasticsearch, dataset)
    probe = Probe(settings)
    names = [f"f-{number}" for number in range(5000)]
    sent = {name: document(dataset, name) for name in names}
    assert set(each_elasticsearch.bulk(stream, dict(list(sent.items())[:2500]))) == {201}
    assert not probe.there(stream, [name.encode() for name in names])
    each_elasticsearch.call("POST", f"/{stream}/_rollover")
    assert set(each_elasticsearch.bulk(stream, dict(list(sent.items())[2500:3000]))) == {201}
    assert set(probe.there(stream, [name.encode() for name in names])) == {n.encode() for n in names[:2500]}
    each_elasticsearch.call("POST", f"/{stream}/_rollover")
    assert set(probe.there(stream, [name.encode() for name in names])) == {n.encode() for n in names[:3000]}


def test_without_it_the_same_id_is_taken_twice(each_elasticsearch: Server, dataset: str) -> None:
    """The fact that the probe is there for."""
    _, stream = prepared(each_elasticsearch, dataset)
    once = {"f-0": document(dataset, "once")}
    assert each_elasticsearch.bulk(stream, once) == [201]
    assert each_elasticsearch.bulk(stream, once) == [409]
    each_elasticsearch.call("POST", f"/{stream}/_rollover")
    assert each_elasticsearch.bulk(stream, once) == [201]
    assert each_elasticsearch.count(stream) == 2


def test_what_was_not_refreshed_is_found(each_elasticsearch: Server, dataset: str) -> None:
    settings, stream = prepared(each_elasticsearch, dataset)
    assert each_elasticsearch.bulk(stream, {"f-0": document(dataset, "first")}) == [201]
    each_elasticsearch.call("PUT", f"/{stream}/_settings", {"index.refresh_interval": "-1"})
    path = f"/{stream}/_bulk"
    body = b'{"create":{"_id":"f-1"}}\n{"@timestamp":"2026-01-01T00:00:00Z","message":"unseen"}\n'
    headers = {"Content-Type": "application/x-ndjson"}
    answer = each_elasticsearch._http.request("POST", each_elasticsearch.url + path, body=body, headers=headers)
    assert answer.status == 200
    each_elasticsearch.call("POST", f"/{stream}/_rollover")
    assert set(Probe(settings).there(stream, [b"f-0", b"f-1", b"f-2"])) == {b"f-0", b"f-1"}


def test_a_server_that_is_away_is_not_taken_for_one_that_holds_nothing(dataset: str) -> None:
    settings = LogsSettings.model_validate({"url": f"http://127.0.0.1:{free_port()}", "dataset": dataset})
    with pytest.raises(ControlError):
        Probe(settings).there("logs-x-default", [b"f-0"])


def test_a_closed_index_is_said_once(
    each_elasticsearch: Server, dataset: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings, stream = prepared(each_elasticsearch, dataset)
    probe = Probe(settings)
    each_elasticsearch.bulk(stream, {"f-0": document(dataset, "once")})
    each_elasticsearch.call("POST", f"/{stream}/_rollover")
    found = each_elasticsearch.call("GET", f"/_resolve/index/{stream}")
    older = found["data_streams"][0]["backing_indices"][0]
    each_elasticsearch.call("POST", f"/{older}/_close")
    assert not probe.there(stream, [b"f-0"])
    assert not probe.there(stream, [b"f-0"])
    assert len([r for r in caplog.records if "may come twice" in r.message]) == 1
