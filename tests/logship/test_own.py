"""Forewarn's own lines: kept where no journal takes them, shipped beside the rest, never more than a few a minute."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from forewarn.base.logs import OWN_FILES, Seldom, keep_logs
from logship.files.globs import Pattern
from logship.own import folder_for, frame_of, in_journal, with_own
from logship.patterns.compiled import keep_in
from logship.settings import OWN_DATASET, LogsSettings
from tests.support.bulk_sink import BulkSink
from tests.support.daemon import running
from tests.support.logship import COMPILED, wait_for

_KEEP = """
import logging, sys
from pathlib import Path
from forewarn.base import logs
logs.OWN_BYTES = 20_000
logs.configure_logging(json=True)
logs.keep_logs(Path(sys.argv[1]), "forewarn")
for number in range(int(sys.argv[2])):
    logging.getLogger("room").info("line %d", number, extra={"number": number})
"""


_MANY = """
import resource
from logship.child import allow_many_files
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
allow_many_files()
print(len([open("/dev/null") for _ in range(200)]))
"""


def settings_for(**more: Any) -> LogsSettings:
    return LogsSettings.model_validate({"url": "http://e:9200", "file": [{"path": "/var/log/a.log"}], **more})


def test_more_files_are_held_open_than_a_process_is_granted_at_first() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", _MANY], capture_output=True, text=True, check=True)
    assert done.stdout == "200\n"


def test_lines_are_kept_in_files_that_stay_small(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    command = [sys.executable, "-c", _KEEP, str(folder), "2000"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == ["forewarn.log", "forewarn.log.1", "forewarn.log.2"]
    assert len(files) == OWN_FILES
    assert all(path.stat().st_size <= 20_000 for path in files)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    last = (folder / "forewarn.log").read_bytes().splitlines()[-1]
    assert last.decode() == said.stderr.splitlines()[-1]
    line = orjson.loads(last)
    assert (line["event"], line["level"], line["logger"], line["number"]) == ("line 1999", "INFO", "room", 1999)


def test_a_full_disk_is_nobodys_trouble(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        keep_logs(Path("/dev/full/logs"), "forewarn")  # no folder can be made there
        assert root.handlers == before
        keep_logs(Path("/proc/self"), "fd/none")
        assert root.handlers == before
    finally:
        root.handlers[:] = before
    assert "Traceback" not in capfd.readouterr().err


def test_the_same_message_passes_seldom() -> None:
    now = [0.0]
    seldom = Seldom(3, lambda: now[0])

    def say(text: str, number: int) -> logging.LogRecord | None:
        record = logging.getLogger("x").makeRecord("x", logging.WARNING, __file__, 1, text, (number,), None)
        return record if seldom.filter(record) else None

    assert [say("refused %d", number) is not None for number in range(10)] == [True] * 3 + [False] * 7
    assert say("another %d", 1) is not None
    now[0] = 61.0
    record = say("refused %d", 11)
    assert record is not None
    assert vars(record)["left_out"] == 7


def test_own_lines_are_a_source_before_the_others() -> None:
    folder = Path("/data/logs")
    settings = settings_for()
    assert folder_for(settings, Path("/data"), {}) == folder
    assert folder_for(settings_for(own=False), Path("/data"), {}) is None
    assert folder_for(LogsSettings(), Path("/data"), {}) is None
    own = with_own(settings, frame_of(folder, "logship")["own_logs"], {})
    assert [(file.path, file.dataset) for file in own.file] == [
        ("/data/logs/*.log", OWN_DATASET),
        ("/var/log/a.log", None),
    ]
    assert with_own(settings_for(own=False), {"folder": "/data/logs", "name": "logship"}, {}).file == settings.file
    assert with_own(settings, None, {}) == settings


def test_own_lines_are_found_whatever_the_data_directory_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "[prod]*" / "logs"
    folder.mkdir(parents=True)
    (folder / "forewarn.log").touch()
    own = with_own(settings_for(), frame_of(folder, "logship")["own_logs"], {}).file[0]
    assert Pattern(own.path).find(os.listdir) == [folder / "forewarn.log"]


def test_under_systemd_the_journal_has_them() -> None:
    about = os.fstat(2)
    environ = {"JOURNAL_STREAM": f"{about.st_dev}:{about.st_ino}"}
    assert in_journal(environ)
    assert not in_journal({"JOURNAL_STREAM": "1:2"})
    assert not in_journal({})
    assert folder_for(settings_for(), Path("/data"), environ) is None
    (journal,) = with_own(settings_for(), None, environ).journal
    assert (journal.units, journal.dataset) == (("forewarn", "forewarn-*"), OWN_DATASET)
    assert with_own(settings_for(own=False), None, environ).journal == ()


@pytest.mark.timed
def test_a_daemons_own_lines_arrive_and_do_not_beget_others(tmp_path: Path) -> None:
    keep_in(COMPILED)  # the child finds machine code made before
    with BulkSink() as sink:
        config = (
            "[collector]\ninterval = 1\n[collector.nvml]\nenabled = false\n"
            f'[logs]\nurl = "{sink.url}"\n[[logs.file]]\npath = "{tmp_path}/none.log"\n'
        )
        with running(tmp_path / "data", config=config) as daemon:
            wait_for(lambda: len(sink.documents) > 0, "a line of the daemon", 150)
            time.sleep(3)
            known = len(sink.documents)
            time.sleep(5)
            assert len(sink.documents) - known <= 2  # a round of forecasts may have ended
            assert daemon.terminate()[0] == 0
        document = next(iter(sink.documents.values()))
        assert document["event"]["dataset"] == OWN_DATASET
        assert document["log"]["file"]["path"].startswith(str(tmp_path / "data" / "logs"))
        assert document["log"]["level"] in {"info", "warning", "error"}
