"""Every byte of the documents, against the standard library's JSON."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logship.engine.compress import packed
from logship.patterns.compiled import AVAILABLE
from tests.support.engine_chunks import NOW, Written, encode, encoder, expected, write_all

FAST = [pytest.param(True, marks=pytest.mark.skipif(not AVAILABLE, reason="no numba"), id="fast"), False]
READ_AT = "2026-02-02T02:40:00Z"
FAR = 12_000_000_000_000

HOSTILE = [
    b"",
    b"\r",
    b"\r\r",
    b"plain",
    b'"quoted" \\back\\ and / slash',
    bytes(range(1, 10)) + bytes(range(11, 32)) + b"\x7f",
    b"\x00\x00\x00",
    b"\x00\x00after a hole",
    b"in\x00side\x00",
    b"caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80",
    b"\xff\xfe\x80\xbf",
    b"cut \xe2\x82",
    b"cut \xf0\x9f\x98",
    b"cut \xf0\x9f\x98 on",
    b"overlong \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf",
    b"surrogate \xed\xa0\x80\xed\xbf\xbf",
    b"too high \xf4\x90\x80\x80 \xf5\x80\x80\x80",
    b"highest \xf4\x8f\xbf\xbf \xee\x80\x80 \xef\xbf\xbf",
    b"\x80" * 200,
    b'"' * 130,
    b"x" * 63 + b'"',
    b"x" * 64 + b"\\",
    b"x" * 62 + b"\xc3\xa9" + b"y" * 62 + b"\xe6\x97\xa5",
    b"ends in \\",
    b"\xe2\x80\xa8 and \xc2\x85 end no line",
    "Прошу ".encode() * 40,
]
LEVELS = [
    b"INFO started",
    b"a INFORMATION INFO",
    b"xINFO WARN",
    b"_ERR ERROR_ [CRITICAL]",
    b"level=warn ERROR",
    b"level=foo ERROR",
    b"level=in INFO",
    b'log_level="DEBUG" x',
    b"level=informational",
    b"x=level=Error",
    b"level=",
    b" " * 122 + b"ERROR",
    b" " * 123 + b"ERROR",
    b" " * 125 + b"ERROR",
    b" " * 126 + b"ERROR",
    b" " * 120 + b"level=INFO",
    b" " * 61 + b"WARNING",
    b"-" * 63 + b"xERR PANIC",
    b"E0102 10:11:12.5 x.go:1] y",
    b"W0102   10:11:12",
    b"I01020 10:11:12",
    b"F0102 level=foo 10:11:12",
    b"\xc3\xa9INFO\xc3\xa9",
    b"2026/02/02 02:40:00 [error] 1#0: x",
    b"[Mon Feb 02] [core:warn] [pid 1] x",
    b"[Mon Feb 02] [a_twelve_let:crit] x",
    b"[Mon Feb 02] [thirteen_lett:crit] x",
    b"[:info] [core:error",
    b"[core:error:x] [er_or] [errors] [error ] [ERROR]",
    b"2026-02-02T02:40:00Z\twarn\tx.go:1\tINFO",
    b"a\tinfo\x0bb",
    b"\terr\t",
    b"-" * 120 + b"[error]",
    b"-" * 121 + b"[error]",
    b"-" * 122 + b"[error]",
    b"-" * 60 + b"[notice]",
    b"[0] [alert]",
]


def _same(lines: list[bytes], *, fast: bool, offset: int = FAR) -> None:
    chunk = b"".join(line + b"\n" for line in lines)
    templates = np.arange(-1, len(lines) - 1, dtype=np.int32) * 1013
    body, text = encode(encoder(fast=fast, longest=20_000), chunk, offset, templates=templates)
    found = [json.loads(row)["@timestamp"] for row in text.split(b"\n")[1:-1:2]]
    assert text == expected(chunk, offset, found, templates.tolist())
    assert (body.consumed, body.lines) == (len(chunk), len(lines))


@pytest.mark.parametrize("fast", FAST)
def test_hostile_lines_are_written_as_the_standard_library_writes_them(*, fast: bool) -> None:
    _same(HOSTILE, fast=fast)
    for line in HOSTILE:
        _same([line], fast=fast, offset=0)


@pytest.mark.parametrize("fast", FAST)
def test_levels_are_those_of_the_expression(*, fast: bool) -> None:
    _same(LEVELS, fast=fast)


@pytest.mark.parametrize("fast", FAST)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    lines=st.lists(
        st.one_of(
            st.binary(max_size=200),
            st.text(max_size=90).map(lambda text: text.encode(errors="surrogatepass")),
            st.lists(st.sampled_from([*HOSTILE, *LEVELS, b" ", b"INFO", b"level="]), max_size=4).map(b"".join),
        ).map(lambda line: line.replace(b"\n", b"")),
        max_size=12,
    ),
    offset=st.integers(0, FAR),
)
def test_any_lines_are_written_as_the_standard_library_writes_them(
    *, fast: bool, lines: list[bytes], offset: int
) -> None:
    _same(lines, fast=fast, offset=offset)


@pytest.mark.parametrize("fast", FAST)
def test_a_long_line_becomes_several_documents_that_hold_all_of_it(*, fast: bool) -> None:
    line = "x é 日本 ".encode() * 400
    _, text = encode(encoder(fast=fast, longest=100), line + b"\r\nnext\n", 7)
    documents = [json.loads(row) for row in text.splitlines()[1::2]]
    pieces, after = documents[:-1], documents[-1]
    assert b"".join(piece["message"].encode() for piece in pieces) == line
    assert [piece["log"].get("flags") for piece in pieces] == [["split"]] * (len(pieces) - 1) + [None]
    sizes = [len(piece["message"].encode()) for piece in pieces]
    assert max(sizes) <= 100
    assert [piece["log"]["offset"] for piece in pieces] == [7 + sum(sizes[:n]) for n in range(len(sizes))]
    assert after["log"]["offset"] == 7 + len(line) + 2


@pytest.mark.parametrize("fast", FAST)
def test_what_a_reader_cut_off_a_longer_line_is_flagged(*, fast: bool) -> None:
    _, text = encode(encoder(fast=fast, longest=100), b"a\n" + b"y" * 100)
    assert json.loads(text.splitlines()[3])["log"]["flags"] == ["split"]
    _, text = encode(encoder(fast=fast, longest=100), b"a\n" + b"y" * 90)
    assert "flags" not in json.loads(text.splitlines()[3])["log"]


@pytest.mark.parametrize("fast", FAST)
def test_a_body_ends_with_the_last_document_that_the_cap_has_room_for(*, fast: bool) -> None:
    chunk = b"".join(b'%d "INFO"\n' % n for n in range(50))
    whole = encode(encoder(fast=fast), chunk)[1]
    bounds = [0]
    rows = whole.splitlines(keepends=True)
    for action, source in zip(rows[::2], rows[1::2], strict=True):
        bounds.append(bounds[-1] + len(action) + len(source))
    for cap in (1, bounds[1], bounds[7] - 1, bounds[7], bounds[7] + 1, len(whole)):
        body, text = encode(encoder(fast=fast, cap=cap), chunk)
        count = max(1, sum(bound <= cap for bound in bounds[1:]))
        assert (body.documents, text) == (count, whole[: bounds[count]])
        assert body.consumed == sum(map(len, chunk.splitlines(keepends=True)[:count]))
        assert body.lines == count


def _mixed() -> tuple[list[bytes], Any]:
    rnd = np.random.default_rng(5)
    stamped = [
        b"2026-03-01 10:%02d:%02d,%03d WARNING %s" % (n // 40 % 60, n % 60, n, HOSTILE[n % len(HOSTILE)])
        for n in range(400)
    ]
    moved = [b"(worker pid=%d) INFO 03-01 11:00:%02d x" % (n, n % 60) for n in range(100)]
    lines = [*HOSTILE, *stamped, *moved, *LEVELS, b"z" * 2500, b"\0" * 1500]
    lines = [lines[n] for n in rnd.permutation(len(lines))]
    return lines, rnd


@pytest.mark.parametrize("longest", [64, 1000])
def test_the_bytes_are_the_same_whatever_the_chunks_the_caps_and_the_kernel(longest: int) -> None:
    lines, rnd = _mixed()
    whole = b"".join(line + b"\n" for line in lines)
    templates = np.arange(len(lines), dtype=np.int32)
    first: Written | None = None
    for fast in [True, False] if AVAILABLE else [False]:
        for cap in (1, 3000, 1 << 20):
            for cuts in ([], sorted(rnd.integers(0, len(lines), 20).tolist()), range(0, len(lines), 3)):
                bounds = [0, *cuts, len(lines)]
                chunks = [b"".join(line + b"\n" for line in lines[a:b]) for a, b in pairwise(bounds)]
                written = write_all(encoder(fast=fast, cap=cap, longest=longest), chunks, templates, FAR)
                first = first or written
                assert written.text == first.text
                assert written.carried == first.carried
    assert first is not None
    assert whole.count(b"\n") == len(lines)


@pytest.mark.parametrize("fast", FAST)
def test_lines_before_the_first_stamp_take_the_time_of_reading(*, fast: bool) -> None:
    body, text = encode(encoder(fast=fast), b"banner\n2026-01-01 00:00:01 x\ny\n")
    assert [json.loads(row)["@timestamp"] for row in text.splitlines()[1::2]] == [
        READ_AT,
        "2026-01-01T00:00:01Z",
        "2026-01-01T00:00:01Z",
    ]
    assert body.fallback
    again, _ = encode(encoder(fast=fast), b"z\n", carried=body.carried, read_ms=NOW + 5000)
    assert not again.fallback


def test_compressed_bodies_are_read_back_by_the_standard_library() -> None:
    rnd = np.random.default_rng(0)
    for size in (0, 1, 999, 1000, 50_000, 7):
        body = rnd.integers(0, 256, size, dtype=np.uint8).tobytes() + b"abc" * size
        assert gzip.decompress(packed(memoryview(body))) == body


def test_threads_compress_at_the_same_time_without_a_difference() -> None:
    rnd = np.random.default_rng(1)
    bodies = [rnd.integers(0, 8, 700_000, dtype=np.uint8).tobytes() for _ in range(4)]
    alone = [packed(body) for body in bodies]

    def work(body: bytes) -> list[bytes]:
        return [packed(body) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, bodies)) == [[one] * 4 for one in alone]
    assert [gzip.decompress(one) for one in alone] == bodies
