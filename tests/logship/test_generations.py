"""Older generations that are not what they seem: written to again, empty, unreadable at first, on another device."""

import contextlib
import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from forewarn.base.clock import SystemClock
from logship.checkpoint import Checkpoint
from logship.delivery.ledger import Ledger
from logship.files.copies import LINGER_SECONDS, is_fresh
from logship.files.family import Family
from logship.files.listing import Listings
from logship.files.tail import TailedFile
from logship.shipper import Shipper
from logship.stats import Stats
from tests.support.bulk_sink import BulkSink
from tests.support.logship import ShipperChild, lines, wait_for
from tests.support.shipper_thread import LeapingClock, births_are_kept, in_process, open_inodes

_LESS_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.fixture
def sink() -> Iterator[BulkSink]:
    with BulkSink() as running:
        yield running


@contextlib.contextmanager
def following(sink: BulkSink, pattern: Path, clock: LeapingClock, **more: Any) -> Iterator[Shipper]:
    with in_process(settings_for(sink, pattern) | more, pattern.parent, clock) as shipper:
        yield shipper


def settings_for(sink: BulkSink, pattern: Path) -> dict[str, Any]:
    off: Mapping[str, Any] = {"anomalies": {"enabled": False}, "templates": False}
    return {"url": sink.url, "file": [{"path": str(pattern)}], "flush_interval": "20ms", **off}


def append(path: Path, *written: bytes) -> None:
    with path.open("ab") as log:
        log.write(b"".join(line + b"\n" for line in written))


def messages(sink: BulkSink) -> Counter[str]:
    return Counter(document["message"] for document in sink.documents.values())


def await_all(sink: BulkSink, *wanted: str) -> None:
    wait_for(lambda: len(sink.documents) >= len(wanted), f"{len(wanted)} lines")
    time.sleep(0.3)
    assert messages(sink) == Counter(wanted)


def await_closed(clock: LeapingClock, path: Path) -> None:
    inode = path.stat().st_ino
    wait_for(lambda: clock.leapt(LINGER_SECONDS / 2) and inode not in open_inodes(), f"{path.name} let go of")


def value(shipper: Shipper, name: str) -> float:
    return next((found for other, _, found, _ in shipper.samples() if other == name), 0.0)


def change(directory: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(directory / "logship.db")) as connection, connection:
        connection.execute(statement)


def test_a_renamed_file_is_read_on_whenever_its_writer_goes_on(sink: BulkSink, tmp_path: Path) -> None:
    path, older, clock = tmp_path / "a.log", tmp_path / "a.log.1", LeapingClock()
    append(path, b"one")
    with following(sink, path, clock):
        await_all(sink, "one")
        path.rename(older)
        append(path, b"two")
        await_all(sink, "one", "two")
        await_closed(clock, older)
        append(older, b"late")
        await_all(sink, "one", "two", "late")
        await_closed(clock, older)
    append(older, b"later")
    with following(sink, path, clock):
        await_all(sink, "one", "two", "late", "later")
        places = {one["message"]: (one["log"]["file"]["path"], one["log"]["offset"]) for one in sink.documents.values()}
    assert places["later"] == (str(path), 9)
    assert sink.doubles == set()


@pytest.mark.parametrize("read_from", ["beginning", "end"])
def test_a_log_that_is_called_like_a_generation_of_another(sink: BulkSink, tmp_path: Path, read_from: str) -> None:
    """Also where it was cut off meanwhile."""
    path, other, clock = tmp_path / "a.log", tmp_path / "a-1.log", LeapingClock()
    append(path, b"first of one")
    append(other, b"first of the other")
    before = ["first of one", "first of the other"] if read_from == "beginning" else []
    with following(sink, tmp_path / "*.log", clock, read_from=read_from) as shipper:
        await_all(sink, *before)
        wait_for(lambda: any("lag_bytes" in name for name, *_ in shipper.samples()), "the first look")
        await_closed(clock, other)
        append(other, b"second")
        await_all(sink, *before, "second")
        await_closed(clock, other)
        other.write_bytes(b"begun anew\n")
        await_all(sink, *before, "second", "begun anew")


def test_an_older_generation_that_nobody_asked_for_is_not_read_when_it_grows(sink: BulkSink, tmp_path: Path) -> None:
    if not births_are_kept(tmp_path):
        pytest.skip("without times of birth it cannot be told from a later file of its inode")
    path, other, clock = tmp_path / "a.log", tmp_path / "a-1.log", LeapingClock()
    append(path, b"one")
    append(other, b"no")
    for again in range(2):
        with following(sink, path, clock):
            append(other, b"no more")
            append(path, b"more")
            wait_for(lambda n=again: len(sink.documents) == n + 2, "the line")  # type: ignore[misc]
            time.sleep(1.5)
    assert messages(sink) == Counter(one=1, more=2)


