import hypothesis.strategies as st
from hypothesis import given

from collector.merge import Merger
from collector.series import Sample, SeriesKey

ROUNDS = st.lists(
    st.lists(st.lists(st.integers(0, 9), max_size=8), min_size=3, max_size=3), min_size=1, max_size=5
)  # fmt: skip


def plainly(answers: list[list[Sample]], most: int, most_of_all: int) -> tuple[list[Sample], list[tuple[int, int]]]:
    """One sample after the other."""
    kept: dict[SeriesKey, Sample] = {}
    told = []
    for answer in answers:
        mine = twice = over = 0
        for sample in answer:
            if sample.key in kept:
                twice += 1
            elif mine == most or len(kept) == most_of_all:
                over += 1
            else:
                kept[sample.key] = sample
                mine += 1
        told.append((twice, over))
    return list(kept.values()), told


@given(ROUNDS, st.integers(1, 6), st.integers(1, 12))
def test_rounds_that_follow_each_other_are_merged_like_single_ones(
    rounds: list[list[list[int]]], most: int, most_of_all: int
) -> None:
    merger = Merger(most, most_of_all)
    for turn, numbers in enumerate([*rounds, rounds[-1]]):
        answers = [[Sample(SeriesKey(f"s{one}"), float(turn)) for one in answer] for answer in numbers]
        samples, verdicts = merger.merge(answers)
        expected, told = plainly(answers, most, most_of_all)
        assert samples == expected
        assert [(verdict.duplicates, len(verdict.refused)) for verdict in verdicts] == told


def test_a_series_that_moves_to_the_next_source_is_seen() -> None:
    one, two = Sample(SeriesKey("a"), 1.0), Sample(SeriesKey("b"), 2.0)
    merger = Merger(1, 10)
    assert merger.merge([[one], [two]])[0] == [one, two]
    assert merger.merge([[one, two], []])[0] == [one]


def test_nobody_else_speaks_for_the_collector() -> None:
    samples, verdicts = Merger(5, 5).merge([[Sample(SeriesKey("forewarn_collector_success"), 1.0)]])
    assert samples == []
    assert verdicts[0].duplicates == 1
