"""What the spool holds of a log that is still open: read on there once the log itself cannot be."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from logship.errors import SpoolKeyError
from logship.files.family import FAULT_SECONDS
from logship.files.identity import Identity
from logship.spool.file import SpooledFile, still_held
from logship.spool.keys import OWN_KEY, KeyRing
from logship.spool.seal import Envelope
from logship.spool.settings import SpoolSettings
from logship.spool.spool import Spool
from logship.streams import Stream
from tests.support.dead_mount import can_mount
from tests.support.failing_disk import failing_disk
from tests.support.log_family import LogFamily, log_family
from tests.support.shipper_thread import LeapingClock, births_are_kept

_LONGEST_LINE = 65536


@contextlib.contextmanager
def spool_in(data: Path, clock: LeapingClock) -> Iterator[tuple[Spool, KeyRing]]:
    keys = KeyRing(SpoolSettings(), data)
    spool = Spool(data, SpoolSettings(), keys, clock)
    try:
        yield spool, keys
    finally:
        spool.close()


def keep(spool: Spool, stream: Stream, data: bytes) -> None:
    """Keep all of a log, as it was when it was copied."""
    origin = {"path": stream.path, "size": len(data)}
    spool.put(Envelope(stream.file_id, 0, len(data), origin), data, data.count(b"\n"))
    spool.sync()


def stream_of(log: LogFamily) -> Stream:
    stream = log.family.files[-1].stream
    assert stream is not None
    return stream


def append(path: Path, *written: str) -> None:
    with path.open("a") as log:
        log.write("".join(line + "\n" for line in written))


def test_a_rotated_log_that_cannot_be_read_any_more_is_read_on_in_the_spool(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("a file system that fails cannot be mounted here")
    clock = LeapingClock()
    with failing_disk(tmp_path) as (folder, disk), spool_in(tmp_path, clock) as (spool, _):
        append(folder / "a.log", "one, the first")

        def rest(stream: Stream) -> SpooledFile | None:
            return still_held(spool, stream, _LONGEST_LINE)

        with log_family(disk.path / "a.log", tmp_path, clock, rest=rest) as log:
            append(folder / "a.log", "two")
            keep(spool, stream_of(log), (folder / "a.log").read_bytes())
            disk.fail("a.log")
            (folder / "a.log").rename(folder / "a.log.1")
            append(folder / "a.log", "three")
            assert log.look() == ["one, the first"]
            clock.leap += FAULT_SECONDS
            log.look()
            assert sorted(log.look()) == ["one, the first", "three", "two"]
            assert log.lost_files == 0


def test_what_waits_for_its_key_holds_up_nothing_that_came_later(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    append(path, "one")
    with spool_in(tmp_path, clock) as (spool, keys), log_family(path, tmp_path, clock) as log:
        append(path, "two")
        keep(spool, stream_of(log), path.read_bytes())
        old = tmp_path / f"{OWN_KEY}.{keys.current.name}"
    (tmp_path / OWN_KEY).rename(tmp_path / "elsewhere")
    os.truncate(path, 0)
    append(path, "three")
    with spool_in(tmp_path, clock) as (spool, keys):

        def rest(stream: Stream) -> SpooledFile | None:
            return still_held(spool, stream, _LONGEST_LINE)

        with log_family(path, tmp_path, clock, rest=rest) as log:
            log.look()
            append(path, "four")
            assert log.look() == ["three", "four"]
            (tmp_path / "elsewhere").rename(old)
            keys.reload()
            log.look()
            assert log.look() == ["three", "four", "two"]
            assert log.lost_files == 0


def test_a_log_in_the_spool_is_known_to_be_behind_since_it_was_written_to(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    append(path, "one")
    with spool_in(tmp_path, clock) as (spool, _), log_family(path, tmp_path, clock) as log:
        append(path, "two")
        keep(spool, stream_of(log), path.read_bytes())
        stream = stream_of(log)
        held = still_held(spool, stream, _LONGEST_LINE)
        assert held is not None
        assert held.growth.end == len(b"one\ntwo\n")
        assert held.growth.since(4) == stream.modified_ns // 1_000_000


@pytest.mark.parametrize("rotated", [False, True])
def test_an_inode_that_is_given_out_again_is_another_log(tmp_path: Path, rotated: bool) -> None:  # noqa: FBT001
    if not births_are_kept(tmp_path):
        pytest.skip("files cannot be told from each other by their birth here")
    path, clock = tmp_path / "a.log", LeapingClock()
    append(path, "one")
    with spool_in(tmp_path, clock) as (spool, _), log_family(path, tmp_path, clock) as log:
        append(path, "two")
        keep(spool, stream_of(log), path.read_bytes())
        path.unlink()
        append(path, "three")
        given = path.stat()
        (removed,) = log.family.files
        assert removed.stream is not None
        place = Identity(given.st_dev, given.st_ino, removed.identity.birth_ns)
        rest = SpooledFile(spool, replace(removed.stream, identity=place), _LONGEST_LINE)
        rest.take_over(removed)
        log.family.files[0] = rest
        removed.close()
        if rotated:
            path.rename(tmp_path / "a.log.1")
            append(path, "four")
        assert log.look() == ["one", "two", "three", *(["four"] if rotated else [])]


@pytest.mark.parametrize("waits", [False, True])
def test_what_a_log_held_behind_its_rest_in_the_spool_is_counted(tmp_path: Path, waits: bool) -> None:  # noqa: FBT001
    path, clock = tmp_path / "a.log", LeapingClock()
    lost, keys_are_there = list[tuple[int, int]](), not waits
    append(path, "one")
    with spool_in(tmp_path, clock) as (spool, _):

        def rest(stream: Stream) -> SpooledFile | None:
            if not keys_are_there:
                raise SpoolKeyError("its key is not there")
            return still_held(spool, stream, _LONGEST_LINE)

        def lose(_stream: Stream, start: int, end: int) -> None:
            lost.append((start, end))

        with log_family(path, tmp_path, clock, rest=rest, lose=lose) as log:
            append(path, "two")
            keep(spool, stream_of(log), path.read_bytes())
            append(path, "three", "four", "five")
            log.family.lag()  # sees how long it is
            os.truncate(path, 0)
            append(path, "six")
            log.look()
            keys_are_there = True
            log.look()
            assert sorted(log.look()) == ["one", "six", "two"]
            assert (lost, log.lost_files) == ([(len("one\ntwo\n"), len("one\ntwo\nthree\nfour\nfive\n"))], 1)


def test_what_a_log_that_cannot_be_read_held_behind_its_rest_in_the_spool_is_counted(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("a file system that fails cannot be mounted here")
    clock, lost = LeapingClock(), list[tuple[int, int]]()
    with failing_disk(tmp_path) as (folder, disk), spool_in(tmp_path, clock) as (spool, _):
        append(folder / "a.log", "one")

        def rest(stream: Stream) -> SpooledFile | None:
            return still_held(spool, stream, _LONGEST_LINE)

        def lose(_stream: Stream, start: int, end: int) -> None:
            lost.append((start, end))

        with log_family(disk.path / "a.log", tmp_path, clock, rest=rest, lose=lose) as log:
            append(folder / "a.log", "two")
            keep(spool, stream_of(log), (folder / "a.log").read_bytes())
            append(folder / "a.log", "three")
            log.family.lag()
            disk.fail("a.log")
            (folder / "a.log").rename(folder / "a.log.1")
            append(folder / "a.log", "four")
            log.look()
            clock.leap += FAULT_SECONDS
            log.look()
            assert sorted(log.look()) == ["four", "one", "two"]
            assert (lost, log.lost_files) == ([(len("one\ntwo\n"), len("one\ntwo\nthree\n"))], 1)
