"""Series of theirs that come to one of ours, put together time by time."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.history.load import _Grid
from collector.history.prometheus import Line
from collector.history.translate import Target
from collector.series import SeriesKey

STEP = 60_000
KEY = SeriesKey("forewarn_inference_requests_running")
SUM = Target(KEY, counter=False, times=1.0, over=1.0, add=True, scope="s", rank=0)
LARGEST = replace(SUM, add=False)
N = float("nan")


def line(*values: float, start: int = 0) -> Line:
    times = np.arange(start, start + len(values) * STEP, STEP, dtype=np.int64)
    return Line({}, times, np.array(values, np.float64))


def found(*added: tuple[Target, Line], oldest: dict[SeriesKey, int] | None = None) -> dict[Any, dict[int, float]]:
    grid = _Grid(0, 4 * STEP, STEP)
    for target, values in added:
        grid.add(target, values)
    merged: dict[Any, dict[int, float]] = {}
    for one in grid.histories(oldest or {}):
        samples = zip((one.times_ms // STEP).tolist(), one.values.tolist(), strict=True)
        merged.setdefault(one.key, {}).update(samples)
    return merged


def test_engines_are_added_up_where_they_are_there() -> None:
    assert found((SUM, line(1, 2, N, 4)), (SUM, line(10, N, N, 40))) == {KEY: {0: 11, 1: 2, 3: 44}}


def test_the_largest_counts_where_they_are_not_to_be_added() -> None:
    assert found((LARGEST, line(1, 2, N)), (LARGEST, line(0, N, N))) == {KEY: {0: 1, 1: 2}}


def test_replicas_of_one_part_count_once() -> None:
    one, other = replace(SUM, part="model a"), replace(SUM, part="model b")
    assert found((one, line(1, 5)), (one, line(2, 4)), (other, line(10, 10))) == {KEY: {0: 12, 1: 15}}


def test_a_newer_name_wins_where_it_has_values_in_its_scope() -> None:
    old, new = replace(SUM, rank=1), SUM
    elsewhere = replace(SUM, key=SeriesKey.of(KEY.name, endpoint="b"), rank=1, scope="other")
    bucket = replace(SUM, key=SeriesKey.of(KEY.name, le="2"), rank=1)
    assert found(
        (old, line(1, 1, 1, 1)), (new, line(N, 2, N, 2)), (elsewhere, line(3, 3)), (bucket, line(9, 9, 9))
    ) == {KEY: {0: 1, 1: 2, 2: 1, 3: 2}, elsewhere.key: {0: 3, 1: 3}, bucket.key: {0: 9, 2: 9}}


def test_units_gaps_infinities_and_times_outside() -> None:
    percent = replace(LARGEST, over=100.0)
    values = line(94, np.inf, -np.inf, N, 7, 8, start=0)
    assert found((percent, values)) == {KEY: {0: 0.94, 4: 0.07}}


def test_nothing_is_taken_from_the_beginning_of_our_own_record_on() -> None:
    assert found((LARGEST, line(1, 2, 3)), oldest={KEY: 2 * STEP}) == {KEY: {0: 1, 1: 2}}
    assert found((LARGEST, line(1, 2, 3)), oldest={KEY: 0}) == {}


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=5))
def test_counters_are_what_our_own_reading_makes_of_the_same_kernel(milliseconds: list[int]) -> None:
    seconds = replace(LARGEST, counter=True)
    noisy = [each * (1.0 / 1000.0) for each in milliseconds]  # as node_exporter reckons
    assert found((seconds, line(*noisy))) == {KEY: {n: each / 1000.0 for n, each in enumerate(milliseconds)}}


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=64))
def test_ticks_added_up_by_a_server_are_what_the_kernel_adds_up(ticks: list[int]) -> None:
    added = 0.0
    for each in ticks:
        added += each / 100.0
    assert found((replace(LARGEST, counter=True), line(added))) == {KEY: {0: sum(ticks) / 100.0}}


def test_large_and_whole_counters_and_levels_are_left_as_they_are() -> None:
    counter = replace(LARGEST, counter=True)
    values = (1e18 + 2048, 2.0**53 + 2, 12345678901.123457)
    assert found((counter, line(*values))) == {KEY: dict(enumerate(values))}
    assert found((replace(LARGEST, counter=False), line(0.123456789))) == {KEY: {0: 0.123456789}}
