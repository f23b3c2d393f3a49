"""JSON lines kept as fields, stack traces as errors: the same bytes by every way, and only what Elasticsearch takes."""

import json
from datetime import UTC
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.engine.encoder import Encoder
from logship.engine.horizon import Horizon
from logship.engine.times import Carried, Start
from logship.patterns.compiled import AVAILABLE
from logship.shaping.multiline import Joiner
from logship.shaping.objects import Objects
from logship.shaping.settings import MultilineSettings
from logship.shaping.shape import Shape
from logship.shaping.traces import trace_of
from tests.logship.shaping.test_multiline import ASSERTS, GO, JAVA, OBJECT, PYTHON, RANKS, VLLM

FAST = [pytest.param(True, marks=pytest.mark.skipif(not AVAILABLE, reason="no numba"), id="fast"), False]
REST = {"host": {"name": "node"}, "event": {"dataset": "d"}, "labels": {"rack": "7"}}
NOW = 1_770_000_000_000
LONGEST = 4000
NEAR = Start(Carried(), Horizon(b"2026-02-02T00:00:00Z", b"2026-02-02T00:00:00Z"))


def encoded(text: bytes, *, fast: bool, cap: int = 1 << 20, longest: int = LONGEST) -> list[bytes]:
    """The rows of all bodies."""
    shape = Shape(Joiner("auto", MultilineSettings(), longest), Objects(UTC))
    one = Encoder("f1", 0, "/var/log/x.log", REST, zone=UTC, longest=longest, cap=cap, shape=shape, fast=fast)
    rows, at, line, carried = [], 0, 0, Carried()
    numbers = np.arange(text.count(b"\n"), dtype=np.int32)
    while at < len(text):
        data = np.frombuffer(text[at:] + b'"{}' * 30, np.uint8)
        out = np.full(one.room + 64, 0xA5, np.uint8)
        body = one.encode(
            data, len(text) - at, at, out[: one.room], carried=carried, read_ms=NOW, seen_ms=NOW,
            templates=numbers[line:],
        )  # fmt: skip
        assert (out[one.room :] == 0xA5).all()
        assert body.consumed
        assert body.size <= cap or body.documents == 1
        rows += out[: body.size].tobytes().split(b"\n")[:-1]
        at, line, carried = at + body.consumed, line + body.lines, body.carried
    return rows


def documents(text: bytes, *, fast: bool = AVAILABLE) -> list[dict[str, Any]]:
    return [json.loads(row) for row in encoded(text, fast=fast)[1::2]]


@pytest.mark.parametrize("fast", FAST)
def test_fields_are_kept(*, fast: bool) -> None:
    line = b'{"ts": 1770000000.25, "lvl": "warn", "event": "say \\"x\\"\\n\\u00e9", "n": [1, {"a": null}], "b": 1e300}'
    (found,) = documents(line + b"\n", fast=fast)
    assert found == {
        "@timestamp": "2026-02-02T02:40:00.250000Z",
        "message": 'say "x"\né',
        "log": {"file": {"path": "/var/log/x.log"}, "offset": 0, "level": "warning", "template": 0},
        **REST,
        "json": json.loads(line),
    }
    assert line in encoded(line + b"\n", fast=fast)[1]


