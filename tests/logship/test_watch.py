"""The kernel says which files have changed; where it cannot, that is known."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from forewarn.base.clock import SystemClock
from logship.files.globs import Patterns
from logship.files.watch import GATHER_SECONDS, Watch, folders_of


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch(SystemClock())
    yield made
    made.close()


def test_writing_is_told_by_name_and_new_names_by_folder(tmp_path: Path, watch: Watch) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    watch.follow({tmp_path: True})
    with path.open("ab") as log:
        log.write(b"two\n")
    changes = watch.wait(5)
    assert (changes.paths, changes.names, changes.folders, changes.everything) == ({path}, set(), set(), False)
    path.rename(tmp_path / "a.log.1")
    changes = watch.wait(5)
    assert changes.folders == {tmp_path}
    assert changes.names == {path, tmp_path / "a.log.1"}
    with (tmp_path / "a.log.1").open("ab") as log:
        log.write(b"three\n")
    assert watch.wait(5).paths == {tmp_path / "a.log.1"}
    assert not watch.wait(0.01)


def test_writing_to_a_file_that_was_removed_is_still_told(tmp_path: Path, watch: Watch) -> None:
    path = tmp_path / "a.log"
    with path.open("wb", buffering=0) as log:
        path.unlink()
        watch.follow({tmp_path: True})
        log.write(b"one\n")
        assert path in watch.wait(5).paths


def test_only_names_matter_above_the_followed_folders(tmp_path: Path, watch: Watch) -> None:
    watch.follow({tmp_path: False})
    (tmp_path / "a").write_bytes(b"one")
    assert watch.wait(5).folders == {tmp_path}
    with (tmp_path / "a").open("ab") as log:
        log.write(b"two")
    assert not watch.wait(0.05)
    watch.follow({tmp_path: True})
    with (tmp_path / "a").open("ab") as log:
        log.write(b"three")
    assert watch.wait(5).paths == {tmp_path / "a"}


def test_it_is_said_which_folders_nobody_watched_before(tmp_path: Path, watch: Watch) -> None:
    assert watch.follow({tmp_path: False})
    assert not watch.follow({tmp_path: False})
    assert watch.follow({tmp_path: True}), "what was written meanwhile"
    assert not watch.follow({})


def test_names_with_odd_bytes(tmp_path: Path, watch: Watch) -> None:
    watch.follow({tmp_path: True})
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff\xfe.log"))
    path.write_bytes(b"one\n")
    assert path in watch.wait(5).paths


def test_a_folder_that_goes_away_and_comes_again(tmp_path: Path, watch: Watch) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    wanted = folders_of(Patterns([str(folder / "*.log")]).levels(), [])
    assert wanted == {folder: False}
    watch.follow(wanted)
    folder.rmdir()
    assert folder in watch.wait(5).folders
    wanted = folders_of(Patterns([str(folder / "*.log")]).levels(), [])
    assert wanted == {tmp_path: False}
    watch.follow(wanted)
    folder.mkdir()
    assert tmp_path in watch.wait(5).folders
    watch.follow(folders_of(Patterns([str(folder / "*.log")]).levels(), []))
    (folder / "a.log").touch()
    assert folder in watch.wait(5).folders


def test_a_folder_that_is_moved_is_not_taken_for_the_one_that_takes_its_place(tmp_path: Path, watch: Watch) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    watch.follow({folder: True})
    folder.rename(tmp_path / "old")
    assert folder in watch.wait(5).folders
    folder.mkdir()
    watch.follow({folder: True})
    (tmp_path / "old" / "a.log").touch()
    assert not watch.wait(0.05)
    (folder / "a.log").touch()
    assert watch.wait(5).folders == {folder}


def test_a_link_to_a_folder_is_watched_where_it_leads_now(tmp_path: Path, watch: Watch) -> None:
    link = tmp_path / "current"
    for name in ("release-1", "release-2"):
        (tmp_path / name).mkdir()
    link.symlink_to("release-1")
    wanted = {link: True, tmp_path / "release-1": True}
    assert watch.follow(wanted)
    retarget(link, "release-2")
    assert watch.follow(wanted), "what was written there before"
    assert not watch.follow(wanted)
    (tmp_path / "release-2" / "a.log").touch()
    assert watch.wait(5).folders == {link}
    (tmp_path / "release-1" / "a.log").touch()
    assert watch.wait(5).folders == {tmp_path / "release-1"}


def test_a_link_that_leads_nowhere_keeps_the_folder_that_it_led_to(tmp_path: Path, watch: Watch) -> None:
    link, folder = tmp_path / "current", tmp_path / "release-1"
    folder.mkdir()
    link.symlink_to(folder)
    watch.follow({link: True})
    link.unlink()
    assert not watch.follow({link: True})
    (folder / "a.log").touch()
    assert watch.wait(5).folders == {link}


def test_a_folder_of_which_the_parent_was_moved_and_made_anew(tmp_path: Path, watch: Watch) -> None:
    folder = tmp_path / "logs" / "app"
    folder.mkdir(parents=True)
    watch.follow({folder: True})
    (tmp_path / "logs").rename(tmp_path / "old")
    folder.mkdir(parents=True)
    assert watch.follow({folder: True})
    (tmp_path / "old" / "app" / "a.log").touch()
    assert not watch.wait(0.05)
    (folder / "a.log").touch()
    assert watch.wait(5).folders == {folder}


def retarget(link: Path, target: str) -> None:
    """As ``ln -sfn`` does at its best: there is a link at every moment."""
    new = link.with_name("new")
    new.symlink_to(target)
    new.rename(link)


def test_two_ways_to_one_folder(tmp_path: Path, watch: Watch) -> None:
    folder, link = tmp_path / "logs", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    watch.follow({folder: True, link: True})
    (folder / "a.log").touch()
    assert watch.wait(5).folders == {folder, link}
    watch.follow({link: True})
    (folder / "b.log").touch()
    assert watch.wait(5).folders == {link}


def test_lost_events_mean_to_look_at_all(tmp_path: Path, watch: Watch) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 100_000:
        pytest.skip("the queue of events is too long to fill it")
    watch.follow({tmp_path: True})
    for number in range(most // 2 + 10):
        name = tmp_path / f"{number % 2}"
        name.touch()
        name.unlink()
    while not (changes := watch.wait(1)).everything:
        assert changes, "the end of the queue without a word"


def test_a_busy_writer_does_not_wake_at_each_line(tmp_path: Path, watch: Watch) -> None:
    watch.follow({tmp_path: True})
    began, answers = time.monotonic(), 0
    with (tmp_path / "a.log").open("wb", buffering=0) as log:
        while time.monotonic() - began < 0.3:
            log.write(b"line\n")
            watch.wait(0)
            answers += 1
    assert answers <= 0.3 / GATHER_SECONDS + 2


def test_waking_from_another_thread(watch: Watch) -> None:
    watch.wake()
    began = time.monotonic()
    assert not watch.wait(600)
    assert time.monotonic() - began < 100


def test_file_systems_that_others_write_to_are_polled(watch: Watch) -> None:
    watch.follow({Path("/proc"): True, Path("/nowhere/at/all"): True})
    assert watch.polled == {Path("/proc")}
    watch.follow({})
    assert watch.polled == set()


def test_folders_of_globs_and_links(tmp_path: Path) -> None:
    for name in ("a/x", "a/y/z", "real"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "real" / "now-1.log").touch()
    (tmp_path / "now.log").symlink_to(tmp_path / "real" / "now-1.log")
    at = tmp_path
    assert folders_of(Patterns([f"{at}/a/*/app.log"]).levels(), []) == {
        at / "a": False,
        at / "a/x": False,
        at / "a/y": False,
    }
    deep = folders_of(Patterns([f"{at}/a/**/*.log"]).levels(), [])
    assert set(deep) == {at / "a", at / "a/x", at / "a/y", at / "a/y/z"}
    assert folders_of(Patterns([f"{at}/b/c/*.log"]).levels(), []) == {at: False}
    assert folders_of([], [at / "now.log"]) == {at: True, at / "real": True}
