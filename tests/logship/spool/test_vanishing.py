"""Logs that vanish while the server is away: nothing that was seen is lost, whatever ends the shipper."""

import contextlib
import logging
import os
import random
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logship.checkpoint import Checkpoint
from logship.delivery.ledger import Ledger
from logship.errors import SpoolError
from logship.files.copies import LINGER_SECONDS
from logship.files.family import Family
from logship.files.listing import Listings
from logship.files.vanishing import STUCK_SECONDS, Guard, Standing, why_vanishing
from logship.settings import LogsSettings
from logship.shipper import DRAIN_SECONDS, Shipper
from logship.spool.keys import KeyRing
from logship.spool.losses import read_losses
from logship.spool.segment import Record, Segment
from logship.spool.settings import SpoolSettings
from logship.spool.shelf import segments
from logship.spool.spool import Spool
from logship.spool.status import look
from logship.stats import Stats
from tests.support.bulk_sink import BulkSink
from tests.support.hand_clock import HandClock
from tests.support.log_writer import is_open
from tests.support.logship import lines, shipping, wait_for
from tests.support.shipper_thread import LeapingClock, births_are_kept, in_process, known, open_inodes

STAYS = Standing(removed=False, live=False, oldest=False, older_removed=False, free=1.0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"removed": True}, "removed"),
        ({"removed": True, "live": True}, "removed"),
        ({"oldest": True}, None),
        ({"older_removed": True}, None),
        ({"oldest": True, "older_removed": True}, "next to be removed"),
        ({"oldest": True, "older_removed": True, "live": True}, None),
        ({"free": 0.04}, "disk nearly full"),
        ({"free": 0.04, "live": True}, None),
        ({"free": 0.06}, None),
    ],
)
def test_what_may_vanish(changes: dict[str, Any], reason: str | None) -> None:
    assert why_vanishing(STAYS._replace(**changes)) == reason


def settings_of(sink: BulkSink, path: Path, **spool: Any) -> dict[str, Any]:
    return {
        "url": sink.url,
        "file": [{"path": str(path)}],
        "flush_interval": "20ms",
        "anomalies": {"enabled": False},
        "spool": {"max_bytes": "16MiB", **spool},
    }


def spooled_lines(settings: dict[str, Any], directory: Path) -> int:
    return look(LogsSettings.model_validate(settings), directory).holdings[0].lines


def spooled_upto(directory: Path) -> int:
    """Where the spool of one log ends, told from the disk."""
    ends = [0]
    for path in segments(directory / "spool"):
        with contextlib.suppress(SpoolError, FileNotFoundError):  # only just begun, or gone meanwhile
            ends += [record.frame.end for record in Segment.open(path).records() if isinstance(record, Record)]
    return max(ends)


def messages(sink: BulkSink) -> Counter[bytes]:
    return Counter(document["message"].encode() for document in list(sink.documents.values()))


