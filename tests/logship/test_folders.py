"""Folders that others take the place of, that lead back to themselves, that hold many files: all are read as before."""

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from forewarn.base.clock import SystemClock
from logship.files.copies import LINGER_SECONDS
from logship.files.follower import ALL_SECONDS
from logship.files.listing import Listings
from logship.shipper import Shipper
from tests.support.bulk_sink import BulkSink
from tests.support.logship import wait_for
from tests.support.shipper_thread import LeapingClock, in_process, open_inodes

SOON = ALL_SECONDS / 3
"""Seconds that are too few for who is told of nothing."""

QUIET_SECONDS = 2.5
"""After these nothing is under way any more, for which files would be looked at every second."""


FILES = 2_000


def append(path: Path, line: bytes) -> None:
    with path.open("ab") as log:
        log.write(line + b"\n")


@pytest.mark.timed
def test_a_link_to_a_folder_is_changed(tmp_path: Path) -> None:
    """Nothing says so, but something else makes the shipper search."""
    link, other, clock = tmp_path / "current", tmp_path / "other", LeapingClock()
    for name in ("release-1", "release-2", "other"):
        (tmp_path / name).mkdir()
    link.symlink_to("release-1")
    path = link / "app.log"
    append(path, b"one")
    left = path.stat().st_ino
    settings = {
        "file": [{"path": str(path)}, {"path": str(other / "*.log")}],
        "flush_interval": "20ms",
        "anomalies": {"enabled": False},
    }
    with BulkSink() as sink, in_process(settings | {"url": sink.url}, tmp_path, clock):
        wait_for(lambda: len(sink.documents) == 1, "the first line")
        clock.leap += ALL_SECONDS  # the next look at all of them is a whole while away
        append(path, b"two")
        wait_for(lambda: len(sink.documents) == 2, "the second line")
        time.sleep(QUIET_SECONDS)
        append(tmp_path / "release-2" / "app.log", b"three")
        (tmp_path / "new").symlink_to("release-2")
        (tmp_path / "new").rename(link)
        append(other / "b.log", b"other")
        wait_for(lambda: len(sink.documents) == 4, "what was written before the folder was watched", SOON)
        wait_for(lambda: clock.leapt(LINGER_SECONDS / 2) and left not in open_inodes(), "the end of the old file")
        time.sleep(QUIET_SECONDS)
        append(path, b"four")
        wait_for(lambda: len(sink.documents) == 5, "the next line", SOON)


def sent(sink: BulkSink) -> list[tuple[str, str]]:
    """The data set and the message of all documents."""
    found = list(sink.documents.values())
    return sorted((document["event"]["dataset"], document["message"]) for document in found)


def lag(shipper: Shipper) -> float:
    return sum(value for name, _, value, _ in shipper.samples() if name == "forewarn_logs_lag_bytes")


def settings_of(sink: BulkSink, *entries: tuple[Path, str], **more: Any) -> dict[str, Any]:
    files = [{"path": str(path), "dataset": dataset, "multiline": "off"} for path, dataset in entries]
    return {"url": sink.url, "file": files, "flush_interval": "20ms", "anomalies": {"enabled": False}} | more


@pytest.mark.parametrize("other", ["vllm-1.log", "vllm-*.log", "vllm-[0-9].log"])
@pytest.mark.parametrize("later", [False, True])
def test_a_log_that_the_configuration_names_is_no_generation_of_another(
    tmp_path: Path, other: str, *, later: bool
) -> None:
    clock, names = LeapingClock(), ("vllm.log", other)
    live, second = tmp_path / "vllm.log", tmp_path / "vllm-1.log"
    append(live, b"one")
    with BulkSink() as sink:
        settings = settings_of(sink, *((tmp_path / name, f"set{number}") for number, name in enumerate(names)))
        if not later:
            append(second, b"two")
        with in_process(settings, tmp_path, clock):
            wait_for(lambda: ("set0", "one") in sent(sink), "the first line")
            if later:
                append(second, b"two")
            wait_for(lambda: ("set1", "two") in sent(sink), "the first line of the other log")
        append(live, b"three")
        append(second, b"four")
        second.rename(tmp_path / "vllm-1.log.1")
        append(second, b"five")
        with in_process(settings, tmp_path, clock):
            wait_for(lambda: len(sink.documents) == 5, "all lines")
        assert sent(sink) == [("set0", "one"), ("set0", "three"), ("set1", "five"), ("set1", "four"), ("set1", "two")]


