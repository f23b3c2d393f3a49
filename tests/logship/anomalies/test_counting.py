"""Counting by template: nothing is missed, series never fall, what is merged moves on."""

import numpy as np

from logship.anomalies.series import LEVELS, LINES, TemplateSeries, resolved
from logship.anomalies.tally import MOST_IDS, Tally
from logship.feed import Lines


def chunk(texts: list[bytes], dataset: str = "vllm", *, late: bool = False) -> Lines:
    data = b"".join(text + b"\n" for text in texts)
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
    return Lines(dataset, "/log", np.frombuffer(data, np.uint8), starts.astype(np.int64), 1_000, late=late)


def ids(*templates: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(templates, np.int32)


def counted(tally: Tally) -> dict[str, dict[int, int]]:
    found, _ = tally.take()
    return {dataset: dict(zip(*map(np.ndarray.tolist, one), strict=True)) for dataset, one in found.items()}


def values(series: TemplateSeries, name: str = LINES) -> dict[str, float]:
    return {
        labels.get("template", labels.get("level", "")): value
        for found, labels, value, counter in series.samples()
        if found == name and counter
    }


def put(series: TemplateSeries, lines: dict[int, int], levels: dict[int, str] | None = None) -> None:
    keys, counts = np.array([*lines], np.int64), np.array([*lines.values()], np.int64)
    series.count("vllm", keys, counts, levels or {})


def test_every_line_counts_once_by_data_set() -> None:
    tally, chance = Tally(), np.random.default_rng(1)
    drawn = chance.integers(0, 700, 5_000).astype(np.int32)
    for part in np.array_split(drawn, 7):
        tally.observe(chunk([b"x"] * len(part)), part)
    tally.observe(chunk([b"y"], "nginx"), ids(3))
    expected = dict(zip(*map(np.ndarray.tolist, np.unique(drawn, return_counts=True)), strict=True))
    assert counted(tally) == {"vllm": expected, "nginx": {3: 1}}
    assert counted(tally) == {"vllm": {}, "nginx": {}}


def test_data_sets_with_older_lines_are_named() -> None:
    tally = Tally()
    tally.observe(chunk([b"x"], "nginx"), ids(1))
    tally.observe(chunk([b"x"], late=True), ids(1))
    tally.observe(chunk([b"x"]), ids(1))
    assert tally.late == {"vllm"}


def test_the_first_line_of_each_template_is_kept_once() -> None:
    tally = Tally()
    tally.observe(chunk([b"a 1", b"b 1", b"a 2"]), ids(5, 900, 5))
    tally.observe(chunk([b"b 2", b"c 1"]), ids(900, 6))
    _, firsts = tally.take()
    assert [(one.template, one.line) for one in firsts] == [(5, "a 1"), (900, "b 1"), (6, "c 1")]
    tally.observe(chunk([b"c 2"]), ids(6))
    assert tally.take()[1] == []


def test_what_an_earlier_process_knew_is_not_new() -> None:
    tally = Tally()
    tally.known([7, 4_000, MOST_IDS + 5])
    tally.observe(chunk([b"a", b"b", b"c"]), ids(7, 4_000, 8))
    assert [one.template for one in tally.take()[1]] == [8]


def test_ids_beyond_a_million_are_the_tail() -> None:
    tally = Tally()
    tally.observe(chunk([b"a", b"b"]), ids(MOST_IDS + 1, 2))
    assert counted(tally) == {"vllm": {0: 1, 2: 1}}


def test_the_rest_is_summed() -> None:
    series = TemplateSeries(2)
    put(series, {1: 10, 2: 5, 3: 4, 4: 1})
    put(series, {4: 2})
    assert values(series) == {"1": 10, "2": 5, "other": 7}


def test_a_merged_template_ends_and_its_lines_go_on_in_the_other_without_a_jump() -> None:
    series = TemplateSeries(10)
    put(series, {1: 10, 2: 500})
    series.move({2: 1})
    before = values(series)
    put(series, {1: 3})
    assert before == {"1": 10}
    assert values(series) == {"1": 13}


def test_no_series_ever_falls_while_the_frequent_take_the_place_of_the_rare() -> None:
    series, chance = TemplateSeries(5), np.random.default_rng(2)
    highest: dict[str, float] = {}
    total = 0
    for tick in range(1_000):
        favourite = 20 + tick // 300
        lines = {int(one): 1 for one in chance.integers(0, 12, 3)} | {favourite: 50}
        total += sum(lines.values())
        put(series, lines)
        now = values(series)
        assert all(value >= highest.get(name, 0) for name, value in now.items())
        highest |= now
        series.tick()
    assert {"20", "21", "22", "23"} & set(values(series)), "the frequent have series of their own"
    assert sum(highest.values()) == total, "no line is lost between series"
    assert len(values(series)) == 6


def test_levels_are_those_of_the_templates() -> None:
    series = TemplateSeries(5)
    put(series, {1: 2, 2: 3, 3: 4}, {1: "error", 2: "info", 3: "error"})
    assert values(series, LEVELS) == {"error": 6, "info": 3}


def test_counts_are_summed_under_the_ids_that_stand_now() -> None:
    found, counts = resolved(np.array([1, 2, 9]), np.array([10, 20, 30]), {2: 1, 9: 9})
    assert (found.tolist(), counts.tolist()) == ([1, 9], [30, 30])
