"""Prompts are masked however deep they stand in a request, and however it is written into a line."""

import json
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.patterns.compiled import AVAILABLE
from logship.shaping.keys import OUTSIDE, Inside
from logship.shaping.redaction import Redactor, begins_inside
from logship.shaping.settings import RedactSettings
from logship.shaping.values import find_texts, room_for, texts_of

FAST = [pytest.param(True, marks=pytest.mark.skipif(not AVAILABLE, reason="no numba"), id="fast"), False]
MARK = "ZZ"
"""Stands in all that is said and nowhere else."""
SAID = st.text(st.sampled_from("a b'\"\\[]{}():,=\néж%*"), max_size=20).map(lambda text: MARK + text + MARK)
PART = SAID.map(lambda text: {"type": "text", "text": text}) | SAID.map(
    lambda text: {"type": "input_text", "text": text}
)
CONTENT = SAID | st.lists(PART, min_size=1, max_size=3)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "system"]), "content": CONTENT}), min_size=1
)
REQUESTS = st.one_of(
    MESSAGES.map(lambda messages: {"model": "m", "messages": messages, "n": 1}),
    (CONTENT | st.lists(SAID)).map(lambda said: {"input": said, "model": "m"}),
    (SAID | st.lists(SAID)).map(lambda said: {"prompt": said, "max_tokens": 5}),
    st.lists(SAID).map(lambda said: {"query": MARK, "documents": said, "top_n": 2}),
    SAID.map(lambda said: {"inputs": said, "parameters": {"best_of": 1}}),
)
WRITERS = [
    json.dumps,
    lambda request: json.dumps(request, separators=(",", ":"), ensure_ascii=False),
    repr,
    lambda request: json.dumps({"body": json.dumps(request), "status": 200}),
    lambda request: json.dumps({"log": json.dumps({"body": json.dumps(request)}), "status": 200}),
    lambda request: "request: " + ", ".join(f"{name}={value!r}" for name, value in request.items()),
]


def masked(text: bytes, *, fast: bool) -> bytes:
    redactor = Redactor(RedactSettings(), fast=fast)
    data = np.frombuffer(bytearray(text + bytes(64)), np.uint8)
    redactor.redact(data, len(text), prompts=True)
    return data[: len(text)].tobytes()


@pytest.mark.parametrize("fast", FAST)
@settings(max_examples=200, deadline=None)
@given(request=REQUESTS, write=st.sampled_from(WRITERS))
def test_nothing_that_was_said_is_left_and_all_else_is(request: dict[str, Any], write: Any, *, fast: bool) -> None:
    line = write(request).encode()
    found = masked(line + b"\nnext line\n", fast=fast)
    assert MARK.encode() not in found
    assert found.endswith(b"\nnext line\n")
    assert len(found) == len(line) + 11
    for name in request:
        assert name.encode() in found
    if write in WRITERS[:2]:
        again = json.loads(found.splitlines()[0])
        assert again.keys() == request.keys()
        assert again.get("model", "m") == "m"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from([b'"', b"'", b"\\", b"[", b"]", b"{", b"}", b"a", b"1", b",", b":", b" ", b"type", b"\xff"])
    )
)
def test_whatever_stands_there_is_read_to_some_end(parts: list[bytes]) -> None:
    for begin in (b'"', b"\\'", b"["):
        line = begin + b"".join(parts)
        spans, end = texts_of(line, 0)
        assert len(begin) <= end <= len(line)
        assert all(0 < first <= last <= end for first, last in spans)
        assert all(last <= first for (_, last), (first, _) in pairwise(spans))


TOKEN = re.compile(
    rb"(?<!\\)\\*+[\"']?(?<!\w)(?:type|role)\\*+[\"']?\s*[:=]\s*\\*+[\"'][\w.-]{0,40}+\\*+[\"']"
    rb"|(?<!\\)(?P<depth>\\*+)(?P<quote>[\"'])"
    rb"|(?P<open>[\[{(])"
    rb"|(?P<close>[\]})])"
    rb"|(?<=\[)(?P<numbers>[\d\s.,-]*\d)"
)