@pytest.mark.parametrize(
    ("fields", "stamp"),
    [
        ('"time": "2026-02-02T10:00:00+01:00"', "2026-02-02T09:00:00Z"),
        ('"asctime": "2026-02-02 10:00:00,123"', "2026-02-02T10:00:00.123Z"),
        ('"timestamp": 1770000000', "2026-02-02T02:40:00Z"),
        ('"ts": 1770000000123', "2026-02-02T02:40:00.123Z"),
        ('"ts": 1770000000123456', "2026-02-02T02:40:00.123456Z"),
        ('"ts": 1770000000123456789', "2026-02-02T02:40:00.123456789Z"),
        ('"ts": "1770000000"', "2026-02-02T02:40:00Z"),
        ('"time": "nonsense", "ts": "Feb  1 10:00:00"', "2026-02-01T10:00:00Z"),
        ('"time": "2026-02-30T10:00:00Z"', "2026-02-02T02:40:00Z"),
        ('"ts": -5, "time": true, "timestamp": 1e300', "2026-02-02T02:40:00Z"),
        ('"ts": "2500-01-01T00:00:00Z"', "2026-02-02T02:40:00Z"),
        ('"time": 250000', "2026-02-02T02:40:00Z"),
        ('"time": 182034.5, "timestamp": "2026-02-01T10:00:00Z"', "2026-02-01T10:00:00Z"),
        ('"time": 5000000000, "ts": 1769940000', "2026-02-01T10:00:00Z"),
        ('"time": "1999-12-31T23:59:59Z", "ts": "2026-02-01 10:00:00 UTC"', "2026-02-01T10:00:00Z"),
        ('"time": "2026-02-01 10:00:00-03"', "2026-02-01T13:00:00Z"),
        ('"time": "Feb  3 02:39:59"', "2026-02-03T02:39:59Z"),
        ('"time": "Feb  3 02:41:00"', "2025-02-03T02:41:00Z"),
    ],
)
def test_times(fields: str, stamp: str) -> None:
    assert documents(b"{%s}\n" % fields.encode())[0]["@timestamp"] == stamp


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ('"level": "INFO"', "info"),
        ('"severity": "Critical"', "critical"),
        ('"levelname": "WARNING"', "warning"),
        ('"level": 50', "error"),
        ('"level": "nonsense"', None),
        ('"level": {"a": 1}, "lvl": "dbg"', None),
    ],
)
def test_levels(fields: str, level: str | None) -> None:
    assert documents(b"{%s}\n" % fields.encode())[0]["log"].get("level") == level


NO_OBJECTS = [
    b'{"a": 1, "a": 2}',
    b'{"a": {"b": 1, "b" : 2}}',
    b'{"a" : 1, "b": 2, "b": 3}',
    b'{"a": NaN}',
    b'{"a": "\xff"}',
    b'{"a": "\\ud800"}',
    b'{"a": 1,}',
    b"{'a': 1}",
    b"{a}",
    b"{}x{}",
    b'{"a\\u0000b": 1}',
    b'{"a": ' * 21 + b"1" + b"}" * 21,
    b'{"a": ' + b"[" * 20 + b"]" * 20 + b"}",
    b'{"a": ' + b"1" * 400 + b"}",
]


@pytest.mark.parametrize("line", NO_OBJECTS)
def test_what_is_no_object_is_text(line: bytes) -> None:
    (found,) = documents(line + b"\n")
    assert "json" not in found
    assert found["message"] == line.decode(errors="replace")


def test_what_is_one_whatever_it_looks_like() -> None:
    deep = b'{"a": ' * 20 + b"1" + b"}" * 20
    for line in [deep, b"{}", b'{"":1}', b'{"a":"\\":\\""}', b'{ "a"  :\t1 , "b":"x" }', b'{"a":["b","b"]}']:
        assert documents(line + b"\r\n")[0]["json"] == json.loads(line), line


def test_an_object_over_lines() -> None:
    (found,) = documents(OBJECT.encode())
    assert found["json"] == {"a": 1, "b": 2}


def test_what_follows_the_schema_already_is_merged() -> None:
    line = (
        b'{"@timestamp":"2026-02-02T10:00:00.5Z","log.level":"WARN","message":"m","ecs":{"version":"1.6"},'
        b'"log":{"logger":"a.b","offset":7,"origin":{"file.name":"x.py"}},"service.name":"s","host":{"name":"pod",'
        b'"ip":"::1"},"event.dataset":"other","error":{"type":"E"},"labels":{"rack":"1","app":"a"},"tags":["t"]}\n'
    )
    for fast in (True, False) if AVAILABLE else (False,):
        assert documents(line, fast=fast) == [
            {
                "@timestamp": "2026-02-02T10:00:00.5Z",
                "message": "m",
                "ecs": {"version": "1.6"},
                "log": {
                    "logger": "a.b",
                    "offset": 0,
                    "origin": {"file": {"name": "x.py"}},
                    "file": {"path": "/var/log/x.log"},
                    "level": "warning",
                    "template": 0,
                },
                "service": {"name": "s"},
                "host": {"name": "node", "ip": "::1"},
                "event": {"dataset": "d"},
                "error": {"type": "E"},
                "labels": {"rack": "1", "app": "a"},
                "tags": ["t"],
            }
        ]


