"""The two hands write the same bytes, whatever runs of times and levels the lines hold."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logship.engine.documents import pieces_of
from logship.engine.plain_levels import levels_of
from logship.engine.plain_times import Words
from logship.engine.times import Carried
from logship.patterns.compiled import AVAILABLE
from logship.stamps import level_of
from tests.support.engine_chunks import encode, encoder

FORMS = [
    b"2026-02-02 02:%02d:%02d",
    b"2026-02-02T02:%02d:%02d",
    b"Feb  2 02:%02d:%02d",
    b"INFO 02-02 02:%02d:%02d",
    b"WARNING 02-02 02:%02d:%02d",
    b"[Mon Feb 02 02:%02d:%02d 2026]",
    b"10.0.0.1 - - [02/Feb/2026:02:%02d:%02d +0100]",
    b"17000%02d0%02d ",
    b"x 13:%02d:%02d",
]
ENDS = [b"", b",%d", b".%d", b"Z", b"+01:00", b" +0100", b" -1", b".5Z", b" 2026", b" x 12:13:14", b" 260202 121314"]
TEXTS = [
    b"",
    b" ERROR [a.py:3] b",
    b" level=warn",
    b' level="error" INFO',
    b" GET /v1 200",
    b"\tat x.y(Z)",
    b" FATAL" * 9,
]


@st.composite
def runs(draw: st.DrawFn) -> list[bytes]:
    """Lines of a few forms, most of them of one minute."""
    lines: list[bytes] = []
    for _ in range(draw(st.integers(1, 5))):
        form, end, text = (draw(st.sampled_from(kind)) for kind in (FORMS, ENDS, TEXTS))
        minute = draw(st.integers(0, 2))
        for n in range(draw(st.integers(1, 40))):
            second = draw(st.sampled_from([n % 60, n % 60, 59, 60, 99]))
            stamp = form % (minute, second)
            more = end % draw(st.sampled_from([0, 12, 345, 123456789, 1234567890])) if b"%" in end else end
            lines.append(stamp + more + text)
            if draw(st.integers(0, 9)) == 0:
                lines.append(
                    draw(st.sampled_from([b"", b"  at a", b"no time", b"2026-02-0", b"99:99:99 x", b"\xff" * 70]))
                )
    return lines


@pytest.mark.skipif(not AVAILABLE, reason="no numba")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(lines=runs(), cap=st.sampled_from([1, 4000, 1 << 20]))
def test_runs_of_times_are_written_alike(lines: list[bytes], cap: int) -> None:
    chunk = b"".join(line + b"\n" for line in lines)
    templates = np.arange(-1, len(lines) - 1, dtype=np.int32) % 7
    carried = {True: Carried(), False: Carried()}
    at = 0
    while at < len(chunk):
        found = {}
        for fast in (True, False):
            found[fast] = encode(
                encoder(fast=fast, cap=cap), chunk[at:], at, carried=carried[fast], templates=templates
            )
            carried[fast] = found[fast][0].carried
        assert found[True] == found[False]
        at += found[True][0].consumed
        templates = templates[found[True][0].lines :]
        if cap == 1 and at > 3000:
            break


@pytest.mark.skipif(not AVAILABLE, reason="no numba")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(lines=runs(), steps=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30)), min_size=1, max_size=8))
def test_one_that_goes_on_or_back_writes_what_a_new_one_does(lines: list[bytes], steps: list[tuple[int, int]]) -> None:
    lasting = encoder(fast=True)
    known = [(0, Carried())]
    for back, count in steps:
        first, carried = known[max(0, len(known) - 1 - back)]
        chunk = b"".join(line + b"\n" for line in lines[first : first + count])
        offset = sum(len(line) + 1 for line in lines[:first])
        again = encode(lasting, chunk, offset, carried=carried)
        assert again == encode(encoder(fast=True), chunk, offset, carried=carried)
        known.append((min(len(lines), first + count), again[0].carried))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [
                    b"INFO",
                    b"ERROR",
                    b" ",
                    b"x",
                    b"_",
                    b"7",
                    b"level=",
                    b'"',
                    b"warn",
                    b"I0102 10:11:12",
                    b"ab c ",
                    b"-" * 9,
                ]
            ),
            max_size=24,
        ).map(b"".join),
        min_size=20,
        max_size=60,
    )
)
def test_levels_of_lines_that_begin_alike_are_those_of_each(lines: list[bytes]) -> None:
    chunk = b"".join(line + b"\n" for line in lines)
    data = np.frombuffer(chunk + bytes(64), np.uint8)
    pieces = pieces_of(data, len(chunk), np.flatnonzero(data[: len(chunk)] == 10), 1000)
    levels = [b"", b"trace", b"debug", b"info", b"notice", b"warning", b"error", b"critical"]
    found = [levels[n] or None for n in levels_of(data, pieces, levels).tolist()]
    assert found == [level_of(line) for line in lines]


def test_words_behind_the_end_are_the_last() -> None:
    words = Words(np.frombuffer(b"0123456789", np.uint8))
    assert words.at(np.array([0, 2, 9])).tolist() == [
        int.from_bytes(b"%b" % text, "little") for text in (b"01234567", b"23456789", b"23456789")
    ]