@pytest.mark.timed
def test_an_empty_generation_does_not_hold_up_what_is_in_the_spool(sink: BulkSink, tmp_path: Path) -> None:
    path, clock, written = tmp_path / "a.log", LeapingClock(), lines(100)
    append(path, b"zero")
    with following(sink, path, clock) as shipper:
        await_all(sink, "zero")
        sink.down()
        append(path, *written)
        wait_for(lambda: value(shipper, "forewarn_logs_lag_bytes") == path.stat().st_size - 5, "that it was seen")
        path.rename(tmp_path / "a.log.1")
        path.touch()
        time.sleep(1.5)
        (tmp_path / "a.log.1").unlink()
        wait_for(lambda: clock.leapt(3) and value(shipper, "forewarn_logs_spool_bytes") > 0, "it in the spool")
    (tmp_path / "a.log.2").touch()
    sink.up()
    with following(sink, path, clock):
        await_all(sink, "zero", *map(bytes.decode, written))


def test_an_empty_generation_is_awaited_for_a_while_only(tmp_path: Path) -> None:
    clock, path = SystemClock(), tmp_path / "a.log"
    append(path, b"one")
    (tmp_path / "a.log.1").touch()
    with family_of(path, clock) as (family, listings):
        (tmp_path / "a.log.2").touch()
        listings.forget(tmp_path)
        family.look()
        waited = family.under_way
        moment = time.time() - 2 * LINGER_SECONDS
        os.utime(tmp_path / "a.log.2", (moment, moment))
        family.look()
        assert (waited, family.under_way) == (True, False)
        append(tmp_path / "a.log.2", b"two")
        family.look()
        assert [file.path.name for file in family.files] == ["a.log.2", "a.log"]


@pytest.mark.parametrize(("ahead", "fresh"), [(0, True), (-2, False), (2, False)])
def test_a_file_from_the_future_is_awaited_no_longer_than_others(tmp_path: Path, ahead: int, *, fresh: bool) -> None:
    clock, path = SystemClock(), tmp_path / "a.log.1"
    path.touch()
    moment = time.time() + ahead * LINGER_SECONDS
    os.utime(path, (moment, moment))
    file = TailedFile.open(path, 65536)
    assert is_fresh(file, clock) is fresh
    file.close()


def make_unreadable(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, 1234, 1234)
    path.chmod(0o600 if os.geteuid() == 0 else 0)


