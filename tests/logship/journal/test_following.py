"""The shipper's own process follows a real journald into a far side: at once, at next to no cost, killed at will."""

import random
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.bulk_sink import BulkSink
from tests.support.journald import Journald
from tests.support.logship import shipping, wait_for

pytestmark = pytest.mark.systemd


def settings_for(sink: BulkSink, journald: Journald, *sources: dict[str, Any]) -> dict[str, Any]:
    return {
        "url": sink.url,
        "journal": list(sources) or [{}],
        "journal_folders": [str(journald.lasting), str(journald.volatile)],
    }


def messages(sink: BulkSink) -> list[str]:
    return [document["message"] for document in sink.documents.values()]


@pytest.mark.timed
@pytest.mark.alone
def test_entries_arrive_at_once_and_nothing_is_spent_on_waiting(journald: Journald, tmp_path: Path) -> None:
    took = []
    with journald.running(), BulkSink() as sink:
        settings = settings_for(sink, journald, {"identifiers": "sender"})
        with shipping(settings, tmp_path / "data") as child:
            journald.send("warm", PRIORITY=6, SYSLOG_IDENTIFIER="sender")
            wait_for(lambda: "warm" in messages(sink), "the first entry", 150)
            for number in range(30):
                time.sleep(0.03)
                began = time.monotonic()
                journald.send(f"entry {number}", PRIORITY=6, SYSLOG_IDENTIFIER="sender")
                while len(sink.documents) < number + 2:
                    assert time.monotonic() < began + 60
                    time.sleep(0.002)
                took.append(time.monotonic() - began)
            process = psutil.Process(child.process.pid)
            before, began = sum(process.cpu_times()[:2]), time.monotonic()
            time.sleep(4)
            share = (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)
            wait_for(lambda: child.value("forewarn_logs_lines_total", outcome="acknowledged") == 31, "the count")
            assert child.value("forewarn_logs_journal_lag_entries", dataset="journal") == 0
            assert child.value("forewarn_logs_journal_lost_entries_total", dataset="journal") == 0
    took.sort()
    assert took[len(took) // 2] < 0.15
    assert share < 0.03
    document = next(iter(sink.documents.values()))
    assert document["data_stream"] == {"type": "logs", "dataset": "journal", "namespace": "default"}
    assert document["log"]["template"] >= 1
    age = time.time() - datetime.fromisoformat(document["@timestamp"]).timestamp()
    assert 0 <= age < 600


def test_killed_again_and_again_between_sending_and_the_answer(journald: Journald, tmp_path: Path) -> None:
    chance, sent = random.Random(3), 0
    with journald.running(), BulkSink() as sink:
        settings = settings_for(sink, journald, {"identifiers": "sender"}) | {"bulk_bytes": 20_000, "connections": 2}
        sink.fault, sink.every = "answer lost", 5
        for turn in range(5):
            known = len(sink.documents)
            with shipping(settings, tmp_path / "data") as child:
                for _ in range(500):
                    journald.send(f"entry {sent}", PRIORITY=6, SYSLOG_IDENTIFIER="sender")
                    sent += 1
                journald.sync()
                if turn % 2:
                    journald.rotate()
                wait_for(lambda known=known: len(sink.documents) > known, "some of them", 150)
                time.sleep(chance.uniform(0, 0.3))
                child.kill()
        sink.fault = ""
        with shipping(settings, tmp_path / "data"):
            wait_for(lambda: len(sink.documents) >= sent, "all of them")
            time.sleep(0.3)
        assert sink.complaints == []
    assert sorted(messages(sink), key=lambda text: int(text.split()[1])) == [f"entry {n}" for n in range(sent)]


def test_entries_go_to_the_first_source_that_takes_them(journald: Journald, tmp_path: Path) -> None:
    with journald.running(), BulkSink() as sink:
        settings = settings_for(
            sink,
            journald,
            {"match": {"DRIVER": "NVRM*"}, "dataset": "gpu", "labels": {"team": "ops"}},
            {"identifiers": ["sshd", "su*"], "exclude": "sudo", "dataset": "auth", "level": "warning"},
            {"dataset": "rest", "exclude": "systemd-*"},
        )
        with shipping(settings, tmp_path / "data"):
            journald.send("NVRM: Xid 79", PRIORITY=3, DRIVER="NVRM 550", SYSLOG_IDENTIFIER="kernel")
            journald.send("refused", PRIORITY=4, SYSLOG_IDENTIFIER="sshd")
            journald.send("accepted", PRIORITY=6, SYSLOG_IDENTIFIER="sshd")
            journald.send("as root", PRIORITY=4, SYSLOG_IDENTIFIER="sudo")
            journald.send("switched", PRIORITY=2, SYSLOG_IDENTIFIER="su")
            journald.sync()
            wait_for(lambda: len(sink.documents) >= 5, "all of them", 150)
            time.sleep(0.2)
    found = {document["message"]: document for document in sink.documents.values()}
    datasets = {message: document["event"]["dataset"] for message, document in found.items()}
    assert datasets == {
        "NVRM: Xid 79": "gpu", "refused": "auth", "accepted": "rest", "as root": "rest", "switched": "auth",
    }  # fmt: skip
    assert found["NVRM: Xid 79"]["labels"] == {"team": "ops"}
    assert found["NVRM: Xid 79"]["log"]["level"] == "error"
    assert "labels" not in found["refused"]


def test_what_may_not_be_read_is_said_with_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Root may read everything: the refusal of the system call stands for that of the file."""
    from logship.journal.folders import why

    assert "systemd-journal" in why(PermissionError(13, "Permission denied"))
    assert why(OSError(5, "Input/output error")) == "Input/output error"
