"""Files to which nothing is written cost next to nothing: nobody wakes up to look whether something was."""

import time
from pathlib import Path

import pytest

from forewarn.base.clock import SystemClock
from logship.files.globs import Patterns
from logship.files.listing import Listings
from logship.files.names import Names
from tests.support.bulk_sink import BulkSink
from tests.support.logship import shipping, wait_for

FILES = 100
WHILE_SECONDS = 2.5
WHILES = 4
"""In some, templates and what is known of anomalies are written to the disk."""
WAKE_UPS = 3.0
"""A second, of all threads together: one for the account, half a one for the samples, and some room."""


def wake_ups(process: int) -> int:
    """How often threads of a process have gone to sleep since they began."""
    status = [(task / "status").read_text() for task in Path(f"/proc/{process}/task").iterdir()]
    return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in status)


def wake_ups_a_second(process: int) -> float:
    before, began = wake_ups(process), time.monotonic()
    time.sleep(WHILE_SECONDS)
    return (wake_ups(process) - before) / (time.monotonic() - began)


@pytest.mark.timed
def test_nobody_wakes_up_while_files_are_quiet(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(FILES):
        (logs / f"{number}.log").write_bytes(b"2026-02-02 00:00:00,000 INFO ready\n")
    with BulkSink() as sink:
        settings = {"url": sink.url, "file": [{"path": str(logs / "*.log")}], "multiline": {"wait": "50ms"}}
        with shipping(settings, tmp_path / "data") as child:
            wait_for(lambda: len(sink.documents) == FILES, "all lines")
            wait_for(lambda: child.value("forewarn_logs_lag_bytes", path=str(logs / "0.log")) == 0, "no lag")
            assert min(wake_ups_a_second(child.process.pid) for _ in range(WHILES)) < WAKE_UPS
            with (logs / "7.log").open("ab") as log:
                log.write(b"2026-02-02 00:00:01,000 INFO again\n")
            wait_for(lambda: len(sink.documents) == FILES + 1, "the new line", 5)


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("logs/a.log", True),
        ("logs/b.log", True),
        ("logs/kept.txt", True),
        ("logs/a.txt", False),
        ("logs/a.log.tmp", False),
        ("logs", True),
        ("data/one.jsonl", True),
        ("data/state", False),
        ("a.log", False),
    ],
)
def test_names_that_matter(tmp_path: Path, name: str, *, matters: bool) -> None:
    names = followed(tmp_path)
    assert names.matter(tmp_path / name) is matters


def test_other_names_come_and_go_unheeded(tmp_path: Path) -> None:
    names = followed(tmp_path)
    folders = [tmp_path / "logs", tmp_path / "data"]
    assert names.have_changed(folders)
    assert not names.have_changed(folders)
    (tmp_path / "data" / "state").touch()
    (tmp_path / "logs" / "a.txt").touch()
    assert not names.have_changed(folders)
    (tmp_path / "logs" / "a.log").touch()
    assert names.have_changed(folders)
    (tmp_path / "logs" / "a.log").rename(tmp_path / "logs" / "a.txt")
    assert names.have_changed(folders)
    assert not names.have_changed(folders)


def test_a_folder_that_another_took_the_place_of_has_changed(tmp_path: Path) -> None:
    names = followed(tmp_path)
    folders = [tmp_path / "logs"]
    names.have_changed(folders)
    (tmp_path / "logs").rename(tmp_path / "old")
    assert names.have_changed(folders)
    (tmp_path / "logs").mkdir()
    assert names.have_changed(folders)


def followed(directory: Path) -> Names:
    """Names that matter where all logs of a folder are followed, one file of another, and one that no pattern names."""
    for folder in ("logs", "data"):
        (directory / folder).mkdir()
    patterns = Patterns([str(directory / "logs" / "*.log"), str(directory / "data" / "one.jsonl")])
    clock = SystemClock()
    names = Names(patterns, lambda path: path == directory / "logs" / "kept.txt", Listings(clock), clock)
    names.folders()
    return names
