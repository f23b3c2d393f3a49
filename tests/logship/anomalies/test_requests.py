"""Requests: found by their ids, followed to their end, sampled where there are too many, judged by what was normal."""

import random

import numpy as np

from logship.anomalies.requests import ACTIVE, DEFAULT_PATTERN, MOST_LINES, MOST_OPEN, ROUNDS, Request, Requests
from logship.anomalies.sequences import Ways
from tests.logship.anomalies.test_counting import chunk

QUIET = 10.0
RECEIVED, SCHEDULED, FINISHED, ABORTED, NOISE = 1, 2, 3, 4, 5
TEXTS = {
    RECEIVED: "INFO Received request {id}: prompt 12 tokens",
    SCHEDULED: "DEBUG scheduled {id} on device 3",
    FINISHED: "INFO Finished request {id}.",
    ABORTED: "WARNING Aborted request {id}",
    NOISE: "INFO 2026-03-01 gpu-0 is fine",
}


def name_of(chance: random.Random) -> str:
    return f"cmpl-{chance.getrandbits(128):032x}"


def see(requests: Requests, rows: list[tuple[int, str]], now: float) -> None:
    texts = [TEXTS[template].format(id=name).encode() for template, name in rows]
    requests.observe(chunk(texts), np.array([template for template, _ in rows], np.int32), now)


def started(pattern: bytes = DEFAULT_PATTERN) -> Requests:
    """One that has waited for those that were under way when it began."""
    requests = Requests(pattern, QUIET)
    see(requests, [(NOISE, "")], 0.0)
    return requests


def test_a_request_is_its_lines_in_order_once_it_has_been_quiet() -> None:
    requests = started()
    see(requests, [(RECEIVED, "cmpl-aaaa1"), (RECEIVED, "cmpl-bbbb2"), (NOISE, "")], 20)
    see(requests, [(SCHEDULED, "cmpl-aaaa1"), (FINISHED, "cmpl-aaaa1")], 25)
    assert requests.take(26) == []
    assert requests.take(31) == [Request("cmpl-bbbb2", "vllm", (RECEIVED,))]
    assert requests.take(36) == [Request("cmpl-aaaa1", "vllm", (RECEIVED, SCHEDULED, FINISHED))]


def test_ids_of_all_usual_forms_are_found() -> None:
    requests = started()
    names = ["chatcmpl-9f", "cmpl-0aB3x", "req-1234-ab", "8f14e45f-ceea-467f-a9d2-1b2c3d4e5f60"]
    see(requests, [(RECEIVED, name) for name in names] + [(NOISE, "")], 20)
    found = {one.id for one in requests.take(40)}
    assert found == {"cmpl-0aB3x", "req-1234-ab", "8f14e45f-ceea-467f-a9d2-1b2c3d4e5f60"}, "two characters are no id"


def test_a_pattern_of_ones_own_takes_the_place_of_the_usual_ones() -> None:
    requests = started(rb"request (job\d+)")
    see(requests, [(RECEIVED, "job77"), (RECEIVED, "cmpl-aaaa1")], 20)
    assert [one.id for one in requests.take(40)] == ["job77"]


def test_what_was_under_way_at_the_start_is_not_followed() -> None:
    requests = Requests(quiet=QUIET)
    see(requests, [(FINISHED, "cmpl-aaaa1")], 100)
    assert requests.take(200) == []


def test_no_more_than_so_many_are_open() -> None:
    requests, chance = started(), random.Random(1)
    for _ in range(3):
        see(requests, [(RECEIVED, name_of(chance)) for _ in range(5_000)], 20)
        requests.take(21)
    assert requests.cut == 15_000 - MOST_OPEN


def test_too_many_lines_are_sampled_by_whole_requests() -> None:
    requests, chance = started(), random.Random(2)
    see(requests, [(RECEIVED, name_of(chance)) for _ in range(MOST_LINES + 10)], 20)
    assert requests.sampled
    requests.take(20)
    names = [name_of(chance) for _ in range(40_000)]
    see(requests, [(RECEIVED, name) for name in names], 40)
    requests.take(40)
    see(requests, [(FINISHED, name) for name in names], 41)
    found = requests.take(60)
    assert 80 < len(found) < 300, "one in 256"
    assert {one.events for one in found} == {(RECEIVED, FINISHED)}
    assert len({one.id[:7] for one in found}) == 1


def test_a_sample_rests_and_another_one_comes() -> None:
    requests, chance = started(), random.Random(3)
    see(requests, [(RECEIVED, name_of(chance)) for _ in range(MOST_LINES + 10)], 20)
    texts = [TEXTS[RECEIVED].format(id=name_of(chance)).encode() for _ in range(40_000)]
    busy, templates = chunk(texts), np.full(len(texts), RECEIVED, np.int32)
    prefixes = set()
    for number in range(ROUNDS + ACTIVE):
        now = 40.0 + 10 * number
        if number % 3:
            requests.observe(busy, templates, now)
        over = requests.take(now)
        prefixes |= {one.id[:7] for one in over}
        if ACTIVE + 2 < number < ROUNDS - 2:
            assert not over
    assert len(prefixes) == 2


def ways_of(count: int, seed: int = 1) -> list[Request]:
    chance = random.Random(seed)
    return [
        Request(str(n), "vllm", (RECEIVED, *(SCHEDULED,) * chance.choice((1, 1, 2)), FINISHED)) for n in range(count)
    ]


def learned() -> Ways:
    ways = Ways()
    for tick in range(10):
        assert ways.judge(ways_of(100, tick), 10_000 * tick, learning=tick < 9, resolve=int) is None
    for tick in range(10, 600):
        assert ways.judge(ways_of(20, tick), 10_000 * tick, learning=False, resolve=int) is None
    return ways


def test_normal_requests_are_quiet_and_aborted_ones_are_not() -> None:
    ways = learned()
    broken = [Request("x", "vllm", (RECEIVED, ABORTED))] * 3
    found = ways.judge([*ways_of(20), *broken], 6_000_000, learning=False, resolve=int)
    assert found is not None
    assert found.score > 0.95
    assert (found.flagged, found.step) == (3, (RECEIVED, ABORTED))
    again = ways.judge(broken, 6_010_000, learning=False, resolve=int)
    assert again is not None
    assert again.score > 0.999, "it goes on"


def test_a_line_that_is_missing_is_told() -> None:
    ways = learned()
    found = ways.judge([Request("x", "vllm", (RECEIVED,))] * 5, 6_000_000, learning=False, resolve=int)
    assert found is not None
    assert found.missing == (SCHEDULED, FINISHED)
    assert found.step is None


def test_merged_templates_are_the_same_event() -> None:
    ways = learned()
    found = ways.judge(
        [Request("x", "vllm", (RECEIVED, 99, FINISHED))] * 5,
        6_000_000,
        learning=False,
        resolve=lambda template: SCHEDULED if template == 99 else template,
    )
    assert found is None


def test_a_new_way_that_stays_is_learned_within_half_a_day() -> None:
    ways = learned()
    other = [Request(str(n), "vllm", (RECEIVED, ABORTED, FINISHED)) for n in range(20)]
    told = [
        ways.judge(other, 6_000_000 + 10_000 * tick, learning=False, resolve=int) is not None for tick in range(4_320)
    ]
    assert told[0]
    assert not any(told[-360:])


def test_what_was_learned_outlives_the_process() -> None:
    ways = Ways.load(learned().save(), 0, int)
    found = ways.judge([Request("x", "vllm", (RECEIVED, ABORTED))] * 3, 6_000_000, learning=False, resolve=int)
    assert found is not None
    assert found.score > 0.99
