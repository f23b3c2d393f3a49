from hypothesis import given
from hypothesis import strategies as st

from collector.nvml.readings.counters import Odometer, Unwrapped

SPAN = 2**32


def test_parts_are_added_up() -> None:
    odometer = Odometer()
    for part, count in ((0, 5.0), (1, 7.0), (0, 6.0)):
        odometer.take(part, count)
    assert odometer.total == 13


def test_a_part_that_begins_anew_counts_on_from_where_it_was() -> None:
    odometer = Odometer()
    for count in (600.0, 2.0, 3.0):
        odometer.take(0, count)
    odometer.take(1, 400.0)
    assert odometer.total == 600 + 3 + 400


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1000))))
def test_the_total_never_goes_back(steps: list[tuple[int, int]]) -> None:
    odometer = Odometer()
    before = 0.0
    for part, count in steps:
        odometer.take(part, float(count))
        assert odometer.total >= before
        before = odometer.total


@given(st.integers(0, 10 * SPAN), st.lists(st.integers(0, SPAN - 1)))
def test_a_counter_that_wraps_less_than_once_between_two_looks_is_exact(start: int, steps: list[int]) -> None:
    counter, true = Unwrapped(), start
    offset = counter.take(true % SPAN)
    assert offset == start % SPAN
    for step in steps:
        true += step
        assert counter.take(true % SPAN) == true - start + offset


@given(
    st.integers(0, SPAN),
    st.lists(st.tuples(st.integers(0, 40 * SPAN), st.floats(-0.4 * SPAN, 0.4 * SPAN)), max_size=20),
)
def test_one_that_wraps_often_is_exact_where_its_rate_is_told_about(start: int, steps: list[tuple[int, float]]) -> None:
    counter, true = Unwrapped(), start
    offset = counter.take(true % SPAN)
    for step, off in steps:
        true += step
        assert counter.take(true % SPAN, max(0.0, step + off)) == true - start + offset


def test_a_rate_that_is_far_off_never_takes_it_back() -> None:
    counter = Unwrapped()
    counter.take(100.0)
    assert counter.take(90.0, 5.0) == SPAN + 90
    assert counter.take(90.0, 0.0) == SPAN + 90
