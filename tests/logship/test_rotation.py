"""Rotation while reading, while paused and while away, end to end against a sink that keeps what it was sent."""

import contextlib
import errno
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forewarn.base.clock import SystemClock
from logship.checkpoint import Checkpoint
from logship.delivery.ledger import Ledger
from logship.files.family import Family
from logship.files.folder import Folder
from logship.files.listing import Listings
from logship.files.tail import TailedFile
from logship.spool.file import SpooledFile
from logship.stats import Stats
from logship.streams import Stream
from tests.support.bulk_sink import BulkSink
from tests.support.logship import lines, shipping, wait_for


@pytest.fixture
def sink() -> Iterator[BulkSink]:
    with BulkSink() as running:
        yield running


def settings_for(sink: BulkSink, path: Path | str, **more: Any) -> dict[str, Any]:
    return {"url": sink.url, "file": [{"path": str(path)}], "flush_interval": "50ms"} | more


def append(path: Path, written: list[bytes]) -> None:
    with path.open("ab") as log:
        log.write(b"".join(line + b"\n" for line in written))


def rename(path: Path, keep: int = 60) -> None:
    for number in range(keep, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))
    path.touch()


def copy_and_cut_off(path: Path, keep: int = 60) -> None:
    for number in range(keep, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


ROTATE = {"rename": rename, "copytruncate": copy_and_cut_off}


def assert_all_once(sink: BulkSink, written: list[bytes]) -> None:
    with contextlib.suppress(AssertionError):  # what is missing is said better by the comparison
        wait_for(lambda: len(sink.documents) >= len(written), "the documents", 60)
    time.sleep(0.3)
    assert len(sink.documents) == len(written)
    assert sorted(document["message"].encode() for document in sink.documents.values()) == sorted(written)


@pytest.mark.parametrize("way", ROTATE)
def test_rotation_while_lines_are_written(sink: BulkSink, tmp_path: Path, way: str) -> None:
    written, path, chance = lines(30_000), tmp_path / "app.log", random.Random(3)
    append(path, written[:100])
    with shipping(settings_for(sink, path), tmp_path / "data"):
        wait_for(lambda: len(sink.documents) == 100, "a beginning")
        at = 100
        while at < len(written):
            size = chance.randrange(200, 1500)
            append(path, written[at : at + size])
            at += size
            time.sleep(chance.uniform(0, 0.1))
            if chance.random() < 0.3:
                ROTATE[way](path)
        assert_all_once(sink, written)


@pytest.mark.parametrize("way", ROTATE)
@pytest.mark.parametrize("glob", ["app.log", "app.log*"])
def test_three_rotations_while_the_shipper_is_away(sink: BulkSink, tmp_path: Path, way: str, glob: str) -> None:
    written, path = lines(8_000), tmp_path / "app.log"
    history = lines(100, seed=2)
    path.write_bytes(b"".join(line + b"\n" for line in history))
    ROTATE[way](path)  # a generation from before the shipper's time: only the wider glob asks for it
    os.utime(path.with_name("app.log.1"), (1, 1))
    expected = written + (history if glob == "app.log*" else [])
    settings = settings_for(sink, tmp_path / glob)
    append(path, written[:1000])
    with shipping(settings, tmp_path / "data"):
        wait_for(lambda: len(sink.documents) >= 1000 + len(expected) - len(written), "a beginning")
    append(path, written[1000:2000])
    for number in range(2, 5):
        time.sleep(0.02)
        ROTATE[way](path)
        append(path, written[number * 1000 : (number + 1) * 1000])
    with shipping(settings, tmp_path / "data"):
        append(path, written[5000:])
        assert_all_once(sink, expected)


@pytest.mark.parametrize("way", ROTATE)
def test_three_rotations_while_the_shipper_is_stopped(sink: BulkSink, tmp_path: Path, way: str) -> None:
    written, path = lines(5_000), tmp_path / "app.log"
    append(path, written[:1000])
    with shipping(settings_for(sink, path), tmp_path / "data") as child:
        wait_for(lambda: len(sink.documents) >= 500, "a beginning")
        child.process.send_signal(signal.SIGSTOP)
        append(path, written[1000:2000])
        for number in range(2, 5):
            time.sleep(0.02)
            ROTATE[way](path)
            append(path, written[number * 1000 : (number + 1) * 1000])
        child.process.send_signal(signal.SIGCONT)
        assert_all_once(sink, written)


def test_a_writer_that_keeps_the_renamed_file_for_a_while(sink: BulkSink, tmp_path: Path) -> None:
    written, path = lines(300), tmp_path / "app.log"
    with path.open("ab", buffering=0) as old, shipping(settings_for(sink, path), tmp_path / "data"):
        old.write(b"".join(line + b"\n" for line in written[:100]))
        wait_for(lambda: len(sink.documents) == 100, "the first lines")
        rename(path)
        append(path, written[100:200])
        wait_for(lambda: len(sink.documents) == 200, "the successor's lines")
        old.write(b"".join(line + b"\n" for line in written[200:]))
        assert_all_once(sink, written)


def test_a_file_that_was_cut_off_unread_is_not_read_under_its_old_name(tmp_path: Path) -> None:
    """Also where looking for the old bytes fails at first."""
    path, clock = tmp_path / "app.log", SystemClock()
    checkpoint = Checkpoint(tmp_path / "logship.db")
    asked: list[str] = []

    def rest(stream: Stream) -> SpooledFile | None:
        asked.append(stream.file_id)
        if len(asked) == 1:
            raise OSError(errno.EIO, "the disk says no")
        return None

    def begin() -> Family:
        family = Family(
            path,
            checkpoint=checkpoint,
            ledger=Ledger(checkpoint),
            clock=clock,
            max_line=65536,
            stats=Stats(clock),
            listings=Listings(clock),
            rest=rest,
        )
        family.begin([], from_end=False)
        return family

    path.write_bytes(b"old\n")
    before = begin()
    assert before.files[0].stream is not None
    old = before.files[0].stream.file_id
    before.close()
    path.write_bytes(b"new line\n")
    after = begin()
    try:
        (file,) = after.files
        raw = bytearray(1024)
        sizes = [after.peek(file, raw, len(raw)) for _ in range(2)]
        assert asked[0] == old, "nothing was looked for"
        assert sizes[-1] == 9
        assert file.stream is not None
        assert file.stream.file_id != old
    finally:
        after.close()
        checkpoint.close()


def test_delete_and_recreate(sink: BulkSink, tmp_path: Path) -> None:
    """The inode is often given out again at once; each file's lines count."""
    written, path = lines(500), tmp_path / "app.log"
    with shipping(settings_for(sink, path), tmp_path / "data"):
        for number in range(5):
            append(path, written[number * 100 : (number + 1) * 100])
            wait_for(lambda n=number: len(sink.documents) == (n + 1) * 100, "the lines")  # type: ignore[misc]
            path.unlink()
        assert_all_once(sink, written)


def test_delete_and_recreate_while_away(sink: BulkSink, tmp_path: Path) -> None:
    written, path = lines(200), tmp_path / "app.log"
    append(path, written[:100])
    with shipping(settings_for(sink, path), tmp_path / "data"):
        wait_for(lambda: len(sink.documents) == 100, "the first lines")
    path.unlink()
    append(path, written[100:])
    with shipping(settings_for(sink, path), tmp_path / "data"):
        assert_all_once(sink, written)


def test_cut_off_and_grown_past_the_old_place_while_away(sink: BulkSink, tmp_path: Path) -> None:
    written, path = lines(400), tmp_path / "app.log"
    append(path, written[:100])
    with shipping(settings_for(sink, path), tmp_path / "data"):
        wait_for(lambda: len(sink.documents) == 100, "the first lines")
    os.truncate(path, 0)
    append(path, written[100:])
    with shipping(settings_for(sink, path), tmp_path / "data"):
        assert_all_once(sink, written)


def test_a_writer_that_does_not_append_leaves_a_hole(sink: BulkSink, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    with path.open("wb", buffering=0) as log, shipping(settings_for(sink, path), tmp_path / "data"):
        log.write(b"before\n" * 10)
        wait_for(lambda: len(sink.documents) == 10, "the first lines")
        os.truncate(path, 0)
        log.write(b"after\n")
        assert_all_once(sink, [b"before"] * 10 + [b"after"])


def test_new_files_of_a_glob_and_read_from_end(sink: BulkSink, tmp_path: Path) -> None:
    old, new = tmp_path / "old.log", tmp_path / "new.log"
    old.write_bytes(b"history\n" * 1000 + b"half a li")
    with shipping(settings_for(sink, tmp_path / "*.log", read_from="end"), tmp_path / "data") as child:
        wait_for(lambda: child.value("forewarn_logs_lag_bytes", path=str(old)) is not None, "the first look")
        append(old, [b"ne"])
        append(new, [b"new"])
        assert_all_once(sink, [b"half a line", b"new"])


def test_a_partial_last_line_waits(sink: BulkSink, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"whole\npar")
    with shipping(settings_for(sink, path), tmp_path / "data"):
        wait_for(lambda: len(sink.documents) == 1, "the whole line")
        time.sleep(0.5)
        assert len(sink.documents) == 1
        append(path, [b"tial"])
        assert_all_once(sink, [b"whole", b"partial"])


@pytest.mark.parametrize("fault", ["reset in mid body", "answer lost", "answer cut short", "502", "answer for others"])
def test_faults_of_the_way(sink: BulkSink, tmp_path: Path, fault: str) -> None:
    """Every third request goes wrong; what was written is there once, and only what had been taken is a duplicate."""
    written, path = lines(6_000), tmp_path / "app.log"
    append(path, written)
    sink.fault, sink.every = fault, 3
    with shipping(settings_for(sink, path, bulk_bytes=100_000), tmp_path / "data") as child:
        assert_all_once(sink, written)
        wait_for(lambda: child.value("forewarn_logs_lag_bytes", path=str(path)) == 0, "no lag")
        duplicates = child.value("forewarn_logs_lines_total", outcome="duplicate") or 0
    assert sink.faults > 2
    assert (duplicates > 0) == (fault in {"answer lost", "answer cut short", "answer for others"})


def test_retry_after_is_honoured(sink: BulkSink, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    append(path, [b"line"])
    sink.fault, sink.every, sink.retry_after = "429", 1, 2
    with shipping(settings_for(sink, path), tmp_path / "data"):
        wait_for(lambda: len(sink.times) == 1, "the first request")
        sink.every = 0
        assert_all_once(sink, [b"line"])
    assert sink.times[-1] - sink.times[0] >= 2.0
    assert len(sink.times) == 2


def test_a_request_that_a_server_never_has_room_for_is_halved(sink: BulkSink, tmp_path: Path) -> None:
    """``indexing_pressure.memory.limit`` refuses larger ones with 429 for ever."""
    written, path = lines(150), tmp_path / "app.log"
    append(path, written)
    sink.most, sink.too_large = 50_000, 429
    with shipping(settings_for(sink, path, gzip=False, bulk_bytes=1_000_000), tmp_path / "data") as child:
        assert_all_once(sink, written)
        assert child.value("forewarn_logs_bulk_requests_total", status="413") is None
    assert len(sink.times) > 2


def test_a_name_that_is_no_text_harms_no_other(sink: BulkSink, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    folder, good, bad = logs / os.fsdecode(b"f\xf6lder"), logs / "good.log", logs / os.fsdecode(b"b\xe4d.log")
    folder.mkdir(parents=True)
    append(folder / "in.log", [b"never"])
    append(bad, [b"never"])
    append(good, [b"one"])
    settings = settings_for(sink, logs / "**" / "*.log", anomalies={"enabled": False})
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: len(sink.documents) == 1, "the good one")
        append(bad, [b"never"])
        bad.rename(logs / os.fsdecode(b"b\xe4d.log.1"))
        append(good, [b"two"])
        append(logs / "new.log", [b"three"])
        assert_all_once(sink, [b"one", b"two", b"three"])
        assert child.process.poll() is None
    told = (tmp_path / "data" / "stderr.log").read_text()
    assert told.count("is no UTF-8") == 2
    assert "xe4d.log" in told


def test_wrong_credentials_pause_and_are_read_again(sink: BulkSink, tmp_path: Path) -> None:
    path, key = tmp_path / "app.log", tmp_path / "key"
    append(path, [b"line"])
    key.write_text("no-such-key-41\n")
    sink.api_key = "right"
    settings = settings_for(sink, path, api_key_file=str(key))
    with shipping(settings, tmp_path / "data"):
        wait_for(lambda: "401" in (tmp_path / "data" / "stderr.log").read_text(), "the clear line")
        key.write_text("right\n")
    with shipping(settings, tmp_path / "data"):
        assert_all_once(sink, [b"line"])
    told = (tmp_path / "data" / "stderr.log").read_text()
    assert "no-such-key-41" not in told


def test_what_a_copied_log_had_sent_before_a_kill_is_sent_again_at_its_old_time(tmp_path: Path, sink: BulkSink) -> None:
    """Lines that name no time have that of their reading; it is kept also where the log was cut off meanwhile."""
    path = tmp_path / "app.log"
    sink.fault, sink.every = "slow and lost", 1
    append(path, [b"one", b"two", b"three"])
    with shipping(settings_for(sink, path), tmp_path / "data") as child:
        wait_for(lambda: len(sink.documents) == 3, "the lines, without an answer", 90)
        child.kill()
    copy_and_cut_off(path)
    append(path, [b"four"])
    sink.every = 0
    with shipping(settings_for(sink, path), tmp_path / "data"):
        assert_all_once(sink, [b"one", b"two", b"three", b"four"])
    assert (sink.doubles, sink.changed) == (set(), set())


def test_generations_whose_names_move_faster_than_they_can_be_looked_at_are_found(tmp_path: Path) -> None:
    path, moves = tmp_path / "app.log", 30
    for number in range(1, 7):
        older = path.with_name(f"app.log.{number}")
        older.write_bytes(b"generation %d\n" % number)
        os.utime(older, ns=(0, (100 - number) * 10**9))

    def move(_: TailedFile) -> bool:
        nonlocal moves
        moves -= 1
        for number in range(40, 0, -1) if moves >= 0 else ():
            with contextlib.suppress(FileNotFoundError):
                path.with_name(f"app.log.{number}").rename(path.with_name(f"app.log.{number + 1}"))
        return False

    clock = SystemClock()
    found = Folder(path, 65_536, Listings(clock), clock).unknown(move)
    contents = [file.content.pread(100, 0) for file in found]
    for file in found:
        file.close()
    assert contents == [b"generation %d\n" % number for number in range(6, 0, -1)]
