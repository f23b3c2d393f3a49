"""Private keys are masked over lines, also where something stands before each of them."""

import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.patterns.compiled import AVAILABLE
from logship.shaping.keys import OUTSIDE
from logship.shaping.redaction import Redactor, begins_inside
from logship.shaping.settings import RedactSettings

FAST = [pytest.param(True, marks=pytest.mark.skipif(not AVAILABLE, reason="no numba"), id="fast"), False]
BODY = [b"Proc-Type: 4,ENCRYPTED", b"", b"MIIEvQIBADANBgkqhkiG9w0BAQEF", b"AASCBKcwggSjAgEAAoIBAQ", b"Q=="]
BEFORE = [
    b"",
    b"    ",
    b"\t",
    b"ERROR 01-01 12:00:%02d [x.py:%d] ",
    b"2026-02-02T02:40:00.%02dZ  [%5d] ",
    b"web_1  | ",
    b"+",
    b"# %d: ",
    b"(EngineCore pid=%d) ",
]


def lines_of(before: bytes, head: bytes, end: bytes) -> list[bytes]:
    numbers = iter(range(7, 100))

    def begin() -> bytes:
        return re.sub(rb"%\d*d", lambda found: found[0] % next(numbers), before)

    rows = [head or begin(), *(begin() for _ in BODY), begin()]
    texts = [b"-----BEGIN RSA PRIVATE KEY-----", *BODY, b"-----END RSA PRIVATE KEY-----"]
    return [row + text + end for row, text in zip(rows, texts, strict=True)]


def read(text: bytes, cuts: list[int], *, fast: bool) -> bytes:
    redactor = Redactor(RedactSettings(), fast=fast)
    found, inside, at = b"", OUTSIDE, 0
    for end in [*cuts, len(text)]:
        data = np.frombuffer(bytearray(text[at:end] + bytes(64)), np.uint8)
        assert inside == begins_inside(text[:at])
        redactor.redact(data, end - at, inside=inside)
        found += data[: end - at].tobytes()
        redactor.restore(data)
        inside, at = redactor.passed(end - at), end
    assert redactor.counts["private_key"] == 1
    return found


@pytest.mark.parametrize("fast", FAST)
@settings(max_examples=100, deadline=None)
@given(
    before=st.sampled_from(BEFORE),
    head=st.sampled_from([b"", b"key: ", b'x "', b"- "]),
    end=st.sampled_from([b"\n", b"\r\n", b" \n"]),
    data=st.data(),
)
def test_keys_with_something_before_every_line(
    before: bytes, head: bytes, end: bytes, data: st.DataObject, *, fast: bool
) -> None:
    head = head if not before.strip() else b""
    lines = [b"2026-01-01 12:00:00 INFO before\n", *lines_of(before, head, end), b"2026-01-01 12:00:01 INFO after\n"]
    text = b"".join(lines)
    ends = [found.end() for found in re.finditer(b"\n", text)][:-1]
    found = read(text, sorted(data.draw(st.sets(st.sampled_from(ends)))), fast=fast)
    assert len(found) == len(text)
    for got, line, body in zip(found.splitlines(keepends=True), lines, [None, None, *BODY, None, None], strict=True):
        kept = line if body is None or not body else line[: line.rindex(body)] + b"*" * len(body) + end
        assert got == kept


LONG = b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDC7bOGmSfzf+ab"
JSON = b'\\n","stream":"stdout","time":"2026-01-01T00:00:00.%d23Z"}'
UNLIKE = [
    (b"2026-01-01 key: ", b"", b""),
    (b"2026-01-01 10:00:00 INFO key: ", b"2026-01-01 10:00:01 INFO ", b""),
    (b"2026-01-01 10:00:00 INFO [a.b:9] tls.key=", b"2026-01-01 10:00:01 INFO [a.b:12] ", b""),
    (b"key of web-1: ", b"worker-7a says ", b""),
    (b"lorem ipsum " * 40 + b"1 ", b"lorem ipsum " * 40 + b"2 ", b""),
    (b"x" * 3000 + b" ", b"x" * 3000 + b" ", b""),
    (b"2026-01-01T00:00:00.1Z stdout F key is ", b"2026-01-01T00:00:00.22Z stdout F ", b""),
    (b'{"log":"', b'{"log":"', JSON),
    (b'{"log":"key: ', b'{"log":"', JSON),
    (b"key = '", b"       '", b"\\n'"),
    (b'  "', b'  "', b'",'),
]