@pytest.mark.parametrize(
    "fields",
    [
        b'"message":"m","error":"a text"',
        b'"message":{"a":1}',
        b'"message":[{"a":1}]',
        b'"message":"m","log.level":{"a":1}',
        b'"message":"m","process":{"thread":"main"}',
        b'"@version":"1"',
    ],
)
def test_what_follows_it_in_part_is_kept_apart(fields: bytes) -> None:
    line = b'{"@timestamp":"2026-02-02T10:00:00Z",%s}' % fields
    (found,) = documents(line + b"\n")
    assert found["json"] == json.loads(line)
    assert found["@timestamp"] == "2026-02-02T10:00:00Z"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (PYTHON, "torch.AcceleratorError", "CUDA error: device-side assert triggered\nCUDA kernel errors might"),
        (VLLM, "RuntimeError", "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        (RANKS, "torch.distributed.DistBackendError", "NCCL error"),
        (JAVA, "java.lang.IllegalStateException", "not ready"),
        (GO, "panic", "runtime error: invalid memory address or nil pointer dereference"),
        ('Traceback (most recent call last):\n  File "x", line 1\nKeyboardInterrupt\n', "KeyboardInterrupt", ""),
    ],
)
def test_errors(text: str, kind: str, message: str) -> None:
    found = documents(b"2026-02-02 00:00:00 INFO x\n" + text.encode() + b"2026-02-02 00:00:00 INFO y\n")
    error = found[1]["error"]
    assert error["type"] == kind
    assert error["message"].startswith(message)
    assert found[1]["message"] == text.rstrip("\n")
    assert found[1]["log"]["level"] == "error"
    assert "error" not in found[0] | found[2]
    assert not any(line.startswith(("(Engine", "[rank")) for line in error["stack_trace"].splitlines())


def test_joined_lines_without_an_error() -> None:
    assert trace_of(ASSERTS.encode()) is None
    (found,) = documents(b"Settings:\n  a = 1\n  File of it\n")
    assert "error" not in found


MIXED = [
    *(text.encode() for text in (PYTHON, VLLM, JAVA, GO, OBJECT)),
    b'{"time":"2026-02-02T23:03:03Z","msg":"x"}\n',
    b'{"msg":"no time"}\n',
    b'{"@timestamp":"2026-02-03T00:00:00Z","message":"ecs","big":"' + b"x" * 300 + b'"}\n',
    b'{"a":"' + b'"' * 700 + b'"}\n',
    b"no time \xff\n",
    b"2026-02-02 01:01:01,5 INFO text\n" * 20,
    b"Feb  3 01:01:01 text\n",
    b"\0\0{}\n",
    b'{"long":"' + b"\\u00e9" * 1000 + b'"}\n',
    b'{"longer":"' + b"x" * 5000 + b'"}\n',
    b"\n",
    *(line + b"\n" for line in NO_OBJECTS),
]


@settings(max_examples=80, deadline=None)
@given(parts=st.lists(st.sampled_from(MIXED), min_size=1, max_size=15), cap=st.sampled_from([400, 3000, 1 << 20]))
@pytest.mark.skipif(not AVAILABLE, reason="no numba")
def test_both_ways_and_every_limit_give_the_same(parts: list[bytes], cap: int) -> None:
    text = b"".join(parts)
    whole = encoded(text, fast=False)
    assert encoded(text, fast=True, cap=cap) == whole
    offsets = [json.loads(row)["log"]["offset"] for row in whole[1::2]]
    assert offsets == sorted(set(offsets))
    assert [json.loads(row)["create"]["_id"] for row in whole[::2]] == [f"f1-0-{at:012x}" for at in offsets]


def test_numbers_of_duplicate_keys_are_found_as_the_standard_library_finds_them() -> None:
    objects = Objects(UTC)
    keys = st.sampled_from(["a", "b", 'q":', " :", ""])
    value = st.recursive(st.none() | st.integers() | keys, lambda one: st.lists(one) | st.lists(st.tuples(keys, one)))

    def text_of(one: Any) -> str:
        if isinstance(one, list) and one and isinstance(one[0], tuple):
            return "{" + ",".join(f"{json.dumps(key)}: {text_of(inner)}" for key, inner in one) + "}"
        return "[" + ",".join(map(text_of, one)) + "]" if isinstance(one, list) else json.dumps(one)

    def is_unique(text: str) -> bool:
        unique = True

        def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            nonlocal unique
            unique = unique and len(dict(pairs)) == len(pairs)
            return dict(pairs)

        json.loads(text, object_pairs_hook=look)
        return unique

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(keys, value), min_size=1))
    def check(pairs: list[tuple[str, Any]]) -> None:
        text = text_of(pairs)
        assert (objects.read(text.encode(), NEAR) is not None) == is_unique(text)

    check()
