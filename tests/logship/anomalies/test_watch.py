"""The watch as a whole, on a clock that the test moves: events, the files that others read, a process that ends."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.anomalies.events import REST_MS, EventBook, Key, LogAnomaly
from logship.anomalies.glossary import Entry, Glossary
from logship.anomalies.news import MOST_UNTOLD, NEWS
from logship.anomalies.reading import EVENTS, TEMPLATES, rows, templates
from logship.anomalies.settings import DATASET, AnomalySettings
from logship.anomalies.state import STATE
from logship.anomalies.watch import Watch
from logship.patterns.miner import Miner
from tests.logship.anomalies.test_counting import chunk
from tests.support.hand_clock import HandClock

CALM = [b"2026-03-01 10:00:00 INFO Finished request %d" % n for n in range(30)]
FATAL = [b"2026-03-01 10:00:01 ERROR CUDA error %d: an illegal memory access was encountered" % n for n in range(40)]


class Node:
    """A miner and a watch over it, which may end and begin again."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.clock = folder, HandClock(1_800_000_000_000)
        self.settings = AnomalySettings(learning=30, **settings)
        self.miner = Miner()
        self.begin()

    def begin(self) -> None:
        self.watch = Watch(
            self.settings,
            self.folder,
            clock=self.clock,
            miner=self.miner,
            lock=threading.Lock(),
            datasets=["vllm"],
        )

    async def see(self, *texts: bytes, dataset: str = "vllm", seconds: float = 10.0) -> None:
        if texts:
            lines = chunk([*texts], dataset)
            self.watch.observe(lines, self.miner.feed("/log", lines.data.tobytes(), lines.starts))
        await self.clock.advance(seconds)
        self.watch.tick()

    async def learn(self) -> None:
        for _ in range(5):
            await self.see(*CALM)

    def written(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in (self.folder / EVENTS).read_bytes().splitlines()]

    def value(self, name: str, **labels: str) -> float | None:
        return next(
            (v for found, at, v, _ in self.watch.samples() if found == name and labels.items() <= at.items()), None
        )


async def test_a_new_error_is_one_event_with_a_beginning_and_an_end(tmp_path: Path) -> None:
    node = Node(tmp_path)
    await node.learn()
    assert node.written() == []
    await node.see(*CALM, *FATAL[:30])
    for _ in range(3):
        await node.see(*CALM, *FATAL[:3])
    [told] = node.watch.told()
    assert (told["kind"], told["what"], told["ended"]) == ("new_template", "new errors", None)
    assert "CUDA error" in told["text"]
    assert told["examples"][0].startswith("2026-03-01 10:00:01 ERROR CUDA error 0")
    for _ in range(40):
        await node.see(*CALM)
    [over] = node.watch.told()
    assert over["ended"] is not None
    documents = node.written()
    assert [one["event"]["action"] for one in documents] == ["log-anomaly-begun", "log-anomaly-over"]
    assert {one["anomaly"]["id"] for one in documents} == {told["id"]}
    assert all(one["@timestamp"] and one["message"].startswith("vllm: ") for one in documents)
    assert rows(tmp_path)[0]["ended"] == over["ended"]
    assert node.value("forewarn_logs_anomalies_total", kind="new_template") == 1
    assert node.value("forewarn_logs_anomalies_active", kind="new_template") == 0
    for _ in range(60):
        await node.see(*CALM)
    assert node.watch.told() == []


async def test_ordinary_lines_make_no_event(tmp_path: Path) -> None:
    node = Node(tmp_path)
    for _ in range(60):
        await node.see(*CALM)
    assert (node.written(), node.watch.told()) == ([], [])


