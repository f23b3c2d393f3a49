"""Files of which the bytes cannot be read: each is said once, and none holds up another or costs a descriptor."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from logship.errors import LogshipError
from logship.files.copies import LINGER_SECONDS
from logship.files.family import FAULT_SECONDS
from logship.files.tail import TailedFile
from tests.support.bulk_sink import BulkSink
from tests.support.dead_mount import can_mount
from tests.support.failing_disk import FailingDisk, failing_disk
from tests.support.log_family import log_family
from tests.support.logship import wait_for
from tests.support.shipper_thread import LeapingClock, in_process, open_inodes

Disk = tuple[Path, FailingDisk]
_LATER = 2.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if not can_mount():
        pytest.skip("a file system that fails cannot be mounted here")
    with failing_disk(tmp_path) as both:
        yield both


def append(path: Path, *written: str) -> None:
    with path.open("a") as log:
        log.write("".join(line + "\n" for line in written))


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def old(path: Path) -> None:
    """Long enough ago that nobody may still be writing it."""
    os.utime(path, (1, 1))


def cannot_read(caplog: pytest.LogCaptureFixture) -> int:
    return sum("cannot read" in record.getMessage() for record in caplog.records)


def test_what_cannot_be_opened_costs_no_descriptor(disk: Disk) -> None:
    folder, failing = disk
    append(folder / "a.log", "one")
    failing.fail("a.log")
    before = descriptors()
    with pytest.raises(OSError, match="Input/output"):
        TailedFile.open(failing.path / "a.log", 65536)
    with pytest.raises(LogshipError, match="no regular file"):
        TailedFile.open(failing.path, 65536)
    assert descriptors() == before


@pytest.mark.parametrize("behind", [0, 6])
def test_an_older_generation_that_cannot_be_read_holds_up_no_other(
    disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture, behind: int
) -> None:
    """One that came while nobody looked: neither from its first byte on, nor from the seventh."""
    folder, failing = disk
    append(folder / "a.log", "one")
    with log_family(failing.path / "a.log", tmp_path, LeapingClock()) as log:
        assert log.lines == ["one"]
    (folder / "a.log").rename(folder / "a.log.2")
    append(folder / "a.log.1", "two, that cannot be read")
    append(folder / "a.log", "three, in the live one")
    failing.fail("a.log.1", behind=behind)
    clock = LeapingClock()
    with log_family(failing.path / "a.log", tmp_path, clock) as log:
        before = descriptors()
        for _ in range(5):
            log.look()
            clock.leap += _LATER
        assert log.lines == ["three, in the live one"]
        assert (descriptors(), log.family.under_way, cannot_read(caplog)) == (before, True, 1)
        failing.mend("a.log.1")
        clock.leap += _LATER
        assert log.look() == ["three, in the live one", "two, that cannot be read"]


def test_a_known_generation_that_cannot_be_read_holds_up_no_other(
    disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, failing = disk
    path, clock = failing.path / "a.log", LeapingClock()
    append(folder / "a.log", "one, the first")
    with log_family(path, tmp_path, clock) as log:
        (folder / "a.log").rename(folder / "a.log.1")
        append(folder / "a.log", "two")
        assert log.look() == ["one, the first", "two"]
        clock.leap += LINGER_SECONDS
        log.look()
        assert log.names == ["a.log"]
        failing.fail("a.log.1", behind=6)
        append(folder / "a.log.1", "more")
        before = descriptors()
        (folder / "a.log").rename(folder / "a.log.0")
        append(folder / "a.log", "three, the last")
        for _ in range(3):
            clock.leap += _LATER
            log.look()
        assert log.lines == ["one, the first", "two", "three, the last"]
        assert descriptors() <= before + 1
        assert cannot_read(caplog) == 1
        failing.mend("a.log.1")
        clock.leap += _LATER
        assert log.look() == ["one, the first", "two", "three, the last", "more"]


def test_a_generation_that_was_given_up_is_not_asked_again(
    disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, failing = disk
    path, clock = failing.path / "a.log", LeapingClock()
    append(folder / "a.log", "one, the first")
    with log_family(path, tmp_path, clock) as log:
        append(folder / "a.log", "two, that cannot be read")
        failing.fail("a.log", behind=6)
        (folder / "a.log").rename(folder / "a.log.1")
        append(folder / "a.log", "three")
        log.look()
        clock.leap += FAULT_SECONDS
        assert log.look() == ["one, the first", "three"]
        assert (log.names, log.lost_files) == (["a.log"], 1)
        append(folder / "a.log.1", "four")
        before = descriptors()
        (folder / "a.log").rename(folder / "a.log.0")
        append(folder / "a.log", "five")
        for _ in range(3):
            clock.leap += _LATER
            log.look()
        assert log.lines == ["one, the first", "three", "five"]
        assert (log.lost_files, descriptors(), cannot_read(caplog)) == (1, before + 1, 0)
    failing.mend("a.log.1")
    with log_family(path, tmp_path, clock) as log:
        assert log.look()[-2:] == ["two, that cannot be read", "four"], "the next process tries once more"


def test_what_is_there_at_first_and_cannot_be_read_is_left_out(disk: Disk, tmp_path: Path) -> None:
    folder, failing = disk
    for name in ("a.log.3", "a.log.2", "a.log.1"):
        append(folder / name, f"from before, in {name}")
        old(folder / name)
    append(folder / "a.log", "one")
    failing.fail("a.log.3")
    failing.fail("a.log.2", behind=6)
    clock = LeapingClock()
    with log_family(failing.path / "a.log", tmp_path, clock) as log:
        for name in ("a.log.3", "a.log.2"):
            failing.mend(name)
            append(folder / name, "more")
        clock.leap += _LATER
        assert log.look() == ["one"]


def test_what_was_there_at_first_stays_left_out_though_beginning_broke_off(disk: Disk, tmp_path: Path) -> None:
    folder, failing = disk
    append(folder / "a.log.1", "from before")
    append(folder / "a.log", "skipped")
    failing.fail("a.log")
    clock = LeapingClock()
    for _ in range(2):
        with log_family(failing.path / "a.log", tmp_path, clock, from_end=True, begins=False):
            pass
    failing.mend("a.log")
    with log_family(failing.path / "a.log", tmp_path, clock, from_end=True) as log:
        append(folder / "a.log.1", "more of it")
        append(folder / "a.log", "one")
        assert log.look() == ["one"]


def test_a_log_whose_end_cannot_be_read_at_first_is_still_read_from_there(disk: Disk, tmp_path: Path) -> None:
    folder, failing = disk
    append(folder / "a.log", "skipped", "this too")
    failing.fail("a.log", behind=8)
    before = descriptors()
    with log_family(failing.path / "a.log", tmp_path, LeapingClock(), from_end=True, begins=False) as log:
        held = descriptors()
        for _ in range(3):
            with pytest.raises(OSError, match="Input/output"):
                log.look()
        assert descriptors() == held
        failing.mend("a.log")
        assert log.look() == []
        append(folder / "a.log", "one")
        assert log.look() == ["one"]
    assert descriptors() == before


def test_a_log_that_cannot_be_read_when_it_is_begun_again_is_read_once(disk: Disk, tmp_path: Path) -> None:
    folder, failing = disk
    path, clock = failing.path / "a.log", LeapingClock()
    append(folder / "a.log", "one")
    with log_family(path, tmp_path, clock) as log:
        assert log.lines == ["one"]
    append(folder / "a.log", "two")
    failing.fail("a.log")
    with log_family(path, tmp_path, clock, begins=False) as log:
        before = descriptors()
        for _ in range(3):
            with pytest.raises(OSError, match="Input/output"):
                log.look()
        assert descriptors() == before
        failing.mend("a.log")
        assert log.look() == ["two"]
        assert log.names == ["a.log"]
        append(folder / "a.log", "three")
        assert log.look() == ["two", "three"]


def test_a_generation_that_cannot_be_read_does_not_keep_a_copy_from_being_found(disk: Disk, tmp_path: Path) -> None:
    folder, failing = disk
    path, clock = failing.path / "a.log", LeapingClock()
    append(folder / "a.log", "one, the first")
    with log_family(path, tmp_path, clock) as log:
        append(folder / "a.log", "two")
        shutil.copy2(folder / "a.log", folder / "a.log.2")
        append(folder / "a.log.1", "a stranger that cannot be read")
        failing.fail("a.log.1", behind=6)
        os.truncate(folder / "a.log", 0)
        append(folder / "a.log", "three, the last")
        before = descriptors()
        for _ in range(3):
            clock.leap += _LATER
            log.look()
        assert log.lines == ["one, the first", "two", "three, the last"]
        assert descriptors() == before + 1
        failing.mend("a.log.1")
        clock.leap += _LATER
        assert log.look()[3:] == ["a stranger that cannot be read"]


def test_a_live_log_that_cannot_be_read_keeps_no_older_one_from_being_read_later(disk: Disk, tmp_path: Path) -> None:
    folder, failing = disk
    path, clock = failing.path / "a.log", LeapingClock()
    append(folder / "a.log", "one")
    with log_family(path, tmp_path, clock) as log:
        pass
    append(folder / "a.log.1", "written while nobody looked")
    old(folder / "a.log.1")
    (folder / "a.log").rename(folder / "a.log.2")
    append(folder / "a.log", "the live one, which cannot be read")
    failing.fail("a.log", behind=6)
    with log_family(path, tmp_path, clock) as log:
        for _ in range(3):
            clock.leap += 100
            log.look()
        failing.mend("a.log")
        clock.leap += 100
        assert sorted(log.look()) == ["the live one, which cannot be read", "written while nobody looked"]


def test_an_older_generation_is_awaited_though_its_log_is_gone(disk: Disk, tmp_path: Path) -> None:
    folder, failing = disk
    path, clock = folder / "a.log", LeapingClock()
    off = {"anomalies": {"enabled": False}, "templates": False}
    append(path, "one, the first")
    with BulkSink() as sink:
        settings = {"url": sink.url, "file": [{"path": str(failing.path / "a.log")}], "flush_interval": "20ms"} | off
        with in_process(settings, tmp_path, clock):
            wait_for(lambda: len(sink.documents) == 1, "the first line")
        append(path, "two")
        failing.fail("a.log")
        path.rename(folder / "a.log.1")
        append(path, "three")
        with in_process(settings, tmp_path, clock):
            wait_for(lambda: len(sink.documents) == 2, "the last line")
            inode = path.stat().st_ino
            path.unlink()
            wait_for(lambda: clock.leapt(LINGER_SECONDS / 2) and inode not in open_inodes(), "a.log let go of")
            for _ in range(3):
                moment = clock.leap
                wait_for(lambda m=moment: clock.leapt(LINGER_SECONDS) and clock.leap > m, "more looks")  # type: ignore[misc]
            failing.mend("a.log.1")
            wait_for(lambda: clock.leapt(1) and len(sink.documents) == 3, "the line between")
    assert sorted(one["message"] for one in sink.documents.values()) == ["one, the first", "three", "two"]


def test_a_handle_that_has_gone_stale_ends_nobody(disk: Disk, tmp_path: Path) -> None:
    folder, failing = disk
    (folder / "a.log").touch()
    with log_family(failing.path / "a.log", tmp_path, LeapingClock()) as log:
        failing.fail("a.log", error=errno.ESTALE, stat=True)
        assert log.family.under_way
