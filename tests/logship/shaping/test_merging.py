"""Which objects are merged with the document, and which are kept apart because Elasticsearch would refuse them so."""

import json

import pytest

from tests.logship.shaping.test_objects import documents

APART = [
    b'"_id":"x"',
    b'"_source":{"a":1}',
    b'"_routing":"r"',
    b'"":2',
    b'" ":3',
    b'".d":1',
    b'"b..c":4',
    b'"b. .c":4',
    b'"d.":4',
    b'"a":{"":1}',
    b'"a":[{"b":[{"\\t":1}]}]',
    b'"json":"text"',
    b'"json":5',
    b'"json":[1,2]',
    b'"labels":{"a":{"b":1}}',
    b'"labels":{"a":[1,{"b":1}]}',
    b'"process":{"pid":{}}',
    b'"process":{"thread":{"id":[{}]}}',
    b'"process":{"thread":["main"]}',
    b'"ecs":{"version":{}}',
    b'"log":{"flags":{}}',
    b'"event":{"created":{"a":1}}',
    b'"tags":[{"a":1}]',
    b'"x":[1,{"a":1}]',
    b'"x":[{"a":1},[["b"]]]',
    b'"trace.id":"t","trace.id.x":1',
    b'"message.x":1',
    b'"@timestamp.x":1',
    b'"a":1,"a.b":2',
    b'"' + b".".join([b"a"] * 21) + b'":1',
    b'"a":' + b'{"b.c":' * 10 + b"{}" + b"}" * 10,
]
TOGETHER = [
    b'"a":{"_id":"x","b":{"_source":1}}',
    b'"a b":{" c":1}',
    b'"json":{"a":{"b":1}}',
    b'"json":[{"a":1},{"b":"c"}]',
    b'"json":null',
    b'"e":null,"e.f":1,"g":{"h":null},"g.h.i":null',
    b'"error":{"type":null},"labels":{"rack":null},"log":{"file":null,"level":null}',
    b'"json":[]',
    b'"labels":{"a":[1,"b",true,null]}',
    b'"process":{"pid":[1,2],"thread":[{"id":1},{"id":2,"name":"n"}]}',
    b'"process":{"thread":[]}',
    b'"process":{"pid":"no number","thread":{"id":null}}',
    b'"event":{"created":"yesterday","x":[[{"a":1}],[]]}',
    b'"o":[{"a":1},null,[{"a":2}]]',
    b'"tags":"one","log":{"flags":["a",["b"]]}',
    b'"' + b".".join([b"b"] * 20) + b'":1',
    b'"c":' + b'{"d.e":' * 9 + b"1" + b"}" * 9,
    b'"n":123456789012345678901234567890,"f":1e300',
]
"""Fields of objects of which each has a time and a message."""


def line(fields: bytes) -> bytes:
    return b'{"@timestamp":"2026-02-02T10:00:00Z","message":"m",%s}' % fields


@pytest.mark.parametrize("fields", APART)
def test_what_would_be_refused_is_kept_apart(fields: bytes) -> None:
    (found,) = documents(line(fields) + b"\n")
    assert found["json"] == json.loads(line(fields))
    assert found["message"] == "m"
    assert found["@timestamp"] == "2026-02-02T10:00:00Z"


@pytest.mark.parametrize("fields", TOGETHER)
def test_what_would_be_taken_is_merged(fields: bytes) -> None:
    (found,) = documents(line(fields) + b"\n")
    own = {"@timestamp", "message", "log", "host", "event", "labels", "ecs", "data_stream"}
    assert {name.partition(".")[0] for name in json.loads(line(fields))} <= found.keys()
    assert "@timestamp" not in (found.get("json") or {})
    assert found.keys() - own <= {name.partition(".")[0] for name in json.loads(line(fields))}
