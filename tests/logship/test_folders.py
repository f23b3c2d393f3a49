"""Folders that others take the place of: what is written there is told of as before."""

import time
from pathlib import Path

from logship.files.copies import LINGER_SECONDS
from logship.files.follower import ALL_SECONDS
from tests.support.bulk_sink import BulkSink
from tests.support.logship import wait_for
from tests.support.shipper_thread import LeapingClock, in_process, open_inodes

SOON = ALL_SECONDS / 3
"""Seconds that are too few for who is told of nothing."""

QUIET_SECONDS = 2.5
"""After these nothing is under way any more, for which files would be looked at every second."""


def append(path: Path, line: bytes) -> None:
    with path.open("ab") as log:
        log.write(line + b"\n")


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
