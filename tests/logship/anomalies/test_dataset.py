"""Rates and gaps over a fortnight: quiet while all is ordinary, and each fault found in time."""

import copy
from collections.abc import Sequence

import numpy as np
import pytest

from bench.log_weeks import TICKS_A_DAY, Trouble, Weeks
from logship.anomalies.dataset import DatasetWatch
from logship.anomalies.rates import Finding

RATES = (0.02, 0.1, 0.3, 1, 2, 3, 8, 20)
INTERVALS = (3, 6, 30)
HEARTBEAT = len(RATES)
DAYS = 14
SCORE = 0.99
HOUR_TICKS = 360

Found = list[tuple[int, int | None, Finding]]


def feed(watch: DatasetWatch, weeks: Weeks, first: int, last: int, troubles: Sequence[Trouble] = ()) -> Found:
    found: Found = []
    for number, (now_ms, counts) in enumerate(weeks.ticks(first, last, troubles), first):
        ids = np.flatnonzero(counts)
        for one in watch.tick(now_ms, ids, counts[ids]):
            if one.score >= SCORE:
                found.append((number, watch.template(one.row), one))
    return found


@pytest.fixture(scope="module")
def fortnight() -> tuple[DatasetWatch, Weeks, Found]:
    """A watch that has seen two weeks, and what it said in them."""
    weeks = Weeks(RATES, INTERVALS, seed=3)
    watch = DatasetWatch(86_400.0, next(weeks.ticks(0, 1))[0])
    return watch, weeks, feed(watch, weeks, 0, DAYS * TICKS_A_DAY)


def after(fortnight: tuple[DatasetWatch, Weeks, Found], *troubles: Trouble, hours: float = 1.0) -> Found:
    watch, weeks = copy.deepcopy(fortnight[:2])
    first = DAYS * TICKS_A_DAY + 10 * HOUR_TICKS
    placed = [Trouble(one.kind, one.place, first + one.first, one.ticks) for one in troubles]
    feed(watch, weeks, first - HOUR_TICKS, first)
    return [
        (tick - first, template, one)
        for tick, template, one in feed(watch, weeks, first, first + round(hours * HOUR_TICKS), placed)
    ]