@pytest.mark.parametrize(
    ("patterns", "name"),
    [(["logs/*.log", "logs/vllm/*.log"], "logs/vllm/v.log"), (["other/*.log", "logs/**/*.log"], "logs/v.log")],
)
def test_the_rest_of_a_log_that_vanished_goes_where_its_beginning_went(
    tmp_path: Path, patterns: list[str], name: str
) -> None:
    clock, path = LeapingClock(), tmp_path / name
    path.parent.mkdir(parents=True)
    append(path, b"one")
    with BulkSink() as sink:
        entries = [(tmp_path / pattern, f"set{number}") for number, pattern in enumerate(patterns)]
        settings = settings_of(sink, *entries)
        with in_process(settings, tmp_path, clock) as shipper:
            wait_for(lambda: len(sink.documents) == 1, "the first line")
            sink.down()
            append(path, b"two")
            wait_for(lambda: lag(shipper) == 4, "that it was seen")
            path.unlink()
            time.sleep(1)
        sink.up()
        with in_process(settings, tmp_path, clock):
            wait_for(lambda: len(sink.documents) == 2, "the rest")
        assert sent(sink) == [("set1", "one"), ("set1", "two")]


@pytest.mark.timed
def test_folders_that_lead_back_to_themselves(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("l1", "l2", "l3"):
        (logs / name).symlink_to(".")
    append(logs / "a.log", b"one")
    with BulkSink() as sink, in_process(settings_of(sink, (logs / "**/*.log", "logs")), tmp_path, LeapingClock()):
        wait_for(lambda: len(sink.documents) == 1, "the first line", ALL_SECONDS)
        append(logs / "b.log", b"two")
        wait_for(lambda: len(sink.documents) == 2, "a new file", SOON)


@pytest.mark.timed
def test_many_files_of_one_folder_begin_soon(tmp_path: Path) -> None:
    """Also where older generations lie beside them, and once more after the end of the process."""
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(FILES):
        append(logs / f"app{number}x.log", b"one")
        append(logs / f"app{number}x.log.1", b"old")
    with BulkSink() as sink:
        settings = settings_of(sink, (logs / "*.log", "logs"))
        for turn in range(2):
            with in_process(settings, tmp_path, LeapingClock()):
                wait_for(partial(have, sink, FILES + turn), "all files", 20)
                append(logs / "app7x.log", b"two")
                wait_for(partial(have, sink, FILES + turn + 1), "the next line", 20)


def have(sink: BulkSink, count: int) -> bool:
    return len(sink.documents) == count


@pytest.mark.timed
def test_several_links_to_one_file(tmp_path: Path) -> None:
    links, real, clock = tmp_path / "links", tmp_path / "real" / "real.log", LeapingClock()
    for folder in (links, real.parent):
        folder.mkdir()
    append(real, b"one")
    for name in "abcdefgh":
        (links / f"{name}.log").symlink_to(real)
    with BulkSink() as sink, in_process(settings_of(sink, (links / "*.log", "links")), tmp_path, clock):
        wait_for(lambda: len(sink.documents) == 1, "the first line")
        clock.leap += ALL_SECONDS  # the next look at all of them is a whole while away
        append(real, b"two")
        wait_for(lambda: len(sink.documents) == 2, "the second line")
        time.sleep(QUIET_SECONDS)
        append(real, b"three")
        wait_for(lambda: len(sink.documents) == 3, "the third line", 1.0)


def test_names_that_move_unseen_are_found_once_the_folder_has_settled(tmp_path: Path) -> None:
    """A folder's time is coarse: of two changes right after one another it may tell the first alone."""
    clock = FarClock()
    listings = Listings(clock)
    (tmp_path / "app.log.1").touch()
    before = tmp_path.stat().st_mtime_ns
    clock.now = before // 1_000_000 + 1
    assert len(listings.generations(tmp_path / "app.log")) == 1
    (tmp_path / "app.log.2").touch()
    os.utime(tmp_path, ns=(before, before))
    clock.now += 5_000
    clock.seconds += 5
    assert len(listings.generations(tmp_path / "app.log")) == 2
    (tmp_path / "app.log.1").unlink()
    os.utime(tmp_path, ns=(before, before))
    assert len(listings.generations(tmp_path / "app.log")) == 1


class FarClock(SystemClock):
    """A clock that a test moves by hand."""

    now, seconds = 0, 0.0

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.seconds
