"""New templates: rare ones are told, in one event; where they come often, they are not."""

import pytest

from logship.anomalies.novelty import WATCHED_TICKS, Novel, Novelty
from logship.anomalies.tally import First

TICK = 10_000
DAY_TICKS = 8_640


def passing(novelty: Novelty, days: float) -> None:
    novelty.tick({}, round(days * 86_400_000), ["vllm"], 0.95)


def coming(novelty: Novelty, templates: dict[int, tuple[str, int]], *, variant: bool = False) -> list[Novel]:
    """What is told of templates that come now, each with a level and as many lines a tick."""
    for template, (level, _) in templates.items():
        novelty.meet(First(template, "vllm", "text", 0), level, variant=variant)
    lines = {template: count for template, (_, count) in templates.items()}
    found = []
    for _ in range(WATCHED_TICKS + 1):
        found += novelty.tick(lines, TICK, ["vllm"], 0.95)
    return found


@pytest.mark.parametrize("days", [0.1, 7])
def test_a_new_error_is_told_at_once(days: float) -> None:
    novelty = Novelty()
    passing(novelty, days)
    [told] = coming(novelty, {17: ("error", 1)})
    assert (told.templates, told.errors) == ((17,), True)
    assert told.score > 0.99


def test_a_new_line_of_no_weight_is_told_only_after_quiet_days() -> None:
    novelty = Novelty()
    passing(novelty, 0.1)
    assert coming(novelty, {17: ("info", 1)}) == []
    passing(novelty, 7)
    quiet = Novelty()
    passing(quiet, 7)
    [told] = coming(quiet, {18: ("info", 1)})
    assert 0.95 < told.score < 0.99


def test_the_more_often_the_less_it_says() -> None:
    novelty = Novelty()
    passing(novelty, 7)
    scores = []
    for template in range(5):
        scores += [one.score for one in coming(novelty, {template: ("error", 1)})]
        passing(novelty, 0.5)
    assert scores == sorted(scores, reverse=True)
    assert len(scores) < 3


def test_a_burst_says_more() -> None:
    once, often = Novelty(), Novelty()
    passing(once, 2)
    passing(often, 2)
    [quiet], [loud] = coming(once, {1: ("error", 1)}), coming(often, {1: ("error", 500)})
    assert loud.score > quiet.score


def test_an_upgrade_is_one_event_and_a_new_error_in_it_another() -> None:
    novelty = Novelty()
    passing(novelty, 14)
    told = coming(novelty, {**dict.fromkeys(range(40), ("info", 3)), 99: ("error", 1)})
    assert sorted((one.errors, len(one.templates)) for one in told) == [(False, 40), (True, 1)]


def test_what_is_merged_into_a_known_template_is_not_new() -> None:
    novelty = Novelty()
    passing(novelty, 14)
    novelty.meet(First(17, "vllm", "text", 0), "error", variant=False)
    novelty.move({17: 3})
    assert novelty.tick({3: 5}, TICK, ["vllm"], 0.95) == novelty.tick({3: 5}, TICK, ["vllm"], 0.95) == []


def test_a_variant_of_a_known_line_is_less_new() -> None:
    novelty = Novelty()
    passing(novelty, 1)
    assert coming(novelty, {17: ("error", 1)}) != []
    assert coming(novelty, {18: ("info", 1)}, variant=True) == []


def test_it_outlives_the_process() -> None:
    novelty = Novelty()
    passing(novelty, 7)
    again = Novelty.load(novelty.save())
    assert coming(again, {1: ("info", 1)})[0].score == pytest.approx(coming(novelty, {1: ("info", 1)})[0].score)
