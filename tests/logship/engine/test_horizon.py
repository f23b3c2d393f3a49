"""Which times lines may have, and that a line which is read again has the one that it had."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.base.clock import DAY, parse_time, rfc3339
from logship.engine.times import Carried
from logship.patterns.compiled import AVAILABLE
from tests.support.engine_chunks import NOW, encode, encoder, stamps
from tests.support.times import read

FAST = [pytest.param(True, marks=pytest.mark.skipif(not AVAILABLE, reason="no numba"), id="fast"), False]
TODAY = parse_time("2026-11-23T10:00:00Z")
SEEN = rfc3339(TODAY)


@pytest.mark.parametrize("fast", FAST)
@pytest.mark.parametrize(
    ("lines", "times"),
    [
        ([b"Mar  3 01:02:03 a", b"Nov 23 09:00:00 b"], ["2026-03-03T01:02:03Z", "2026-11-23T09:00:00Z"]),
        ([b"Dec 10 06:55:46 a", b"Dec 10 11:04:45 b"], ["2025-12-10T06:55:46Z", "2025-12-10T11:04:45Z"]),
        ([b"Nov 24 09:00:00 a", b"Nov 26 09:00:00 b"], ["2026-11-24T09:00:00Z", "2025-11-26T09:00:00Z"]),
        (
            [b"Nov 23 09:00:00 a", b"Mar  3 01:02:03 quoted", b"Nov 23 09:00:01 c"],
            ["2026-11-23T09:00:00Z", "2026-03-03T01:02:03Z", "2026-11-23T09:00:01Z"],
        ),
        (
            [b"Dec 31 23:59:59 a", b"Jan  1 00:00:00 b", b"Dec 31 23:59:59 c", b"Jan  1 00:00:01 d"],
            ["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:01Z"],
        ),
        ([b"Feb 29 10:00:00 a", b"Mar  1 10:00:00 b"], ["2024-02-29T10:00:00Z", "2024-03-01T10:00:00Z"]),
        ([b"Feb 30 10:00:00 a"], [SEEN]),
        ([b"9999999999 bytes sent", b"0899999999 bytes"], [SEEN, SEEN]),
        ([b"0001-01-01T00:00:00Z a", b"9999-12-31 23:59:59 b", b"1970-01-01 00:00:03 c"], [SEEN] * 3),
        (
            [b"2026-11-23 09:00:00 a", b"2026-12-24 09:00:00 b", b"no time", b"2026-11-24 09:00:00 c"],
            [*["2026-11-23T09:00:00Z"] * 3, "2026-11-24T09:00:00Z"],
        ),
    ],
)
def test_no_line_is_of_the_future(lines: list[bytes], times: list[str], *, fast: bool) -> None:
    one = encoder(fast=fast)
    _, text = encode(one, b"".join(line + b"\n" for line in lines), read_ms=TODAY, seen_ms=TODAY)
    assert [row[15:].partition(b'"')[0].decode() for row in text.splitlines()[1::2]] == times
    assert [stamp for stamp, _ in read(lines, [TODAY] * len(lines), fast=fast, seen_ms=TODAY)] == times


@pytest.mark.parametrize("fast", FAST)
def test_a_file_that_is_quiet_for_months_goes_on_in_the_year_that_it_is(*, fast: bool) -> None:
    begin = parse_time("2025-03-01T00:00:00Z")
    days = [0, 100, 101, 340, 341, 660]
    lines = [rfc3339(begin + day * DAY)[5:19].replace("T", " ").encode() + b" x" for day in days]
    found = read(lines, [begin + day * DAY for day in days], fast=fast, seen_ms=begin - 200 * DAY)
    assert [stamp for stamp, _ in found] == [rfc3339(begin + day * DAY) for day in days]
    assert [kept for _, kept in found] == [True, True, False, True, False, True]


@pytest.mark.parametrize("fast", FAST)
def test_the_time_of_reading_is_kept_where_it_decided(*, fast: bool) -> None:
    lines = [b"2026-02-02 02:40:00 a", b"2026-02-03 02:39:59 b", b"2026-02-20 02:40:00 c", b"2026-02-20 02:40:01 d"]
    found = read(lines, [NOW, NOW, NOW + 17 * DAY + 20_000, NOW + 18 * DAY], fast=fast)
    assert found == [(rfc3339(parse_time(line[:19].decode() + "Z")), n == 2) for n, line in enumerate(lines)]
    assert read(lines[2:3], [NOW], fast=fast) == [(rfc3339(NOW), True)]


@pytest.mark.parametrize("fast", FAST)
def test_a_clock_that_was_never_set_bounds_nothing(*, fast: bool) -> None:
    lines = [b"2026-02-02 02:40:00 a", b"9999999999 b", b"2026-02-02 02:41:00 c"]
    found = read(lines, [86_400_000] * 3, fast=fast, seen_ms=0)
    assert [stamp for stamp, _ in found] == ["2026-02-02T02:40:00Z", "2026-02-02T02:40:00Z", "2026-02-02T02:41:00Z"]


LINES = [
    b"Feb  2 02:40:%02d a", b"Mar  3 02:40:%02d b", b"Nov 23 02:40:%02d c", b"2026-02-02 02:40:%02d d",
    b"2026-02-05 02:40:%02d e", b"2031-02-05 02:40:%02d f", b"17700000%02d g", b"99999999%02d h", b"no time %d",
    b'{"time": 17700000%02d}', b"Feb 29 02:40:%02d i", b"2026-02-02 02:40:%02d UTC j", b"12-30 02:40:%02d k",
]  # fmt: skip
CHOSEN = st.lists(st.tuples(st.sampled_from(LINES), st.integers(10, 14), st.integers(1, 12)), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(chosen=CHOSEN, cap=st.sampled_from([1, 2000, 1 << 20]), later=st.integers(0, 400))
def test_lines_that_are_read_again_have_the_time_that_they_had(
    chosen: list[tuple[bytes, int, int]], cap: int, later: int
) -> None:
    lines = [line % second for line, second, times in chosen for _ in range(times)]
    chunk, at, carried = b"".join(line + b"\n" for line in lines), 0, Carried()
    whole = stamps(lines, fast=False)
    assert not AVAILABLE or stamps(lines, fast=True) == whole
    bodies = 0
    while at < len(chunk) and bodies < 40:
        found = {}
        for fast in {False, AVAILABLE}:
            one = encoder(fast=fast, cap=cap)
            body, text = encode(one, chunk[at:], at, carried=carried)
            found[fast] = body, text
            again, same = encode(one, chunk[at : at + body.consumed], at, carried=carried, read_ms=NOW + later * DAY)
            assert body.fallback or (again.carried, same) == (body.carried, text)
        assert found[False] == found[AVAILABLE]
        at, carried, bodies = at + body.consumed, body.carried, bodies + 1


@settings(max_examples=100, deadline=None)
@given(days=st.lists(st.integers(0, 300), min_size=1, max_size=30), seen=st.integers(-2000, 0))
def test_a_live_file_s_dates_without_a_year_are_those_of_their_lines(days: list[int], seen: int) -> None:
    times = [NOW]
    for day in days:
        times.append(times[-1] + day * DAY + 61_000)
    lines = [rfc3339(time)[5:19].replace("T", " ").encode() + b" x" for time in times]
    found = read(lines, times, fast=False, seen_ms=NOW + seen * DAY)
    assert [stamp for stamp, _ in found] == [rfc3339(time) for time in times]
    for (before, now), (_, kept) in zip(pairwise(times), found[1:], strict=True):
        assert kept == (now >= (before // 60_000 + 1) * 60_000 + DAY)