def test_a_fortnight_of_ordinary_noise_is_quiet(fortnight: tuple[DatasetWatch, Weeks, Found]) -> None:
    told = {(template, one.kind, tick // 60) for tick, template, one in fortnight[2]}
    assert len(told) <= 2, told


def test_another_ordinary_hour_is_quiet(fortnight: tuple[DatasetWatch, Weeks, Found]) -> None:
    assert after(fortnight) == []


def test_a_jump_is_found_within_two_minutes_and_by_its_template_only(
    fortnight: tuple[DatasetWatch, Weeks, Found],
) -> None:
    found = after(fortnight, Trouble("jump", 6, 60, 120))
    tick, template, one = found[0]
    assert (template, one.kind) == (6, "rate_jump")
    assert 60 <= tick < 72
    assert one.observed > 2.5 * one.expected
    assert {template for _, template, _ in found} == {6}


def test_a_template_that_stops_is_found(fortnight: tuple[DatasetWatch, Weeks, Found]) -> None:
    tick, template, one = after(fortnight, Trouble("drop", 5, 60, 120))[0]
    assert (template, one.observed) == (5, 0)
    assert one.kind in {"rate_drop", "heartbeat_missing"}
    assert tick < 60 + 30


@pytest.mark.parametrize(("place", "interval"), [*enumerate(INTERVALS)])
def test_a_heartbeat_that_stops_is_found_after_some_intervals(
    fortnight: tuple[DatasetWatch, Weeks, Found], place: int, interval: int
) -> None:
    found = after(fortnight, Trouble("heartbeat", HEARTBEAT + place, 60, 300))
    tick, template, one = found[0]
    assert (template, one.kind) == (HEARTBEAT + place, "heartbeat_missing")
    assert 60 + 2 * interval <= tick <= 60 + 7 * interval
    assert {template for _, template, _ in found} == {HEARTBEAT + place}


def test_a_source_that_falls_silent_is_one_finding_not_one_for_each_template(
    fortnight: tuple[DatasetWatch, Weeks, Found],
) -> None:
    found = after(fortnight, Trouble("silent", 0, 60, 120))
    assert {template for _, template, _ in found} == {None}
    assert (found[0][2].kind, found[0][0] < 72) == ("source_silent", True)


def test_lines_that_are_caught_up_with_are_no_jump(fortnight: tuple[DatasetWatch, Weeks, Found]) -> None:
    watch, weeks = copy.deepcopy(fortnight[:2])
    first = DAYS * TICKS_A_DAY
    found = []
    for tick, (now_ms, counts) in enumerate(weeks.ticks(first, first + 200)):
        ids = np.flatnonzero(counts)
        late = tick < 30
        lines = counts[ids] * (50 if late else 1)
        found += [one for one in watch.tick(now_ms, ids, lines, current=not late) if one.score >= SCORE]
    assert found == []


def test_the_same_lines_that_are_current_are_a_jump_of_the_data_set_and_not_of_each_template(
    fortnight: tuple[DatasetWatch, Weeks, Found],
) -> None:
    watch, weeks = copy.deepcopy(fortnight[:2])
    first = DAYS * TICKS_A_DAY + 10 * HOUR_TICKS
    found = []
    for now_ms, counts in weeks.ticks(first, first + 30):
        ids = np.flatnonzero(counts)
        told = watch.tick(now_ms, ids, 50 * counts[ids])
        found += [watch.template(one.row) for one in told if one.kind == "rate_jump" and one.score >= SCORE]
    assert None in found
    assert not {4, 5, 6, 7} & {*found}


def test_nothing_is_judged_while_it_learns() -> None:
    weeks = Weeks(RATES, INTERVALS, seed=4)
    watch = DatasetWatch(86_400.0, next(weeks.ticks(0, 1))[0])
    found = feed(watch, weeks, 0, TICKS_A_DAY // 4, [Trouble("silent", 0, 1000, 900)])
    assert found == []


def test_what_it_knows_outlives_it(fortnight: tuple[DatasetWatch, Weeks, Found]) -> None:
    watch, weeks = copy.deepcopy(fortnight[:2])
    first = DAYS * TICKS_A_DAY
    now_ms = next(weeks.ticks(first, first + 1))[0]
    about, arrays = watch.save()
    again = DatasetWatch.load(86_400.0, now_ms, about, arrays)
    trouble = Trouble("heartbeat", HEARTBEAT, first + 120, 60)
    found = feed(again, weeks, first, first + 180, [trouble])
    assert {template for _, template, _ in found} == {HEARTBEAT}
    assert found[0][2].kind == "heartbeat_missing"


def test_a_merged_template_takes_its_rate_along(fortnight: tuple[DatasetWatch, Weeks, Found]) -> None:
    watch, weeks = copy.deepcopy(fortnight[:2])
    watch.move({6: 4})
    first, found = DAYS * TICKS_A_DAY, []
    for now_ms, counts in weeks.ticks(first, first + 120):
        counts[4] += counts[6]
        counts[6] = 0
        ids = np.flatnonzero(counts)
        found += [one for one in watch.tick(now_ms, ids, counts[ids]) if one.score >= SCORE]
    assert found == []
    assert watch.row(6) is None


def test_no_more_than_a_thousand_templates_are_watched() -> None:
    watch = DatasetWatch(60.0, 0)
    for tick in range(1, 40):
        ids = np.arange(100 * tick, 100 * tick + 100)
        watch.tick(10_000 * tick, ids, np.ones(100, np.int64))
    assert len(watch.save()[0]["templates"]) == 1_000


STEPPED = (20.0, 20.0, 5.0, 1.0, 30.0)
"""One that follows a curve, three that follow working hours, one that comes in one hour of the night."""
AUTUMN = 6 * TICKS_A_DAY + HOUR_TICKS
"""A Sunday, 01:00: from now on everything comes an hour later."""
TUESDAY = 8 * TICKS_A_DAY


@pytest.fixture(scope="module")
def autumn() -> tuple[DatasetWatch, Weeks, Found]:
    """A watch that has seen a week with steps and two days of winter time, and what it said in them."""
    weeks = Weeks(STEPPED, INTERVALS, seed=5, office=3, nightly=1, winter=AUTUMN)
    watch = DatasetWatch(86_400.0, next(weeks.ticks(0, 1))[0])
    return watch, weeks, feed(watch, weeks, 0, TUESDAY)


def test_work_that_begins_and_ends_at_its_hour_is_ordinary_and_an_hour_later_in_winter(
    autumn: tuple[DatasetWatch, Weeks, Found],
) -> None:
    told = [(template, one.kind, divmod(tick, TICKS_A_DAY)) for tick, template, one in autumn[2]]
    assert told == []


@pytest.mark.parametrize(
    ("trouble", "hour"),
    [
        (Trouble("jump", 0, 0, 120), 12.0),
        (Trouble("drop", 1, 0, 120), 12.0),
        (Trouble("heartbeat", len(STEPPED), 0, 120), 9.6),
        (Trouble("silent", 0, 0, 120), 19.1),
    ],
)
def test_what_goes_wrong_beside_steps_is_found(
    autumn: tuple[DatasetWatch, Weeks, Found], trouble: Trouble, hour: float
) -> None:
    watch, weeks = copy.deepcopy(autumn[:2])
    first = TUESDAY + round(hour * HOUR_TICKS)
    feed(watch, weeks, TUESDAY, first)
    placed = Trouble(trouble.kind, trouble.place, first, trouble.ticks)
    found = feed(watch, weeks, first, first + 120, [placed])
    assert {template for _, template, _ in found} == {None if trouble.kind == "silent" else trouble.place}
