from hypothesis import given
from hypothesis import strategies as st

from collector.nvml.odometer import Odometer


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