def plainly(line: bytes, begin: int) -> tuple[list[tuple[int, int]], int]:
    """The same by expressions, which take longer."""
    spans: list[tuple[int, int]] = []
    nested, at = 0, begin
    while found := TOKEN.search(line, at):
        at = found.end()
        nested += bool(found["open"]) - bool(found["close"])
        if found["numbers"]:
            spans.append(found.span("numbers"))
        elif quote := found["quote"]:
            step = 2 * (min(len(found["depth"]), 63) + 1)
            body = rb"(?:[^\\%(q)s]++|\\++(?!%(q)s)|(?:\\{%(step)d})*+\\{%(inner)d}%(q)s|\\*+%(q)s(?=\w))*+"
            text = re.compile(body % {b"q": quote, b"step": step, b"inner": step - 1}).match(line, at)
            assert text
            if not (nested and re.compile(rb"\\*+[\"']?\s*:").match(line, text.end())):
                spans.append((at, text.end()))
            if text.end() == len(line):
                break
            at = line.index(quote, text.end()) + 1
        if nested <= 0 and not (found["open"] or found["numbers"]):
            return spans, at
    return spans, len(line)


WORDS = [
    b'"',
    b"'",
    b"\\",
    b'\\"',
    b'\\\\\\"',
    *(bytes([sign]) for sign in b"[]{}(),:= \t_a1\xff"),
    b" 1, -2.5 ",
    b"type",
]
WORDS += [b'"role": "user"', b"type='text'", b"role", b"\\" * 70 + b'"', b"\\" * 127 + b'"']


@settings(max_examples=1000, deadline=None)
@given(
    before=st.lists(st.sampled_from(WORDS), max_size=2).map(b"".join),
    begin=st.sampled_from([b'"', b"\\'", b"[", b"{'", b'\\\\\\"']),
    rest=st.lists(st.sampled_from(WORDS), max_size=20).map(b"".join),
)
def test_texts_are_those_that_their_definition_names(before: bytes, begin: bytes, rest: bytes) -> None:
    line = before + begin + rest
    wanted = plainly(line, len(before))
    assert texts_of(line, len(before)) == wanted
    spans = room_for(line)
    count, end = getattr(find_texts, "py_func", find_texts)(line, len(before), len(line), spans, 0)
    assert ([(first, last) for first, last in spans[:count].tolist()], end) == wanted


LINE = b'{"model":"m","prompt":"' + b"private " * 40 + b'","n":1,"prompt":"' + b"private " * 9 + b'"}\n'


def pieces(text: bytes, sizes: list[int], *, fast: bool, prompts: bool) -> list[bytes]:
    """What is masked where a long line is read a piece at a time."""
    redactor = Redactor(RedactSettings(), fast=fast)
    found, at, inside = [], 0, OUTSIDE
    for size in [*sizes, len(text) - sum(sizes)]:
        data = np.frombuffer(bytearray(text[at : at + size] + bytes(64)), np.uint8)
        redactor.redact(data, size, inside=inside, prompts=prompts)
        found.append(data[:size].tobytes())
        redactor.restore(data)
        inside = redactor.passed(size)
        at += size
    return found


@pytest.mark.parametrize("fast", FAST)
@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(1, 130), min_size=1, max_size=3))
def test_of_requests_longer_than_a_document_no_piece_shows_a_prompt(sizes: list[int], *, fast: bool) -> None:
    first, *rest = pieces(LINE + b"next line\n", sizes, fast=fast, prompts=True)
    assert b"private " not in first
    assert first.startswith(LINE[: min(len(first), 20)])
    assert b"".join(rest) == b"*" * (len(LINE) - len(first) - 1) + b"\nnext line\n"


@pytest.mark.parametrize("fast", FAST)
def test_a_value_that_goes_on_in_the_next_piece_of_a_line(*, fast: bool) -> None:
    for value in (
        b"prompt: '%s', params\n",
        b'{"password":"%s"} and\n',
        b"password=%s and\n",
        b"prompt_token_ids: [%s]\n",
    ):
        text = b"INFO " + value % (b"7" * 100) + b"next line\n"
        begin = text.index(b"7")
        for size in range(begin + 1, begin + 100):
            first, second = pieces(text, [size], fast=fast, prompts=False)
            assert b"7" not in first + second
            assert second.endswith(b"*\nnext line\n")
        for size in (5, 9):
            assert b"".join(pieces(text, [size], fast=fast, prompts=False)).endswith(text[text.index(b"\n") - 1 :])
    assert begins_inside(text[:20]) == Inside(line=True)
    assert begins_inside(b"") == OUTSIDE
