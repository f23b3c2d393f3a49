"""The trunk: turns, batches, what is carried over an end by force, templates, what it says of itself."""

import itertools
import random
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forewarn.base.clock import SystemClock
from logship.delivery.backoff import Window
from logship.delivery.batch import Batch, chosen, documents_of, ids_of, overrun
from logship.engine.documents import Bytes, Int32
from logship.feed import Filled, Lines, Span
from logship.files.growth import Growth
from logship.packer import Packer
from logship.patterns.miner import Miner
from logship.press import starts_of
from logship.templates import FILE_NAME, Templates
from tests.support.bulk_sink import BulkSink
from tests.support.logship import ShipperChild, lines, shipping, wait_for

LIMIT = 1000


class Pieces:
    """A feed of documents of 100 bytes, so many at a time."""

    def __init__(self, stream: str, left: int, at_once: int = 2) -> None:
        self.stream, self.left, self.at_once, self.given = stream, left, at_once, 0

    def fill(self, out: Bytes, room: int) -> Filled | None:
        count = min(self.left, self.at_once, max(1, room // 100))
        if not count:
            return None
        out[: 100 * count] = ord(self.stream[0])
        span = Span(self.stream, self.given, self.given + count, b"")
        self.given += count
        self.left -= count
        return Filled(100 * count, count, span, more=self.left > 0)


def batch() -> Batch:
    return Batch(LIMIT, 64)


def test_a_batch_is_of_one_data_stream_and_ends_at_its_limit() -> None:
    packer, one = Packer(0.0), batch()
    for feed in (Pieces("a", 25), Pieces("b", 3)):
        packer.wake(feed)
    found = []
    for _ in range(4):
        assert packer.pack(one)
        assert bytes(one.body) == one.stream[0].encode() * one.size
        found.append((one.stream, one.documents))
    assert sorted(found) == [("a", 5), ("a", 10), ("a", 10), ("b", 3)]


@pytest.mark.timed
def test_lines_wait_for_others() -> None:
    packer, one = Packer(0.5), batch()
    first = Pieces("a", 1)
    packer.wake(first)

    def more() -> None:
        time.sleep(0.1)
        first.left = 1
        packer.wake(first)

    thread = threading.Thread(target=more)
    thread.start()
    began = time.monotonic()
    assert packer.pack(one)
    assert (one.documents, time.monotonic() - began >= 0.4) == (2, True)
    thread.join()


@pytest.mark.timed
def test_data_streams_wait_at_the_same_time() -> None:
    packer, one = Packer(0.5), batch()
    for name in "abcd":
        packer.wake(Pieces(name, 1))
    began = time.monotonic()
    for _ in range(4):
        assert packer.pack(one)
    assert 0.4 <= time.monotonic() - began < 1.5


def test_a_data_stream_that_is_not_taken_leaves_room_for_others() -> None:
    packer, stuck, other = Packer(0.0, most=2), [batch() for _ in range(3)], batch()
    packer.wake(Pieces("a", 100))
    for one in stuck[:2]:
        assert packer.pack(one)
    third = threading.Thread(target=packer.pack, args=(stuck[2],))
    third.start()
    time.sleep(0.1)
    assert not stuck[2].spans
    packer.wake(Pieces("b", 1))
    third.join(60)
    assert stuck[2].stream == "b"
    fourth = threading.Thread(target=packer.pack, args=(other,))
    fourth.start()
    time.sleep(0.1)
    assert not other.spans
    packer.wake(Pieces("c", 1))
    fourth.join(60)
    assert other.stream == "c"
    assert packer.pack(stuck[0])
    assert stuck[0].stream == "a"


def test_of_a_data_stream_that_is_held_one_batch_at_most_is_under_way() -> None:
    packer, one, other = Packer(0.0), batch(), batch()
    packer.wake(Pieces("a", 100))
    assert packer.pack(one)
    packer.hold("a")
    second = threading.Thread(target=packer.pack, args=(other,))
    second.start()
    time.sleep(0.1)
    assert not other.spans
    packer.release("a")
    second.join(60)
    assert (one.stream, other.stream) == ("a", "a")


def test_who_waits_for_lines_is_woken_by_the_end() -> None:
    packer = Packer(0.0)
    threading.Timer(0.1, packer.stop).start()
    assert not packer.pack(batch())


def test_parallel_turns_see_all_of_a_feed_once_and_in_order() -> None:
    packer, feed, spans = Packer(0.001), Pieces("a", 500), list[Span]()
    packer.wake(feed)

    def work() -> None:
        one = batch()
        while packer.pack(one):
            spans.extend(one.spans)
            if feed.left == 0:
                packer.stop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    covered = sorted((span.start, span.end) for span in spans)
    assert covered[0][0] == 0
    assert covered[-1][1] == 500
    assert all(before[1] == after[0] for before, after in itertools.pairwise(covered))


@pytest.mark.timed
def test_the_window_halves_and_grows_by_one_a_round() -> None:
    stopping = threading.Event()
    window, inside, most = Window(4, stopping), 0, 0
    lock = threading.Lock()
    window.halve()
    assert window.size == 2

    def send() -> None:
        nonlocal inside, most
        with window:
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.05)
            with lock:
                inside -= 1

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
    window.halve()
    window.halve()
    assert window.size == 1
    for _ in range(20):
        window.widen()
    assert window.size == 4


def test_documents_are_told_apart_by_their_lines() -> None:
    body = b'{"create":{"_id":"a-1"}}\n{"message":"\\n\\r \xe2\x80\xa8"}\n{"create":{"_id":"b\\"2"}}\n{}\n'
    assert len(documents_of(body)) == 2
    assert ids_of(memoryview(body)) == [b"a-1", b'b"2']
    assert chosen(body, [False, True]) == b'{"create":{"_id":"b\\"2"}}\n{}\n'
    assert batch().free.size == LIMIT + overrun(64)


def test_since_when_a_byte_is_there() -> None:
    growth = Growth()
    for size in range(10, 10_010, 10):
        growth.saw(size, size)
    growth.saw(500, 99_999)
    assert growth.since(10_000) is None
    for offset in (0, 5_000, 9_990):
        since = growth.since(offset)
        assert since is not None
        assert offset < since <= offset + 1_500
    growth.forget(9_995)
    assert growth.since(0) == 10_000


def test_what_was_found_at_first_may_be_as_old_as_its_file() -> None:
    now, growth = 1_000_000, Growth()
    growth.saw(100, now)
    assert growth.is_late(50, now, birth_ms=now - 60_000)
    assert not growth.is_late(50, now, birth_ms=now - 1_000)
    growth.saw(200, now)
    assert not growth.is_late(150, now, birth_ms=now - 60_000)
    assert growth.is_late(150, now + 6_000, birth_ms=now - 60_000)
    growth.clear()
    growth.saw(80, now)
    assert not growth.is_late(50, now, birth_ms=now - 60_000)


def test_line_starts_with_and_without_a_last_end() -> None:
    data = np.frombuffer(b"a\nbc\nd", np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    assert starts_of(ends, 5).tolist() == [0, 2, 5]
    assert starts_of(ends, 6).tolist() == [0, 2, 5, 6]
    assert starts_of(ends[:0], 3).tolist() == [0, 3]


def mixed(count: int, seed: int) -> list[bytes]:
    """Lines without any time, then with times that lack a year or all but the first line of a minute."""
    chance, written = random.Random(seed), [f"no time yet {number}".encode() for number in range(200)]
    for number in range(200, count):
        text = f"step {chance.randrange(9)} seq={number:08d} {'x' * chance.randrange(60)}"
        stamp = f"Dec {30 + number * 2 // count} {number // 360 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d} "
        written.append((stamp + text if chance.random() < 0.3 else text).encode())
    return written


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_with_requests_under_way_in_any_order(tmp_path: Path, seed: int) -> None:
    """Nothing is lost or there twice, over roll-overs too, and what is sent again says the same."""
    chance, path = random.Random(seed), tmp_path / "app.log"
    written = mixed(12_000, seed)
    with BulkSink() as sink:
        sink.plan = lambda: chance.choice(["", "", "", "", "slow", "slow and lost", "answer lost", "some 429"])
        settings = {"url": sink.url, "file": [{"path": str(path), "multiline": "off"}], "bulk_bytes": 60_000}
        left, aims = written, (300, 2_000, 5_000)
        for aim in aims:
            with path.open("ab") as log:
                log.write(b"".join(line + b"\n" for line in left[:4_000]))
            left = left[4_000:]
            with shipping(settings, tmp_path / "data") as child:
                wait_for(lambda aim=aim: len(sink.documents) >= aim, "some of it")  # type: ignore[misc]
                child.kill()
            sink.forget_questions()
            sink.roll_over()
            assert len(sink.documents) < len(written) - len(left), "killed too late to show anything"
        sink.plan = None
        with shipping(settings, tmp_path / "data"):
            wait_for(lambda: len(sink.documents) >= len(written), "all of it")
    assert sorted(document["message"].encode() for document in sink.documents.values()) == sorted(written)
    assert (sink.doubles, sink.changed) == (set(), set())
    fallen_back = [one for one in sink.documents.values() if one["@timestamp"] > "2026-06"]
    assert len(fallen_back) >= 200


def test_every_line_has_a_template_and_is_looked_at_once(tmp_path: Path) -> None:
    written, path = lines(5_000), tmp_path / "app.log"
    path.write_bytes(b"".join(line + b"\n" for line in written))
    with BulkSink() as sink:
        settings = {"url": sink.url, "file": [{"path": str(path)}], "bulk_bytes": 15_000}
        with shipping(settings, tmp_path / "data"):
            wait_for(lambda: len(sink.documents) == len(written), "the documents")
        first = {document["log"]["template"] for document in sink.documents.values()}
        miner = Miner.load((tmp_path / "data" / FILE_NAME).read_bytes())
        assert miner.lines == len(written)
        assert first <= {template.id for template in miner.templates()} | set(miner.merged)
        with path.open("ab") as log:
            log.write(written[17] + b"\n")
        with shipping(settings, tmp_path / "data"):
            wait_for(lambda: len(sink.documents) == len(written) + 1, "one more")
        again = [document for document in sink.documents.values() if document["message"] == written[17].decode()]
        assert len({miner.current(document["log"]["template"]) for document in again}) == 1


def test_templates_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_bytes(b"2026-03-01 10:20:30 INFO one\n")
    with BulkSink() as sink:
        settings = {"url": sink.url, "file": [{"path": str(tmp_path / "app.log")}], "templates": False}
        with shipping(settings, tmp_path / "data"):
            wait_for(lambda: len(sink.documents) == 1, "the document")
    assert "template" not in next(iter(sink.documents.values()))["log"]
    assert not (tmp_path / "data" / FILE_NAME).exists()


def test_a_state_of_templates_that_is_refused_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"no such state")
    templates = Templates(path, SystemClock())
    assert path.with_name(f"{FILE_NAME}.refused").read_bytes() == b"no such state"
    assert "found anew" in caplog.text
    data = b"one line here\nanother 17\n"
    array = np.frombuffer(data + bytes(64), np.uint8)
    found = templates.of(Lines("d", "s", array, np.array([0, 14, 25]), 0))
    templates.save()
    assert (
        Templates(path, SystemClock()).of(Lines("d", "s", array, np.array([0, 14, 25]), 0)).tolist() == found.tolist()
    )


def test_an_observer_that_fails_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Wrong:
        asked = 0

        def observe(self, lines: Lines, templates: Int32) -> None:
            self.asked += 1
            raise IndexError(f"{len(lines)} lines, {len(templates)} templates")

    wrong = Wrong()
    templates = Templates(tmp_path / FILE_NAME, SystemClock(), [wrong])
    array = np.frombuffer(b"one line here\n" + bytes(64), np.uint8)
    for _ in range(2):
        assert len(templates.of(Lines("d", "s", array, np.array([0, 14]), 0))) == 1
    assert (wrong.asked, templates.is_shown(wrong)) == (1, False)
    assert caplog.text.count("Wrong failed") == 1
    assert "IndexError: 1 lines, 1 templates" in caplog.text


def value(child: ShipperChild, name: str, **labels: str) -> Any:
    return child.value(name, **labels)


def test_what_it_says_of_time(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.touch()
    with BulkSink() as sink:
        settings = {"url": sink.url, "file": [{"path": str(path)}]}
        with shipping(settings, tmp_path / "data") as child:
            wait_for(lambda: value(child, "forewarn_logs_lag_seconds", path=str(path)) == 0, "no lag")
            path.write_bytes(b"2026-03-01 10:20:30 INFO one\n2026-03-01 10:20:30 INFO two\n")
            wait_for(lambda: value(child, "forewarn_logs_delivery_seconds_count") == 2, "two deliveries")
            assert 0 < value(child, "forewarn_logs_delivery_seconds_sum") < 200
            assert value(child, "forewarn_logs_delivery_seconds_bucket", le="+Inf") == 2
            sink.down()
            with path.open("ab") as log:
                log.write(b"2026-03-01 10:20:31 INFO three\n")
            wait_for(lambda: value(child, "forewarn_logs_lag_bytes", path=str(path)) == 31, "the third line waits")
            wait_for(lambda: (value(child, "forewarn_logs_lag_seconds", path=str(path)) or 0) > 1, "lag")
            sink.up()
            wait_for(lambda: value(child, "forewarn_logs_delivery_seconds_count") == 3, "the third")
            wait_for(lambda: value(child, "forewarn_logs_lag_seconds", path=str(path)) == 0, "no lag")
