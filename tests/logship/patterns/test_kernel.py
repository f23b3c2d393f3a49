"""What is read 64 bytes at once, against the same read byte by byte and by expressions."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logship.patterns.compiled import AVAILABLE
from logship.patterns.lines import COLON, DASH, message_start, shape_of
from logship.patterns.miner import Miner, line_starts, with_slack
from logship.patterns.stage import MOST_TOKENS, SLACK, Chunk, make_stage

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="no numba")

COLUMNS = [
    b"2026-01-02",
    b"03:04:05,678",
    b"Jun",
    b"[x y]",
    b"[a [b] c]",
    b"[open",
    b"INFO",
    b"app:",
    b"-",
    b"x|y",
    b'"q"',
]
COLUMNS += [b"[" + b"z" * 70 + b" 1]", b"w" * 66, b"\t", b" ", b"|", b"\x01", b"eth0", b"\xc3\xa9"]
TOKENS = [
    b"word",
    b"eth0",
    b"ab12",
    b"7",
    b"/a",
    b"a/b",
    b"a/b/c",
    b"abc1de",
    b"k=v",
    b"Error",
    b"x.yException",
    b"\xff\xfe",
]
TOKENS += [
    b"1, 2",
    b"3:4",
    b"(5)",
    b"=",
    b"()",
    b"long" * 20,
    b"/" + b"p" * 80,
    b"9" * 70,
    b"a1" * 40,
    b"b" * 64,
    b"c" * 63,
]
GAPS = [b" ", b" ", b" ", b"  ", b"\t", b", ", b": ", b"=", b"(", b") ", b" \x02 ", b"," * 70, b" " * 70, b";;:,"]


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(st.tuples(st.sampled_from(COLUMNS), st.sampled_from([b" ", b" ", b"  ", b"|", b""])), max_size=9),
    columns=st.integers(0, 6),
    rule=st.sampled_from([0, COLON, DASH]),
    behind=st.sampled_from([b"", b" tail: of ] the [ line - x"]),
)
def test_shapes_and_cuts_are_those_of_the_plain_way(
    parts: list[tuple[bytes, bytes]], columns: int, rule: int, behind: bytes
) -> None:
    from logship.patterns.kernel_header import FAR, fast_shape, fast_start

    line = (b"".join(column + gap for column, gap in parts) + behind).rstrip(bytes(range(33)))
    data = np.frombuffer(bytearray(b"xy" + line + b"\n]:[ |9a" * 9 + bytes(SLACK)), np.uint8)
    shape, extent = fast_shape(data, 2, 2 + len(line))
    assert shape == shape_of(line, 0, len(line))
    assert extent == FAR or extent <= len(line)
    assert fast_start(data, 2, 2 + len(line), columns, rule) - 2 == message_start(line, 0, len(line), columns, rule)


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.lists(st.tuples(st.sampled_from(COLUMNS), st.sampled_from(GAPS)), max_size=4), min_size=1))
def test_shapes_of_a_chunk_are_those_of_the_plain_way(texts: list[list[tuple[bytes, bytes]]]) -> None:
    text = b"".join(b"".join(column + gap for column, gap in parts) + b"\n" for parts in texts)
    starts = line_starts(text)
    chunk = Chunk(with_slack(text), starts, np.zeros(len(starts) - 1, np.int32), 0)
    assert make_stage(fast=True).shapes(chunk).tolist() == make_stage(fast=False).shapes(chunk).tolist()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    frames=st.lists(
        st.lists(st.tuples(st.sampled_from(TOKENS), st.sampled_from(GAPS)), min_size=1, max_size=12),
        min_size=1,
        max_size=6,
    ),
    order=st.lists(st.integers(0, 5), min_size=1, max_size=20),
    times=st.integers(1, 14),
)
def test_both_ways_know_the_same_lines(frames: list[list[tuple[bytes, bytes]]], order: list[int], times: int) -> None:
    lines = [b"".join(token + gap for token, gap in frames[n % len(frames)]) * times for n in order]
    data = b"".join(line + b"\n" for line in lines)
    fast, plain = Miner(fast=True), Miner(fast=False)
    assert fast.feed("a", data).tolist() == plain.feed("a", data).tolist()
    assert fast.unseen == plain.unseen
    assert fast.templates() == plain.templates()


@pytest.mark.parametrize("fast", [True, False])
def test_blanks_in_a_row_count_as_one_and_what_follows_many_tokens_does_not(*, fast: bool) -> None:
    words = [b"word%s" % bytes([97 + n % 26]) for n in range(MOST_TOKENS)]
    lines = [
        b" ".join(words),
        b"  ".join(words),
        b"\t ".join(words),
        b" ".join([*words, b"more"]),
        b" ".join(words[:-1]),
    ]
    miner = Miner(fast=fast)
    ids = miner.feed("a", b"\n".join(lines) + b"\n").tolist()
    assert ids[0] == ids[1] == ids[2] == ids[3] != ids[4]
    assert miner.unseen == 2


def test_an_array_is_read_where_it_is_whatever_stands_behind_it() -> None:
    text = b"".join(b"2026-01-02 03:04:%02d INFO app: took %d ms of  model x%d\n" % (n % 60, n, n) for n in range(200))
    text += b"the last one has no end"
    expected = Miner().feed("a", text)
    for behind in (bytes(SLACK), b"9" * SLACK, b"\n \xff/" * (SLACK // 4)):
        data = np.frombuffer(bytearray(text + behind), np.uint8)
        assert Miner().feed("a", data, line_starts(text)).tolist() == expected.tolist()
    assert with_slack(text)[: len(text)].tobytes() == text
