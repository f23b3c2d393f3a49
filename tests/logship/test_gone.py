"""Files that are removed for good: let go of, without a word too many, and begun again where they come again."""

import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from logship.files.copies import LINGER_SECONDS
from logship.files.family import FAULT_SECONDS
from logship.shipper import Shipper
from tests.support.bulk_sink import BulkSink
from tests.support.logship import wait_for
from tests.support.shipper_thread import LeapingClock, births_are_kept, in_process, known


@contextlib.contextmanager
def following(sink: BulkSink, directory: Path, clock: LeapingClock, *patterns: str) -> Iterator[Shipper]:
    files = [{"path": str(directory / pattern)} for pattern in patterns]
    settings = {"url": sink.url, "file": files, "flush_interval": "20ms", "anomalies": {"enabled": False}}
    with in_process(settings, directory, clock) as shipper:
        yield shipper


def lags(shipper: Shipper) -> set[str]:
    return {Path(labels["path"]).name for name, labels, _, _ in shipper.samples() if name == "forewarn_logs_lag_bytes"}


def leapt(clock: LeapingClock) -> bool:
    """Always; a file must first have been seen quiet, and then long afterwards."""
    return clock.leapt(LINGER_SECONDS / 2)


@pytest.mark.parametrize("pattern", ["*.log", "b.log"])
def test_a_removed_file_is_let_go_of_and_begun_again(
    tmp_path: Path, pattern: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "logship")
    (tmp_path / "a.log").write_bytes(b"a one\n")
    gone = tmp_path / "b.log"
    gone.write_bytes(b"b one\n")
    clock = LeapingClock()
    with BulkSink() as sink, following(sink, tmp_path, clock, "a.log", pattern) as shipper:
        wait_for(lambda: len(sink.documents) == 2, "both lines")
        wait_for(lambda: lags(shipper) == {"a.log", "b.log"}, "both lags")
        gone.unlink()
        time.sleep(2.5)  # some scans: what they log is counted below
        wait_for(lambda: leapt(clock) and lags(shipper) == {"a.log"}, "the end of b.log")
        if births_are_kept(tmp_path):
            assert known(tmp_path) == ["a.log"]
            assert known(tmp_path, "paths") == ["a.log", "b.log"], "or what comes while nobody reads is left out"
        gone.write_bytes(b"b two\n")
        wait_for(lambda: len(sink.documents) == 3, "the new line")
    messages = Counter(document["message"] for document in sink.documents.values())
    assert messages == {"a one": 1, "b one": 1, "b two": 1}
    told = [record.getMessage() for record in caplog.records]
    assert sum("no such file" in line for line in told) <= 1
    assert sum("can be read again" in line for line in told) <= 1


def test_a_generation_that_outlives_its_path_is_not_read_again(tmp_path: Path) -> None:
    path, clock = tmp_path / "a.log", LeapingClock()
    path.write_bytes(b"one\n")
    with BulkSink() as sink, following(sink, tmp_path, clock, "a.log") as shipper:
        wait_for(lambda: len(sink.documents) == 1, "the first line")
        path.rename(tmp_path / "a.log.1")
        path.write_bytes(b"two\n")
        wait_for(lambda: len(sink.documents) == 2, "the second line")
        path.unlink()
        wait_for(lambda: leapt(clock) and lags(shipper) == set(), "the end of both")
        requests = len(sink.times)
        path.write_bytes(b"three\n")
        wait_for(lambda: len(sink.documents) == 3, "the third line")
    assert len(sink.times) == requests + 1, "the older generation was sent again"


def test_a_rotated_file_that_cannot_be_read_any_more_does_not_hold_up_the_live_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, older, clock = tmp_path / "a.log", tmp_path / "a.log.1", LeapingClock()
    path.write_bytes(b"one\n")
    with BulkSink() as sink, following(sink, tmp_path, clock, "a.log") as shipper:
        wait_for(lambda: len(sink.documents) == 1, "the first line")
        make_unreadable(path)
        path.rename(older)
        path.write_bytes(b"two\n")
        wait_for(lambda: "cannot read the log file" in caplog.text, "the trouble")
        time.sleep(2.5)  # some scans: what they log is counted below
        assert len(sink.documents) == 1, "the older one may come back"
        clock.leap += FAULT_SECONDS
        wait_for(lambda: len(sink.documents) == 2, "the live file's line")
        assert ("forewarn_logs_files_lost_total", {}, 1.0, True) in shipper.samples()
    told = [record.getMessage() for record in caplog.records]
    assert sum("cannot read the log file" in line for line in told) == 1
    assert sum("a rotated log cannot be read any more" in line for line in told) == 1


def make_unreadable(path: Path) -> None:
    """Every reading of a file that this process has open fails from now on, as with a stale handle of NFS."""
    folder = os.open(path.parent, os.O_RDONLY)
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if link.readlink() == path:
                os.dup2(folder, int(link.name), inheritable=False)
    os.close(folder)


def test_a_folder_that_turns_into_something_else_ends_nobody(tmp_path: Path) -> None:
    folder, clock = tmp_path / "logs", LeapingClock()
    folder.mkdir()
    (folder / "a.log").write_bytes(b"one\n")
    (tmp_path / "b.log").write_bytes(b"one\n")
    with BulkSink() as sink, following(sink, tmp_path, clock, "logs/a.log", "b.log") as shipper:
        wait_for(lambda: len(sink.documents) == 2, "both lines")
        (folder / "a.log").unlink()
        folder.rmdir()
        folder.symlink_to(folder)  # a loop: nobody can list it, root included
        wait_for(lambda: leapt(clock) and lags(shipper) == {"b.log"}, "the end of a.log")
        with (tmp_path / "b.log").open("ab") as log:
            log.write(b"two\n")
        wait_for(lambda: len(sink.documents) == 3, "the other file's next line")
