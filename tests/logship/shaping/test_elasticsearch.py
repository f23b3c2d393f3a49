"""What is made of odd lines, taken by a real Elasticsearch: every one of them."""

from typing import Any

import orjson
import urllib3

from logship.elastic.product import connect
from logship.elastic.setup import Setup
from logship.settings import LogsSettings
from tests.logship.shaping.test_merging import APART, TOGETHER, line
from tests.logship.shaping.test_multiline import FRAGMENTS, JOINED
from tests.logship.shaping.test_objects import MIXED, encoded
from tests.support.elasticsearch import Server

OBJECTS = [
    b'{"":1,"a":{"":{"":[]}}}',
    b'{"a.b":1,"a":{"b":2,"b.c":3}}',
    b'{"a":1e300,"b":123456789012345678901234567890,"c":-0.0,"d":1.5E-300}',
    b'{"s":"' + b"x" * 40_000 + b'","' + b"k" * 500 + b'":1}',
    b'{"s":"' + "日本語 😀".encode() * 700 + b'"}',
    b'{"escaped \\u00e9 \\" \\\\ \\n key":"\\u2028\\/"}',
    b'{ "spaced"\t:\r [ 1 , {} , [ [ ] ] ] }',
    b'{"a":' * 20 + b"null" + b"}" * 20,
    b"{" + b",".join(b'"f%d":%d' % (n, n) for n in range(3000)) + b"}",
    b'{"@timestamp":"2026-02-02T10:00:00Z","message":"m","host":"a text","log":"another","error":5}',
    b'{"@timestamp":"2026-02-02T10:00:00Z","message":{"not":"a text"},"log.level":["a","b"]}',
    b'{"@timestamp":"2026-02-02T10:00:00Z","message":"m","service":{"name":"s"},"trace.id":"t","log":{"level":"warn"}}',
    b'{"@timestamp":1770000000,"message":"m","ecs.version":"1.6.0","labels":{"a":1,"b":true},"tags":["x"]}',
    b'{"time":"1600-01-01T00:00:00Z","msg":"old"}',
    b'{"level":"' + b"l" * 5000 + b'","msg":1}',
]


def test_every_document_is_taken(each_elasticsearch: Server, dataset: str) -> None:
    settings = LogsSettings.model_validate(
        {"url": each_elasticsearch.url, "dataset": dataset, "file": [{"path": "/x"}]}
    )
    product, caller = connect(settings)
    setup = Setup(settings, product, caller)
    setup.install(setup.plan(settings.streams))
    (stream,) = settings.streams
    text = b"".join(
        [
            *MIXED,
            *(one + b"\n" for one in [*OBJECTS, *map(line, APART + TOGETHER)]),
            *(f.encode() for f in FRAGMENTS + JOINED),
        ]
    )
    rows = encoded(text, fast=False, longest=100_000)
    response = urllib3.request(
        "POST",
        f"{each_elasticsearch.url}/{stream}/_bulk?refresh=true",
        body=b"\n".join(rows) + b"\n",
        headers={"Content-Type": "application/x-ndjson"},
        timeout=90,
        retries=False,
    )
    items: list[dict[str, Any]] = [item["create"] for item in orjson.loads(response.data)["items"]]
    bad = [(item, row) for item, row in zip(items, rows[1::2], strict=True) if item["status"] != 201]
    assert not bad, [(item["error"]["reason"], row[:200]) for item, row in bad]
    assert not [row for item, row in zip(items, rows[1::2], strict=True) if item.get("failure_store") == "used"]
    found = each_elasticsearch.call("POST", f"/{stream}/_search", {"query": {"term": {"json.f7": "7"}}})
    assert found["hits"]["total"]["value"] == 1
    found = each_elasticsearch.call("POST", f"/{stream}/_search", {"query": {"term": {"error.type": "RuntimeError"}}})
    errors = [orjson.loads(row).get("error") for row in rows[1::2]]
    raised = sum(isinstance(error, dict) and error.get("type") == "RuntimeError" for error in errors)
    assert found["hits"]["total"]["value"] == raised >= 2
