"""What ``forewarn logs setup`` and the shipper's start make of real servers: Elasticsearch 8 and 9, OpenSearch."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from forewarn.cli.app import app
from logship.elastic import templates
from logship.elastic.caller import OfficialClient, PlainHttp
from logship.elastic.control import Control
from logship.elastic.product import connect
from logship.elastic.setup import Plan, Setup
from logship.errors import ControlError
from logship.settings import LogsSettings
from tests.support.elasticsearch import Server
from tests.support.opensearch_server import OpenSearch
from tests.support.ports import free_port

pytestmark = [pytest.mark.elasticsearch]

DOCUMENT = {
    "@timestamp": "2026-01-01T00:00:00.123Z",
    "message": "RuntimeError: CUDA out of memory",
    "log": {"level": "error", "offset": 7, "template": 12, "file": {"path": "/var/log/a.log"}, "flags": ["split"]},
    "error": {"type": "RuntimeError", "message": "CUDA out of memory", "stack_trace": "Traceback ..."},
    "json": {"request": {"id": "r-1", "tokens": 12}, "list": [1, 2]},
    "labels": {"rank": "3"},
    "host": {"name": "node-1"},
}


def settings_for(server: Server, dataset: str, **more: Any) -> LogsSettings:
    return LogsSettings.model_validate({"url": server.url, "dataset": dataset, "file": [{"path": "/x"}], **more})


def setup_of(settings: LogsSettings) -> Setup:
    product, caller = connect(settings)
    return Setup(settings, product, caller)


def set_up(settings: LogsSettings) -> Plan:
    setup = setup_of(settings)
    plan = setup.plan(settings.streams)
    setup.install(plan)
    return plan


def resolved(server: Server, stream: str) -> dict[str, Any]:
    """What an index of this name would be made of."""
    made: dict[str, Any] = server.call("POST", f"/_index_template/_simulate_index/{stream}")["template"]
    return made


def document(dataset: str, **more: Any) -> dict[str, Any]:
    return {**DOCUMENT, "data_stream": {"type": "logs", "dataset": dataset, "namespace": "default"}, **more}


def kinds(server: Server, stream: str, *paths: str) -> list[str | None]:
    """The types of fields as the server has mapped them."""
    (mapped,) = server.call("GET", f"/{stream}/_mapping").values()
    found = []
    for path in paths:
        place: dict[str, Any] = mapped["mappings"]
        for part in path.split("."):
            place = place.get("properties", {}).get(part, {})
        found.append(place.get("type"))
    return found


def test_documents_are_mapped_and_kept_for_the_retention(each_elasticsearch: Server, dataset: str) -> None:
    settings = settings_for(each_elasticsearch, dataset, retention="14d")
    (stream,) = settings.streams
    assert set_up(settings).notes == []
    assert resolved(each_elasticsearch, stream)["lifecycle"]["data_retention"] == "14d"
    assert each_elasticsearch.bulk(stream, {"f-0": document(dataset)}) == [201]
    assert each_elasticsearch.exists(stream)
    found = kinds(each_elasticsearch, stream, "@timestamp", "log.offset", "log.template", "json", "labels.rank")
    assert found == ["date", "long", "long", "flattened", "keyword"]
    query = {
        "query": {"bool": {"filter": [{"term": {"json.request.id": "r-1"}}, {"match": {"message": "cuda MEMORY"}}]}}
    }
    assert each_elasticsearch.call("POST", f"/{stream}/_search", query)["hits"]["total"]["value"] == 1


def test_odd_values_do_not_cost_a_document(each_elasticsearch: Server, dataset: str) -> None:
    settings = settings_for(each_elasticsearch, dataset)
    (stream,) = settings.streams
    set_up(settings)
    deep: Any = "bottom"
    for _ in range(60):
        deep = {"d": deep}
    many = {f"field{number}": "x" for number in range(3000)}
    sent = {
        "a": document(dataset, extra="2026-01-01", json={"s": "x" * 100_000}, message="y" * 200_000),
        "b": document(dataset, extra="no date", json={"s": {"now": "an object"}}),
        "c": document(dataset, json=deep),
        "d": document(dataset, process={"pid": "not a number"}),
        "e": document(dataset, wide=many),
    }
    assert each_elasticsearch.bulk(stream, sent) == [201] * 5


def test_logsdb_when_it_is_asked_for(each_elasticsearch: Server, dataset: str) -> None:
    settings = settings_for(each_elasticsearch, dataset, index_mode="logsdb", retention=0)
    (stream,) = settings.streams
    set_up(settings)
    made = resolved(each_elasticsearch, stream)
    assert made["settings"]["index"]["mode"] == "logsdb"
    assert "data_retention" not in made["lifecycle"]
    assert each_elasticsearch.bulk(stream, {"f-0": document(dataset)}) == [201]


def test_a_component_of_the_users_own_has_the_last_word(each_elasticsearch: Server, dataset: str) -> None:
    own = {"template": {"lifecycle": {"data_retention": "3d"}, "settings": {"index.refresh_interval": "17s"}}}
    settings = settings_for(each_elasticsearch, dataset)
    set_up(settings)
    each_elasticsearch.call("PUT", f"/_component_template/{templates.custom_name(dataset)}", own)
    made = resolved(each_elasticsearch, settings.streams[0])
    assert made["lifecycle"]["data_retention"] == "3d"
    assert made["settings"]["index"]["refresh_interval"] == "17s"
    assert made["mappings"]["properties"]["log"]["properties"]["offset"] == {"type": "long"}


def test_the_start_leaves_a_template_of_the_server_alone_and_setup_does_not(
    each_elasticsearch: Server, dataset: str
) -> None:
    theirs = {"index_patterns": [f"logs-{dataset}-*"], "data_stream": {}, "priority": 100, "_meta": {"whose": "theirs"}}
    each_elasticsearch.call("PUT", f"/_index_template/{dataset}", theirs)
    settings = settings_for(each_elasticsearch, dataset)
    Control(settings).prepare(settings.streams)
    names = [each["name"] for each in each_elasticsearch.call("GET", "/_index_template")["index_templates"]]
    assert templates.template_name(dataset) not in names
    assert set_up(settings).notes == []
    assert "message" in resolved(each_elasticsearch, settings.streams[0])["mappings"]["properties"]


def test_a_template_above_ours_is_named(each_elasticsearch: Server, dataset: str) -> None:
    theirs = {"index_patterns": [f"logs-{dataset}-*"], "data_stream": {}, "priority": 900}
    each_elasticsearch.call("PUT", f"/_index_template/{dataset}", theirs)
    (note,) = set_up(settings_for(each_elasticsearch, dataset)).notes
    assert dataset in note
    assert "above ours" in note


def test_the_start_brings_an_older_one_of_ours_up_to_date(each_elasticsearch: Server, dataset: str) -> None:
    settings = settings_for(each_elasticsearch, dataset)
    older = {"index_patterns": [f"logs-{dataset}-*"], "data_stream": {}, "priority": 150, "version": 1}
    each_elasticsearch.call("PUT", f"/_index_template/{templates.template_name(dataset)}", older)
    Control(settings).prepare(settings.streams)
    assert "message" in resolved(each_elasticsearch, settings.streams[0])["mappings"]["properties"]
    before = each_elasticsearch.call("GET", f"/_index_template/{templates.template_name(dataset)}")
    Control(settings).prepare(settings.streams)
    assert each_elasticsearch.call("GET", f"/_index_template/{templates.template_name(dataset)}") == before


def test_opensearch_by_plain_http(opensearch: OpenSearch, dataset: str) -> None:
    settings = settings_for(opensearch, dataset)
    product, caller = connect(settings)
    assert product.name == "OpenSearch"
    assert isinstance(caller, PlainHttp)
    (stream,) = settings.streams
    (note,) = set_up(settings).notes
    assert "nothing is deleted by age" in note
    assert opensearch.bulk(stream, {"f-0": document(dataset)}) == [201]
    assert opensearch.exists(stream)
    assert kinds(opensearch, stream, "log.template", "json", "labels.rank") == ["long", "flat_object", "keyword"]
    Control(settings).prepare(settings.streams)


def test_the_official_client_is_used_where_it_can_be(each_elasticsearch: Server, dataset: str) -> None:
    product, caller = connect(settings_for(each_elasticsearch, dataset))
    caller.close()
    assert product.name == "Elasticsearch"
    assert isinstance(caller, OfficialClient)


def test_of_several_addresses_one_that_answers_is_enough(each_elasticsearch: Server, dataset: str) -> None:
    urls = [f"http://127.0.0.1:{free_port()}", each_elasticsearch.url]
    settings = settings_for(each_elasticsearch, dataset, url=urls)
    Control(settings).prepare(settings.streams)
    assert resolved(each_elasticsearch, settings.streams[0])["mappings"]


def test_nobody_there(dataset: str) -> None:
    settings = LogsSettings.model_validate({"url": f"http://127.0.0.1:{free_port()}", "dataset": dataset})
    with pytest.raises(ControlError) as caught:
        Control(settings).prepare(settings.streams)
    assert caught.value.status == 0
    assert caught.value.hint


def run(tmp_path: Path, settings: LogsSettings, *options: str) -> Any:
    config = tmp_path / "forewarn.toml"
    config.write_text(
        f'[logs]\nurl = "{settings.url[0]}"\ndataset = "{settings.dataset}"\n[[logs.file]]\npath = "/x"\n'
    )
    return CliRunner().invoke(app, ["logs", "setup", "--config", str(config), *options])


def test_the_command(each_elasticsearch: Server, dataset: str, tmp_path: Path) -> None:
    settings = settings_for(each_elasticsearch, dataset)
    (stream,) = settings.streams
    dry = run(tmp_path, settings, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert f"PUT /_index_template/forewarn-logs-{dataset}" in dry.stdout
    assert each_elasticsearch.ask("GET", f"/_index_template/forewarn-logs-{dataset}")[0] == 404
    done = run(tmp_path, settings)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == f"installed _index_template/forewarn-logs-{dataset}"
    each_elasticsearch.bulk(stream, {"f-0": document(dataset)})
    again = run(tmp_path, settings, "--json", "--roll-over")
    told = orjson.loads(again.stdout)
    assert stream in told["existing_streams"]
    assert told["rolled_over"] is True
    found = each_elasticsearch.call("GET", f"/_resolve/index/{stream}")["data_streams"]
    assert len(found[0]["backing_indices"]) == 2
    role = run(tmp_path, settings, "--print-role", "--json")
    shipping = orjson.loads(role.stdout)[1]["body"]
    assert shipping["cluster"] == []
    assert shipping["indices"][0]["names"] == list(settings.written)