@contextlib.contextmanager
def without_rights(settings: Mapping[str, Any], data: Path) -> Iterator[ShipperChild]:
    """A shipper that may not read everything."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("nothing is unreadable to root, and there is no setpriv")
    data.mkdir(exist_ok=True)
    child = ShipperChild(dict(settings), data, None, _LESS_RIGHTS if os.geteuid() == 0 else [])
    try:
        yield child
    finally:
        child.stop()


def test_a_folder_that_cannot_be_listed_costs_no_descriptors(sink: BulkSink, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a folder of somebody else's is needed")
    folder, data = tmp_path / "logs", tmp_path / "data"
    folder.mkdir()
    path = folder / "a.log"
    append(folder / "a.log.1", b"older")
    append(path, b"old")
    os.chown(folder, 1234, 1234)
    folder.chmod(0o711)
    with without_rights(settings_for(sink, path) | {"read_from": "end"}, data) as child:
        wait_for(lambda: "cannot read the log file" in (data / "stderr.log").read_text(), "its notice")
        held = Path(f"/proc/{child.process.pid}/fd")
        before = len(list(held.iterdir()))
        time.sleep(4)
        assert len(list(held.iterdir())) <= before + 1
        folder.chmod(0o755)
        wait_for(lambda: rows(data, "streams") > 0, "the beginning")
        append(path, b"one")
        await_all(sink, "one")


@pytest.mark.parametrize("at_first", [False, True])
def test_a_folder_that_nobody_may_search_ends_nobody(sink: BulkSink, tmp_path: Path, *, at_first: bool) -> None:
    if os.geteuid() != 0:
        pytest.skip("a folder of somebody else's is needed")
    closed, path, data = tmp_path / "closed", tmp_path / "a.log", tmp_path / "data"
    closed.mkdir()
    append(closed / "b.log", b"b one")
    append(path, b"one")
    os.chown(closed, 1234, 1234)
    closed.chmod(0o700 if at_first else 0o755)
    files = [{"path": str(path)}, {"path": str(closed / "b.log")}, {"path": str(closed / "below" / "*.log")}]
    with without_rights(settings_for(sink, path) | {"file": files}, data) as child:
        expected = ["one"] if at_first else ["one", "b one"]
        await_all(sink, *expected)
        closed.chmod(0o700)
        append(path, b"two")
        append(tmp_path / "a.log.1", b"new beside it")
        await_all(sink, *expected, "two", "new beside it")
        closed.chmod(0o755)
        append(closed / "b.log", b"b two")
        await_all(sink, "one", "two", "new beside it", "b one", "b two")
        assert child.process.poll() is None


def test_a_rotated_file_that_cannot_be_read_at_first(sink: BulkSink, tmp_path: Path) -> None:
    path, older, data = tmp_path / "a.log", tmp_path / "a.log.1", tmp_path / "data"
    append(path, b"one")
    with without_rights(settings_for(sink, path), data):
        await_all(sink, "one")
    append(path, b"two")
    path.rename(older)
    make_unreadable(older)
    append(path, b"three")
    with without_rights(settings_for(sink, path), data) as child:
        await_all(sink, "one", "three")
        older.chmod(0o644)
        await_all(sink, "one", "two", "three")
        assert child.value("forewarn_logs_files_lost_total") == 0
    assert (data / "stderr.log").read_text().count("cannot read a rotated log") == 1


def test_a_file_that_cannot_be_read_at_first_is_still_read_from_its_end(sink: BulkSink, tmp_path: Path) -> None:
    path, data = tmp_path / "a.log", tmp_path / "data"
    append(path, *lines(100))
    make_unreadable(path)
    settings = settings_for(sink, path) | {"read_from": "end"}
    for again in range(2):
        with without_rights(settings, data):
            wait_for(lambda n=again: refusals(data) == n + 1, "the trouble")  # type: ignore[misc]
    with without_rights(settings, data) as child:
        wait_for(lambda: refusals(data) == 3, "the trouble")
        path.chmod(0o644)
        wait_for(lambda: child.value("forewarn_logs_lag_bytes", path=str(path)) == 0, "the first look")
        time.sleep(1.5)
        append(path, b"new")
        await_all(sink, "new")


def refusals(data: Path) -> int:
    return (data / "stderr.log").read_text().count("cannot read the log file")


def test_another_device_number_after_a_reboot(sink: BulkSink, tmp_path: Path) -> None:
    if not births_are_kept(tmp_path):
        pytest.skip("without times of birth a file on another device is another file")
    path, older, clock = tmp_path / "a.log", tmp_path / "a.log.1", LeapingClock()
    append(path, b"older")
    with following(sink, path, clock):
        await_all(sink, "older")
        path.rename(older)
        append(path, b"one")
        await_all(sink, "older", "one")
        await_closed(clock, older)
    change(tmp_path, "UPDATE streams SET device = device + 1")
    change(tmp_path, "UPDATE history SET device = device + 1")
    names = set(sink.documents)
    append(path, b"two")
    append(older, b"older still")
    with following(sink, path, clock) as shipper:
        await_all(sink, "older", "one", "two", "older still")
        assert value(shipper, "forewarn_logs_files_lost_total") == 0
    assert names < set(sink.documents)
    with contextlib.closing(sqlite3.connect(tmp_path / "logship.db")) as connection:
        assert connection.execute("SELECT DISTINCT device FROM streams").fetchall() == [(path.stat().st_dev,)]


def test_a_clock_that_was_set_back_before_a_log_was_copied_and_cut_off(sink: BulkSink, tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    append(path, b"one")
    os.utime(path, (time.time() + 3600,) * 2)
    with following(sink, path, clock):
        await_all(sink, "one")
        shutil.copyfile(path, tmp_path / "a.log.1")
        os.truncate(path, 0)
        append(path, b"two")
        await_all(sink, "one", "two")


def test_what_is_cut_off_unread_is_counted(sink: BulkSink, tmp_path: Path) -> None:
    path, clock, written = tmp_path / "a.log", LeapingClock(), lines(3000)
    append(path, b"zero")
    with following(sink, path, clock, connections=1, bulk_bytes=20_000) as shipper:
        await_all(sink, "zero")
        sink.down()
        append(path, *written)
        size = path.stat().st_size
        wait_for(lambda: value(shipper, "forewarn_logs_lag_bytes") == size - 5, "the lag")
        path.write_bytes(b"after\n")
        wait_for(lambda: value(shipper, "forewarn_logs_lag_bytes") < size - 5, "the cut")
        sink.up()
        wait_for(lambda: "after" in messages(sink), "the new line")
        lost = value(shipper, "forewarn_logs_lost_recent_bytes")
        assert value(shipper, "forewarn_logs_files_lost_total") == 1
    arrived = sum(len(message.encode()) + 1 for message in messages(sink) if message != "after")
    assert 0 < lost == size - arrived


@pytest.mark.timed
def test_a_log_that_is_emptied_once_it_was_read_is_no_loss(sink: BulkSink, tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    append(path, b"one")
    with following(sink, path, clock) as shipper:
        await_all(sink, "one")
        path.write_bytes(b"")
        time.sleep(0.5)
        append(path, b"two")
        await_all(sink, "one", "two")
        path.write_bytes(b"three, which is longer, at once\n")
        await_all(sink, "one", "two", "three, which is longer, at once")
        assert (
            value(shipper, "forewarn_logs_lost_recent_bytes") == value(shipper, "forewarn_logs_files_lost_total") == 0
        )


def test_nothing_is_kept_of_a_path_of_which_nothing_is_left(tmp_path: Path) -> None:
    if not births_are_kept(tmp_path):
        pytest.skip("without times of birth all stay known")
    path = tmp_path / "a.log"
    (tmp_path / "a.log.1").touch()
    append(path, b"one")
    with family_of(path, SystemClock()) as (family, listings):
        change(tmp_path, "UPDATE streams SET finished = 1")
        for gone in (path, tmp_path / "a.log.1"):
            assert rows(tmp_path, "history") == 1
            gone.unlink()
            listings.forget(tmp_path)
            family.forget()
    assert (rows(tmp_path, "streams"), rows(tmp_path, "history")) == (0, 0)


@pytest.mark.parametrize("linked", [False, True])
def test_a_path_that_is_there_again_is_read_from_its_beginning(sink: BulkSink, tmp_path: Path, *, linked: bool) -> None:
    if not births_are_kept(tmp_path):
        pytest.skip("without times of birth all stay known")
    path, clock = tmp_path / "a.log", LeapingClock()
    folder = tmp_path / "elsewhere" if linked else tmp_path
    folder.mkdir(exist_ok=True)
    file = folder / "a1.log" if linked else path
    append(folder / ("a0.log" if linked else "a.log.0"), b"from before")
    append(file, b"skipped")
    if linked:
        path.symlink_to(file)
    with following(sink, path, clock, read_from="end") as shipper:
        wait_for(lambda: rows(tmp_path, "streams") == 2, "the first look")
        append(file, b"one")
        await_all(sink, "one")
        file.unlink()
        path.unlink(missing_ok=True)
        wait_for(lambda: clock.leapt(LINGER_SECONDS / 2) and rows(tmp_path, "streams") == 1, "the path let go of")
        assert value(shipper, "forewarn_logs_files_lost_total") == 0
    append(file, b"rotated")
    file.rename(folder / ("a2.log" if linked else "a.log.1"))
    newest = folder / "a3.log" if linked else path
    append(newest, b"while nobody read")
    if linked:
        path.symlink_to(newest)
    with following(sink, path, clock, read_from="end"):
        await_all(sink, "one", "rotated", "while nobody read")


def test_a_copy_into_the_generation_that_was_there_is_found(sink: BulkSink, tmp_path: Path) -> None:
    """As cp and : > do it, the next round writes into the same file."""
    path, older, clock = tmp_path / "a.log", tmp_path / "a.log.1", LeapingClock()
    append(path, b"one")
    with following(sink, path, clock):
        await_all(sink, "one")
        shutil.copyfile(path, older)
        os.truncate(path, 0)
        append(path, b"two")
        await_all(sink, "one", "two")
        await_closed(clock, older)
    append(path, b"three-three-three", b"four")
    shutil.copyfile(path, older)
    os.truncate(path, 0)
    append(path, b"five")
    with following(sink, path, clock):
        await_all(sink, "one", "two", "three-three-three", "four", "five")


def rows(directory: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(directory / "logship.db")) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)


@contextlib.contextmanager
def family_of(path: Path, clock: SystemClock) -> Iterator[tuple[Family, Listings]]:
    listings, checkpoint = Listings(clock), Checkpoint(path.parent / "logship.db")
    family = Family(
        path,
        checkpoint=checkpoint,
        ledger=Ledger(checkpoint),
        clock=clock,
        max_line=65536,
        stats=Stats(clock),
        listings=listings,
    )
    try:
        family.begin([], from_end=False)
        yield family, listings
    finally:
        family.close()
        checkpoint.close()
