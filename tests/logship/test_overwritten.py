"""Older generations that are written over in place, and what else may stand where one stood."""

import gzip
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from logship.files.copies import LINGER_SECONDS
from tests.support.log_family import log_family
from tests.support.shipper_thread import LeapingClock, births_are_kept


@pytest.fixture(autouse=True)
def _births(tmp_path: Path) -> None:
    if not births_are_kept(tmp_path):
        pytest.skip("without times of birth a file that is written over is another file anyway")


def append(path: Path, *written: str) -> None:
    with path.open("a") as log:
        log.write("".join(line + "\n" for line in written))


def copy_and_cut_off(path: Path, copy: Path) -> None:
    """As cp and : > do it, into the file that was there."""
    shutil.copyfile(path, copy)
    os.truncate(path, 0)


def write_over(path: Path, copied: str, live: str) -> None:
    """Rotate twice, the second time into the generation that is there, whose time of writing tells nothing."""
    copy_and_cut_off(path, path.with_name("a.log.2"))
    append(path, copied)
    copy_and_cut_off(path, path.with_name("a.log.1"))
    os.utime(path.with_name("a.log.1"), (1, 1))
    append(path, live)


def pack_and_cut_off(path: Path, copy: Path) -> None:
    """As gzip -c and : > do it."""
    copy.with_name("a.log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    os.truncate(path, 0)


@pytest.mark.parametrize("rotate", [copy_and_cut_off, pack_and_cut_off])
@pytest.mark.parametrize("while_away", [False, True])
@pytest.mark.parametrize("more", ["six", "of another length"])
def test_a_round_that_is_written_over_the_last_one(
    tmp_path: Path, rotate: Callable[[Path, Path], None], more: str, *, while_away: bool
) -> None:
    """Also where it is exactly as long."""
    path, clock = tmp_path / "a.log", LeapingClock()
    append(path, "one")
    with log_family(path, tmp_path, clock) as log:
        rotate(path, tmp_path / "a.log.1")
        append(path, "two")
        assert log.look() == ["one", "two"]
        clock.leap += LINGER_SECONDS
        log.look()
        if not while_away:
            append(path, more)
            rotate(path, tmp_path / "a.log.1")
            append(path, "four")
            assert log.look() == ["one", "two", more, "four"]
    if while_away:
        append(path, more)
        rotate(path, tmp_path / "a.log.1")
        append(path, "four")
        with log_family(path, tmp_path, clock) as log:
            assert log.look() == [more, "four"]


def test_a_packed_round_is_noticed_whenever_it_is_written_over(tmp_path: Path) -> None:
    """What is known of one that has not changed for a while is forgotten once it has."""
    path, clock = tmp_path / "a.log", LeapingClock()
    append(path, "one")
    with log_family(path, tmp_path, clock) as log:
        pack_and_cut_off(path, tmp_path / "a.log.1")
        append(path, "two")
        log.look()
        time.sleep(1.1)  # a change that is younger is not trusted
        for name in ("b", "c"):
            (tmp_path / name).touch()
            assert log.look() == ["one", "two"]
        append(path, "six")
        pack_and_cut_off(path, tmp_path / "a.log.1")
        append(path, "four")
        assert log.look() == ["one", "two", "six", "four"]


def test_a_whole_generation_that_is_written_over_one_of_the_same_length(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    append(path, "one")
    with log_family(path, tmp_path, clock) as log:
        copy_and_cut_off(path, tmp_path / "a.log.1")
        append(path, "two")
        log.look()
        clock.leap += LINGER_SECONDS
        assert log.look() == ["one", "two"]
    append(path, "three")
    write_over(path, "six", "four")
    with log_family(path, tmp_path, clock) as log:
        assert sorted(log.look()) == ["four", "six", "three"]
        clock.leap += LINGER_SECONDS
        assert len(log.look()) == 3
    with log_family(path, tmp_path, clock) as log:
        assert log.look() == []


def test_an_emptied_generation_is_no_news(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    append(path, "one")
    with log_family(path, tmp_path, clock) as log:
        copy_and_cut_off(path, tmp_path / "a.log.1")
        append(path, "two")
        log.look()
        clock.leap += LINGER_SECONDS
        log.look()
        os.truncate(tmp_path / "a.log.1", 0)
        assert log.look() == ["one", "two"]
        assert not log.family.under_way


@pytest.mark.parametrize("from_before", ["one of before", "b"])
def test_what_is_written_over_a_generation_from_before_is_read(tmp_path: Path, from_before: str) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    append(tmp_path / "a.log.1", from_before)
    append(path, "one")
    with log_family(path, tmp_path, clock) as log:
        assert log.lines == ["one"]
    append(path, "two")
    write_over(path, "three", "four")
    with log_family(path, tmp_path, clock) as log:
        assert sorted(log.look()) == ["four", "three", "two"]
        clock.leap += LINGER_SECONDS
        assert len(log.look()) == 3


def test_a_generation_from_before_that_only_grows_is_not_read(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    append(tmp_path / "a.log.1", "from before")
    append(path, "one")
    for _ in range(2):
        with log_family(path, tmp_path, clock) as log:
            append(tmp_path / "a.log.1", "more of that")
            log.look()
            assert "more of that" not in log.lines


@pytest.mark.parametrize("what", ["folder", "socket", "fifo", "loop"])
def test_something_else_that_has_the_inode_of_a_removed_log(tmp_path: Path, what: str) -> None:
    """Its inode number is given out again, at once on ext4."""
    path, clock, other = tmp_path / "logs" / "a.log", LeapingClock(), tmp_path / "logs" / "other"
    path.parent.mkdir()
    for _ in range(200):
        shutil.rmtree(path.parent)
        path.parent.mkdir()
        (tmp_path / "logship.db").unlink(missing_ok=True)
        append(path, "one")
        inode = path.stat().st_ino
        with log_family(path, tmp_path, clock):
            pass
        path.unlink()
        make(what, other)
        if other.lstat().st_ino == inode:
            break
    else:
        pytest.skip("this file system does not give an inode's number out again at once")
    append(path, "two")
    with log_family(path, tmp_path, clock) as log:
        assert log.look() == ["two"]
        assert (log.names, log.lost_files) == (["a.log"], 1)


def test_a_generation_that_is_a_link_to_nowhere_to_be_seen_holds_up_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, "one")
    (tmp_path / "a.log.1").symlink_to(tmp_path / "a.log.1")
    with log_family(path, tmp_path, LeapingClock()) as log:
        append(path, "two")
        assert log.look() == ["one", "two"]


def make(what: str, path: Path) -> None:
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "loop":
        path.symlink_to(path)
    else:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