def rotate(path: Path, keep: int) -> None:
    """As logrotate does with ``rotate keep``."""
    path.with_name(f"{path.name}.{keep}").unlink(missing_ok=True)
    for number in range(keep - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(f"{path.name}.{number}").rename(path.with_name(f"{path.name}.{number + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))


def seen(shipper: Shipper, size: int) -> None:
    """Wait until so many bytes that were not acknowledged are known."""
    wait_for(lambda: sum(values(shipper, "forewarn_logs_lag_bytes").values()) == size, "that it was seen")


def vanish(sink: BulkSink, shipper: Shipper, path: Path, text: bytes) -> None:
    """The server goes away, text is written and seen, the log is removed."""
    sink.down()
    with path.open("ab") as log:
        log.write(text)
    seen(shipper, len(text))
    path.unlink()


def leap(clock: LeapingClock) -> bool:
    return clock.leapt(STUCK_SECONDS)


def values(shipper: Shipper, name: str) -> dict[str, float]:
    return {next(iter(labels.values()), ""): value for found, labels, value, _ in shipper.samples() if found == name}


@pytest.mark.slow
def test_rotation_beyond_retention_while_the_server_is_away(tmp_path: Path) -> None:
    """The real child, killed twice: while it spools and while it drains."""
    path, data = tmp_path / "a.log", tmp_path / "data"
    written = lines(6000)
    with BulkSink() as sink:
        settings = settings_of(sink, path)
        path.write_bytes(b"\n".join(written[:1000]) + b"\n")
        with shipping(settings, data) as child:
            wait_for(lambda: len(sink.documents) == 1000, "the first lines", 120)
            sink.down()
            for generation in range(1, 6):
                rotate(path, 2)
                path.write_bytes(b"\n".join(written[1000 * generation : 1000 * (generation + 1)]) + b"\n")
                wait_for(lambda: is_open(child.process.pid, path), "a rotation that is seen")
            wait_for(lambda: spooled_lines(settings, data) >= 2000, "the spool", 60)
            time.sleep(1)
            child.kill()
        held = spooled_lines(settings, data)
        assert 2000 <= held <= 3000, "two generations are still there, the live one aside"
        for path_ in (data / "spool").iterdir():
            assert written[1500] not in path_.read_bytes()
        sink.up()
        sink.fault, sink.every = "slow", 2
        with shipping(settings, data) as child:
            wait_for(lambda: len(sink.documents) > 1500, "some of the rest")
            child.kill()
        sink.every = 0
        with shipping(settings, data) as child:
            wait_for(lambda: len(sink.documents) >= 6000, "the rest")
            wait_for(lambda: spooled_lines(settings, data) == 0, "an empty spool", 80)
        assert messages(sink) == Counter(written)
        assert read_losses(data / "spool") == []


def test_a_path_of_which_nothing_is_left_is_sent_from_the_spool(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    with BulkSink() as sink:
        settings = settings_of(sink, path)
        with in_process(settings, tmp_path, clock) as shipper:
            path.write_bytes(b"one\n")
            wait_for(lambda: len(sink.documents) == 1, "the first line")
            vanish(sink, shipper, path, b"two\nthree\nfour")
            wait_for(lambda: leap(clock) and spooled_lines(settings, tmp_path) > 0, "the spool")
        sink.up()
        with in_process(settings, tmp_path, clock) as shipper:
            wait_for(lambda: len(sink.documents) == 4, "the rest")
            wait_for(lambda: leap(clock) and values(shipper, "forewarn_logs_spool_bytes")[""] == 0, "an empty spool")
    assert messages(sink) == Counter([b"one", b"two", b"three", b"four"])
    assert [document["log"]["offset"] for document in sink.documents.values()] == [0, 4, 8, 14]
    assert read_losses(tmp_path / "spool") == []


def test_what_a_forgotten_path_left_in_the_spool_is_removed(tmp_path: Path) -> None:
    """The path is forgotten before the shipper's account of what has arrived is kept for the next time."""
    path, clock = tmp_path / "logs" / "a.log", LeapingClock()
    path.parent.mkdir()
    if not births_are_kept(tmp_path):
        pytest.skip("nothing is forgotten on a file system that keeps no time of birth")
    with BulkSink() as sink:
        settings = settings_of(sink, path)
        path.write_bytes(b"one\n")
        with in_process(settings, tmp_path, clock) as shipper:
            wait_for(lambda: len(sink.documents) == 1, "the first line")
            vanish(sink, shipper, path, b"two\n")
            wait_for(lambda: leap(clock) and spooled_lines(settings, tmp_path) > 0, "the spool")
        sink.up()
        with in_process(settings, tmp_path, clock, keeping=False) as shipper:
            wait_for(lambda: leap(clock) and known(tmp_path) == [], "the end of the path")
            shipper.keep(0.5)
            assert values(shipper, "forewarn_logs_spool_bytes")[""] == 0
    assert messages(sink) == Counter([b"one", b"two"])


@pytest.mark.timed
def test_what_vanishes_is_copied_at_the_end_also_while_a_request_has_no_answer(tmp_path: Path) -> None:
    path, clock = tmp_path / "logs" / "a.log", LeapingClock()
    asked, answered = threading.Event(), threading.Event()
    path.parent.mkdir()

    def wait() -> str:
        asked.set()
        answered.wait(30)
        return ""

    with BulkSink() as sink:
        path.write_bytes(b"one\n")
        with in_process(settings_of(sink, path), tmp_path, clock, keeping=False) as shipper:
            wait_for(lambda: len(sink.documents) == 1, "the first line")
            sink.plan = wait
            with path.open("ab") as log:
                log.write(b"two\n")
            assert asked.wait(20)
            path.unlink()
            time.sleep(0.5)
            ended: list[bool] = []
            began, end = time.monotonic(), threading.Thread(target=lambda: ended.append(shipper.stop()))
            end.start()
            wait_for(lambda: spooled_upto(tmp_path) == 8, "the copy")
            took = time.monotonic() - began
            end.join()
            assert ended == [False]
            assert took < DRAIN_SECONDS, "it is killed soon after that"
            answered.set()
    assert read_losses(tmp_path / "spool") == []


def test_what_arrives_while_the_shipper_ends_is_not_counted_as_lost(tmp_path: Path) -> None:
    path, clock = tmp_path / "logs" / "a.log", LeapingClock()
    path.parent.mkdir()
    with BulkSink() as sink:
        path.write_bytes(b"one\n")
        with in_process(settings_of(sink, path, what="off"), tmp_path, clock, keeping=False):
            wait_for(lambda: len(sink.documents) == 1, "the first line")
            arrived = threading.Event()

            def wait() -> str:
                arrived.set()
                return "slow"

            sink.plan = wait
            with path.open("ab") as log:
                log.write(b"two\n")
            assert arrived.wait(20)
            path.unlink()
    assert len(sink.documents) == 2
    assert read_losses(tmp_path / "spool") == []


def test_the_disk_space_of_a_removed_file_is_given_back(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    with BulkSink() as sink:
        settings = settings_of(sink, path)
        path.write_bytes(b"zero\n")
        with in_process(settings, tmp_path, clock) as shipper:
            wait_for(lambda: len(sink.documents) == 1, "the first line")
            sink.down()
            with path.open("ab") as log:
                log.writelines(line + b"\n" for line in lines(500))
            seen(shipper, path.stat().st_size - len(b"zero\n"))
            inode = path.stat().st_ino
            path.unlink()
            path.write_bytes(b"new\n")
            wait_for(lambda: leap(clock) and spooled_lines(settings, tmp_path) > 0, "the spool")
            clock.leap += LINGER_SECONDS
            wait_for(lambda: leap(clock) and inode not in open_inodes(), "the end of the file")
            sink.up()
            wait_for(lambda: leap(clock) and len(sink.documents) == 502, "all lines")
    assert messages(sink) == Counter([b"zero", b"new", *lines(500)])


def test_a_full_spool_counts_what_it_drops(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    chance = random.Random(5)
    written = [chance.randbytes(500).hex().encode() for _ in range(40_000)]  # 40 MB, half as much once compressed
    with BulkSink() as sink:
        settings = settings_of(sink, path)
        path.write_bytes(b"zero\n")
        with in_process(settings, tmp_path, clock) as shipper:
            wait_for(lambda: len(sink.documents) == 1, "the first line")
            sink.down()
            with path.open("ab") as log:
                log.writelines(line + b"\n" for line in written)
            seen(shipper, path.stat().st_size - len(b"zero\n"))
            path.unlink()

            def is_full() -> bool:
                held = look(LogsSettings.model_validate(settings), tmp_path).holdings[0]
                return held.bytes > 12 * 1024 * 1024

            wait_for(lambda: leap(clock) and is_full(), "a full spool")
            time.sleep(2)
        sink.up()
        with in_process(settings, tmp_path, clock) as shipper:
            ((start, end),) = [(row["start"], row["end"]) for row in read_losses(tmp_path / "spool")]
            assert start == 5 or values(shipper, "forewarn_logs_lost_bytes_total")
            expected = 40_000 - sum(1 for number in range(40_000) if 5 + number * 1001 < end)
            wait_for(lambda: len(sink.documents) > expected, "what was kept", 60)
            wait_for(lambda: set(written[-expected:]) <= set(messages(sink)), "the newest")
    assert sum("are lost" in record.getMessage() for record in caplog.records) == 1


def test_a_log_that_is_cut_off_without_a_copy(tmp_path: Path) -> None:
    """With ``what = "everything"`` nothing of it is lost that was seen."""
    path, clock = tmp_path / "a.log", LeapingClock()
    with BulkSink() as sink:
        settings = settings_of(sink, path, what="everything")
        path.write_bytes(b"zero\n")
        with in_process(settings, tmp_path, clock):
            wait_for(lambda: len(sink.documents) == 1, "the first line")
            sink.down()
            with path.open("ab") as log:
                log.writelines(line + b"\n" for line in lines(300))
            size = path.stat().st_size
            wait_for(lambda: leap(clock) and spooled_upto(tmp_path) == size, "all of it in the spool", 60)
            os.truncate(path, 0)
            with path.open("ab") as log:
                log.write(b"after\n")
            time.sleep(1)
        sink.up()
        with in_process(settings, tmp_path, clock):
            wait_for(lambda: len(sink.documents) == 302, "all lines")
            time.sleep(0.3)
    assert messages(sink) == Counter([b"zero", b"after", *lines(300)])


async def test_what_a_log_was_cut_off_for_is_not_copied_as_its_old_lines(tmp_path: Path) -> None:
    path, clock = tmp_path / "logs" / "a.log", HandClock()
    path.parent.mkdir()
    checkpoint = Checkpoint(tmp_path / "logship.db")
    ledger = Ledger(checkpoint)
    settings = SpoolSettings(what="everything")
    spool = Spool(tmp_path, settings, KeyRing(settings, tmp_path, {}), clock)
    guard = Guard(spool, settings.what, ledger=ledger, clock=clock, max_line=65536)
    family = Family(
        path,
        checkpoint=checkpoint,
        ledger=ledger,
        clock=clock,
        max_line=65536,
        stats=Stats(clock),
        listings=Listings(clock),
    )
    path.write_bytes(b"one\n")
    family.begin([], from_end=False)
    try:
        assert guard.look(family)
        await clock.advance(STUCK_SECONDS)
        guard.look(family)
        (account,) = spool.accounts()
        assert spool.ranges(account) == [(0, 4)]
        path.write_bytes(b"other lines, and more of them\n")
        for _ in range(2):
            guard.look(family)
            await clock.advance(STUCK_SECONDS)
        assert spool.ranges(account) == [(0, 4)]
    finally:
        family.close()
        spool.close()
        checkpoint.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of four megabytes in the place of the spool's folder."""
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    made = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(made, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a small filesystem: needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_said_and_the_file_goes_on_as_far_as_it_can(
    tmp_path: Path, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    chance = random.Random(5)
    written = [chance.randbytes(500).hex().encode() for _ in range(12_000)]  # 12 MB, 6 MB once compressed
    with BulkSink() as sink:
        settings = settings_of(sink, path)
        path.write_bytes(b"zero\n")
        with in_process(settings, tmp_path, clock) as shipper:
            wait_for(lambda: len(sink.documents) == 1, "the first line")
            sink.down()
            with path.open("ab") as log:
                log.writelines(line + b"\n" for line in written)
            seen(shipper, path.stat().st_size - len(b"zero\n"))
            path.unlink()
            wait_for(lambda: leap(clock) and "No space left" in caplog.text, "a full disk")
            assert 1000 < spooled_lines(settings, tmp_path) < 11_000
            sink.up()
            wait_for(lambda: leap(clock) and len(sink.documents) == 12_001, "all lines")
    assert messages(sink) == Counter([b"zero", *written])
    assert sum("No space left" in record.getMessage() for record in caplog.records) == 1
    assert read_losses(small_disk) == []


def test_off_means_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    caplog.set_level(logging.ERROR)
    with BulkSink() as sink:
        settings = settings_of(sink, path, what="off")
        path.write_bytes(b"one\n")
        with in_process(settings, tmp_path, clock) as shipper:
            wait_for(lambda: len(sink.documents) == 1, "the first line")
            vanish(sink, shipper, path, b"two\n")
            clock.leap += 2 * STUCK_SECONDS
            time.sleep(2.5)
            assert spooled_lines(settings, tmp_path) == 0
        (row,) = read_losses(tmp_path / "spool")
        assert (row["start"], row["end"], row["reason"]) == (4, 8, "gone")
    assert any("are lost" in record.getMessage() for record in caplog.records)