@pytest.mark.parametrize("orderly", ["stopped", "killed"])
async def test_a_process_that_ends_tells_nothing_twice_and_forgets_nothing(tmp_path: Path, orderly: str) -> None:
    node = Node(tmp_path)
    await node.learn()
    for _ in range(3):
        await node.see(*CALM, *FATAL[:5])
    [told] = node.watch.told()
    if orderly == "stopped":
        node.watch.close()
        assert (tmp_path / STATE).exists()
    node.begin()
    assert [one["id"] for one in node.watch.told()] == [told["id"]]
    await node.see(*CALM, *FATAL[:5])
    await node.see(*CALM, *FATAL[5:10])
    assert len(node.written()) == 1
    for _ in range(40):
        await node.see(*CALM)
    assert [one["event"]["action"] for one in node.written()] == ["log-anomaly-begun", "log-anomaly-over"]


def told_news(node: Node) -> list[str]:
    return [one["text"] for one in node.watch.told() if one["kind"] == "new_template"]


@pytest.mark.parametrize("orderly", [True, False])
@pytest.mark.parametrize("looks", [0, 1, 2])
async def test_a_new_error_just_before_the_end_is_told_by_the_next_process(
    tmp_path: Path,
    orderly: bool,  # noqa: FBT001  a parameter of the test
    looks: int,
) -> None:
    """The miner knows the template by then; the line itself does not come again."""
    node = Node(tmp_path)
    await node.learn()
    node.watch.save()
    await node.see(*CALM, *FATAL[:5], seconds=10.0 if looks else 1.0)
    if looks == 2:
        await node.see(*CALM, seconds=1.0)
    assert told_news(node) == []
    if orderly:
        node.watch.close()
    node.miner = Miner.load(node.miner.save())
    node.begin()
    for _ in range(3):
        await node.see(*CALM)
    [text] = told_news(node)
    assert text.startswith("CUDA error <*>: an illegal memory access")
    assert node.watch.told()[0]["examples"] == [FATAL[0].decode()]
    for _ in range(10):
        await node.see(*CALM)
    assert [one["event"]["action"] for one in node.written()] == ["log-anomaly-begun"]
    node.begin()
    for _ in range(10):
        await node.see(*CALM)
    assert len([one for one in node.written() if one["event"]["action"] == "log-anomaly-begun"]) == 1


async def test_a_template_that_nobody_had_seen_when_the_process_was_killed_is_new_when_it_comes_again(
    tmp_path: Path,
) -> None:
    node = Node(tmp_path)
    await node.learn()
    node.watch.save()
    node.miner.feed("/log", b"\n".join(FATAL[:1]))
    node.begin()
    for _ in range(3):
        await node.see(*CALM, *FATAL[:5])
    assert len(told_news(node)) == 1


@pytest.mark.parametrize("harm", ["removed", "damaged", "of the past"])
async def test_templates_are_known_where_it_is_not_known_which_were_seen(tmp_path: Path, harm: str) -> None:
    node = Node(tmp_path)
    await node.learn()
    node.watch.close()
    more = [b"2026-03-01 10:00:01 ERROR" + b" lost" * n for n in range(1, MOST_UNTOLD + 2)]
    if harm == "removed":
        (tmp_path / NEWS).unlink()
    elif harm == "damaged":
        (tmp_path / NEWS).write_bytes(b'{"newest": 3, "fresh": [[')
    else:
        for one in more:
            node.miner.feed("/log", one)
    node.miner.feed("/log", FATAL[0])
    node.begin()
    for _ in range(4):
        await node.see(*CALM, FATAL[0])
    assert told_news(node) == []


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def spoiled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_another_version(path: Path) -> None:
    np.savez_compressed(path.with_suffix(".npz"), head=np.frombuffer(b'{"datasets": [1]}', np.uint8))
    path.with_suffix(".npz").replace(path)