@pytest.mark.parametrize("fast", FAST)
@pytest.mark.parametrize(("head", "before", "after"), UNLIKE)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_keys_whose_lines_begin_otherwise_than_the_first_or_go_on_behind_it(
    head: bytes, before: bytes, after: bytes, data: st.DataObject, *, fast: bool
) -> None:
    numbers = iter(range(7, 100))
    rows = [LONG, LONG[::-1], b"Q2hXab=="]
    behind = [after % next(numbers) if b"%d" in after else after for _ in rows]
    lines = [
        b"2026-01-01 12:00:00 INFO before",
        head + b"-----BEGIN EC PRIVATE KEY-----" + (after % 1 if b"%d" in after else after),
        *(before + row + end for row, end in zip(rows, behind, strict=True)),
        before + b"-----END EC PRIVATE KEY-----" + after,
        b"2026-01-01 12:00:01 INFO after",
    ]
    text = b"".join(line + b"\n" for line in lines)
    ends = [found.end() for found in re.finditer(b"\n", text)][:-1]
    found = read(text, sorted(data.draw(st.sets(st.sampled_from(ends)))), fast=fast).split(b"\n")
    assert found[2:5] == [before + b"*" * len(row) + end for row, end in zip(rows, behind, strict=True)]
    assert found[:1] + found[5:] == [lines[0], *lines[5:], b""]


@pytest.mark.parametrize("fast", FAST)
def test_a_line_of_a_key_may_be_of_any_length(*, fast: bool) -> None:
    text = b"-----BEGIN PRIVATE KEY-----\n" + LONG * 40 + b"\n-----END PRIVATE KEY-----\n"
    assert read(text, [], fast=fast) == text.replace(LONG, b"*" * len(LONG))


@pytest.mark.parametrize("part", [b"1 ", b"a.", b"AAAA+ ", b"/", b"-----BEGIN PRIVATE KEY----- "])
def test_lines_made_to_look_like_keys_keep_nobody_busy(part: bytes) -> None:
    redactor = Redactor(RedactSettings())
    spent = []
    for length in (1 << 16, 1 << 18):
        line = part * (400 // len(part)) + b"-----BEGIN PRIVATE KEY-----" + part * 8 + b"\n" + part * 20 + b"\n"
        text = line * (length // len(line))
        data = np.frombuffer(bytearray(text + bytes(64)), np.uint8)
        times = []
        for _ in range(3):
            began = time.process_time()
            redactor.redact(data, len(text))
            times.append(time.process_time() - began)
            redactor.restore(data)
        spent.append(min(times))
    assert spent[1] < 16 * max(spent[0], 0.002)


@pytest.mark.parametrize("fast", FAST)
def test_what_follows_a_key_that_never_ends_is_left(*, fast: bool) -> None:
    text = (
        b"ERROR 12:00:00 -----BEGIN PRIVATE KEY-----\nERROR 12:00:01 no key here\n  indented too\nERROR 12:00:02 done\n"
    )
    assert read(text, [], fast=fast) == text


@pytest.mark.parametrize("fast", FAST)
def test_several_keys_in_a_line(*, fast: bool) -> None:
    key = b"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"
    redactor = Redactor(RedactSettings(), fast=fast)
    text = b'{"a":"%s","b":"%s"}\n' % (key, key)
    data = np.frombuffer(bytearray(text + bytes(64)), np.uint8)
    redactor.redact(data, len(text))
    assert data[: len(text)].tobytes() == text.replace(b"\\nMIIE\\n", b"*" * 8)