@pytest.mark.parametrize("harm", [shortened, spoiled, emptied, of_another_version])
async def test_a_damaged_state_is_set_aside_and_learned_anew(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(tmp_path)
    await node.learn()
    node.watch.close()
    harm(tmp_path / STATE)
    node.begin()
    assert (tmp_path / f"{STATE}.refused").exists()
    assert "learned anew" in caplog.text
    await node.see(*CALM, *FATAL)
    await node.see(*CALM)
    assert node.watch.told() == []  # it learns: nothing is told


async def test_templates_that_are_numbered_anew_are_no_storm(tmp_path: Path) -> None:
    """The miner's state was lost: what is known of number 1 is of another template now."""
    node = Node(tmp_path)
    await node.learn()
    node.watch.close()
    node.miner = Miner()
    node.begin()
    for _ in range(2):
        await node.see(*FATAL, *CALM)
    assert node.watch.told() == []


@pytest.mark.parametrize("text", [b"[1]", b'{"templates": [{"id": 1}]}', b'{"templates": [3]}', b"\x00\x00"])
async def test_templates_that_cannot_be_read_are_asked_anew(tmp_path: Path, text: bytes) -> None:
    node = Node(tmp_path)
    await node.learn()
    (tmp_path / TEMPLATES).write_bytes(text)
    node.begin()
    await node.see(*CALM)
    node.watch.close()
    known = templates(tmp_path)
    assert known is not None
    assert [one["template"] for one in known["templates"]] == ["Finished request <*>"]


async def test_an_event_of_another_version_is_passed_over(tmp_path: Path) -> None:
    node = Node(tmp_path)
    await node.learn()
    for _ in range(3):
        await node.see(*CALM, *FATAL[:5])
    (row,) = rows(tmp_path)
    others = [{"anomaly": {"id": "x"}}, 3, {"anomaly": None}, {"anomaly": {**row, "id": "y", "started": None}}]
    with (tmp_path / EVENTS).open("ab") as file:
        file.writelines(orjson.dumps(other) + b"\n" for other in others[:3])
    assert rows(tmp_path) == [row]
    with (tmp_path / EVENTS).open("ab") as file:
        file.write(orjson.dumps(others[3]) + b"\n")
    node.begin()
    assert [one["id"] for one in node.watch.told()] == [row["id"]]


async def test_half_a_line_of_a_power_cut_is_passed_over(tmp_path: Path) -> None:
    node = Node(tmp_path)
    await node.learn()
    for _ in range(3):
        await node.see(*CALM, *FATAL[:5])
    with (tmp_path / EVENTS).open("ab") as file:
        file.write(b'{"@timestamp":"2026-')
    node.begin()
    assert len(node.watch.told()) == 1
    for _ in range(40):
        await node.see(*CALM)
    assert rows(tmp_path)[0]["ended"] is not None


async def test_templates_are_left_for_others_to_read(tmp_path: Path) -> None:
    node = Node(tmp_path)
    await node.learn()
    await node.see(*CALM, *FATAL[:5])
    node.watch.close()
    left = templates(tmp_path)
    assert left is not None
    known = {one["level"]: one for one in left["templates"]}
    assert known["info"]["lines"] == 6 * len(CALM)
    assert known["info"]["datasets"] == ["vllm"]
    assert "Finished request <*>" in known["info"]["template"]
    assert known["error"]["example"] == FATAL[0].decode()
    assert (node.value("forewarn_logs_level_lines_total", level="error")) == 5
    node.begin()
    assert node.value("forewarn_logs_templates") == len(left["templates"])
    node.watch.close()
    assert templates(tmp_path) == left | {"time": templates(tmp_path)["time"]}  # type: ignore[index]


async def test_a_line_that_differs_in_one_word_is_a_variant(tmp_path: Path) -> None:
    node = Node(tmp_path)
    for word in (b"queue", b"cache", b"router"):
        await node.see(b"2026-03-01 10:00:00 INFO the " + word + b" of this node is full now")
    await node.see(b"2026-03-01 10:00:00 INFO nothing else is like this line here")
    glossary = node.watch._glossary
    variants = glossary.variants(glossary.entries)
    assert len(variants) == 3
    assert "nothing else" in glossary.text(*(glossary.entries.keys() - variants))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(" ".join), max_size=12))
def test_variants_are_those_of_which_another_differs_in_one_word_at_most(texts: list[str]) -> None:
    glossary = Glossary()
    glossary.entries = {number: Entry(text, "", "", 0, 0) for number, text in enumerate(texts)}

    def apart(one: str, other: str) -> int:
        words, others = one.split(), other.split()
        return sum(map(str.__ne__, words, others)) if len(words) == len(others) else 9

    expected = {
        number
        for number, text in enumerate(texts)
        if any(apart(text, other) <= 1 for place, other in enumerate(texts) if place != number)
    }
    assert glossary.variants(range(len(texts))) == expected


async def test_anomalies_are_not_about_anomalies(tmp_path: Path) -> None:
    node = Node(tmp_path)
    await node.learn()
    before = node.watch.samples()
    lines = chunk(FATAL, DATASET)
    node.watch.observe(lines, np.full(len(FATAL), -1, np.int32))
    assert node.watch.samples() == before


async def test_a_disk_that_is_full_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    node = Node(tmp_path)
    await node.learn()
    (tmp_path / EVENTS).unlink()
    (tmp_path / EVENTS).mkdir()
    for _ in range(4):
        await node.see(*CALM, *FATAL[:5])
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == ["log anomalies cannot be kept"]


def anomaly(key: Key, moment: int) -> LogAnomaly:
    return LogAnomaly(key, "rate_jump", 0.99, "many", "x" * 90_000, (), 1, 1, 60, moment, moment)


def test_a_large_file_begins_anew_and_old_events_go(tmp_path: Path) -> None:
    book = EventBook(tmp_path, 0)
    for number in range(200):
        now_ms = number * 2 * REST_MS
        book.show(anomaly(Key("vllm", "more", number), now_ms))
        book.end(now_ms + REST_MS)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [EVENTS, *(f"{EVENTS}.{n}" for n in (1, 2, 3))]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 18 << 20
    kept = rows(tmp_path)
    assert [one["template"] for one in kept[:2]] == [199, 198]


def test_of_one_trouble_one_event_is_open_and_a_worse_one_is_written_down(tmp_path: Path) -> None:
    book = EventBook(tmp_path, 0)
    one = anomaly(Key("vllm", "more", 7), 1_000)
    for score, moment in ((0.99, 1_000), (0.991, 2_000), (0.9999, 3_000)):
        book.show(LogAnomaly(one.key, "rate_jump", score, f"{score}", "", (), 1, 1, 60, moment, moment))
    [told] = book.told()
    assert (told.score, told.reason, told.started_ms, told.seen_ms) == (0.9999, "0.9999", 1_000, 3_000)
    actions = [orjson.loads(line)["event"]["action"] for line in book.path.read_bytes().splitlines()]
    assert actions == ["log-anomaly-begun", "log-anomaly-changed"]


async def test_requests_that_break_are_told_with_what_did_not_come(tmp_path: Path) -> None:
    node = Node(tmp_path, request_quiet=10)

    def lines(first: int, *, whole: bool = True) -> list[bytes]:
        found = []
        for n in range(first, first + 20):
            found.append(b"2026-03-01 10:00:00 INFO Received request cmpl-%032x with %d tokens" % (n, n))
            if whole:
                found.append(b"2026-03-01 10:00:00 INFO Finished request cmpl-%032x in %d ms" % (n, n))
        return found

    for tick in range(60):
        await node.see(*lines(1_000 * tick))
    assert node.watch.told() == []
    for tick in range(60, 64):
        await node.see(*lines(1_000 * tick, whole=False))
    told = [one for one in node.watch.told() if one["kind"] == "request_sequence"]
    assert len(told) == 1
    assert "Finished request" in told[0]["reason"]
