"""Where reading goes on, what is missing, what is never sent twice: journald rotates, dies and is vacuumed."""

import logging
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from logship.journal.cursor import Cursor
from logship.journal.layout import COMPACT, KNOWN
from tests.support.journal_rig import Rig
from tests.support.journald import Journald, cursor, entries

pytestmark = pytest.mark.systemd


def folders(journald: Journald) -> list[Path]:
    return [journald.lasting, journald.volatile]


def send(journald: Journald, first: int, count: int, text: str = "entry") -> None:
    for number in range(first, first + count):
        journald.send(f"{text} {number}", PRIORITY=6, SYSLOG_IDENTIFIER="sender")
    journald.sync()


def number_of(text: object) -> int:
    return int(str(text).split()[1])


def exported(journald: Journald) -> set[int]:
    """The sequence numbers that journalctl still finds."""
    return {int(cursor(entry)["i"], 16) for entry in entries(journald.journalctl("--output=export"))}


@pytest.fixture
def running(journald: Journald) -> Iterator[Journald]:
    with journald.running():
        journald.flush()
        yield journald


SENDER = [{"identifiers": "sender"}]


def test_a_later_shipper_goes_on_where_everything_had_arrived(running: Journald, tmp_path: Path) -> None:
    send(running, 0, 100)
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig:
        rig.drain()
        assert rig.messages() == [f"entry {n}" for n in range(100)]
        place = rig.checkpoint.places("journal:journal:")
    ((account, (reached, state)),) = place.items()
    last = Cursor.read(state)
    assert last is not None
    newest = entries(running.journalctl("--output=export"))[-1]
    assert str(last) == newest["__CURSOR"][0].decode()
    assert account.endswith(cursor(newest)["s"])
    assert reached == int(cursor(newest)["i"], 16)
    send(running, 100, 50)
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig:
        rig.drain()
        assert rig.messages() == [f"entry {n}" for n in range(100, 150)]
        assert rig.feed.lost == 0


def test_what_was_not_acknowledged_is_sent_again_under_the_same_ids(running: Journald, tmp_path: Path) -> None:
    send(running, 0, 400)
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as first:
        first.drain(keep=False, room=20_000)
        acknowledged = first.ahead[:3] + first.ahead[5:8]  # a hole: only what is before it is kept
        sent = first.documents()
        first.ahead = list(acknowledged)
        first.keep()
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as second:
        second.drain()
        again = second.documents()
        assert second.doubtful
    assert 0 < len(again) < 400
    assert all(sent[name] == document for name, document in again.items())
    assert min(document["log"]["offset"] for document in again.values()) == acknowledged[2].end + 1


def test_rotated_files_are_read_to_their_ends(running: Journald, tmp_path: Path) -> None:
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig:
        for turn in range(6):
            send(running, turn * 50, 30)
            if turn % 2:
                rig.drain()
            running.rotate()
            send(running, turn * 50 + 30, 20)
        rig.drain()
        assert rig.messages() == [f"entry {n}" for n in range(300)]
        assert rig.feed.lost == 0
        assert rig.feed.waiting == 0


def followed_unread(running: Journald, rig: Rig) -> None:
    """Five rotated files that are known, and of which nothing was read."""
    rig.drain()
    for turn in range(5):
        send(running, turn * 40, 40)
        running.rotate()
        assert rig.feed.look()


def test_files_that_are_removed_while_they_are_followed_lose_nothing(running: Journald, tmp_path: Path) -> None:
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig:
        followed_unread(running, rig)
        for path in running.files:
            if "@" in path.name:
                path.unlink()
        rig.drain()
        assert rig.messages() == [f"entry {n}" for n in range(200)]
        assert rig.feed.lost == 0


def test_a_vacuum_empties_even_open_files_and_what_is_gone_is_counted(
    running: Journald, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig:
        followed_unread(running, rig)
        ((reached, _),) = rig.checkpoint.places("journal:").values()
        before = exported(running)
        running.vacuum("--vacuum-files=3")
        gone = before - exported(running)
        with caplog.at_level(logging.WARNING):
            rig.drain()
        assert gone
        read = {document["log"]["offset"] for document in rig.documents().values()}
        assert read.isdisjoint(gone)
        assert len(read) > 0
        assert rig.feed.lost == len({number for number in gone if number > reached})
    lines = [record.getMessage() for record in caplog.records]
    assert all("were removed before they were read" in line for line in lines)


def test_what_was_vacuumed_while_nobody_read_is_counted_and_named(
    running: Journald, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    send(running, 0, 100)
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig:
        rig.drain()
    send(running, 100, 100)
    running.rotate()
    send(running, 200, 100)
    running.rotate()
    before = exported(running)
    running.vacuum("--vacuum-files=2")
    send(running, 300, 100)
    there = exported(running)
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig:
        (reached, _), *_ = rig.checkpoint.places("journal:").values()
        with caplog.at_level(logging.ERROR):
            rig.drain()
        gone = {number for number in before - there if number > reached}
        assert gone
        assert rig.feed.lost == len(gone)
        assert rig.messages() == [
            entry["MESSAGE"][0].decode()
            for entry in entries(running.journalctl("--output=export", "--identifier=sender"))
            if int(cursor(entry)["i"], 16) > reached
        ]
        samples = {name: value for name, _, value, _ in rig.journal.samples()}
        assert samples["forewarn_logs_journal_lost_entries_total"] == len(gone)
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert f"{len(gone)} entries of the journal" in line
    assert f"{min(gone)} to {max(gone)}" in line
    assert line.count("Z") >= 2  # from when to when


def test_a_shipper_that_is_killed_and_one_that_lingers_send_the_same(running: Journald, tmp_path: Path) -> None:
    """A schedule of ends at random places: nothing is missing, and no id stands for two documents."""
    chance = random.Random(5)
    found: dict[str, object] = {}
    number = 0
    for turn in range(25):
        count = chance.randrange(60)
        send(running, number, count)
        number += count
        if chance.random() < 0.3:
            running.rotate()
        with Rig(folders(running), tmp_path / "data", sources=SENDER, fast=bool(turn % 2)) as rig:
            rig.drain(keep=False, room=chance.choice([900, 5_000, 3_000_000]), most=chance.randrange(1, 100))
            chance.shuffle(rig.ahead)
            rig.ahead = rig.ahead[: chance.randrange(len(rig.ahead) + 1)]
            rig.keep(turn)
            for name, document in rig.documents().items():
                assert found.setdefault(name, document["message"]) == document["message"]
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig:
        rig.drain()
        for name, document in rig.documents().items():
            assert found.setdefault(name, document["message"]) == document["message"]
        assert rig.feed.lost == 0
    assert sorted(found.values(), key=number_of) == [f"entry {n}" for n in range(number)]


def test_after_a_power_cut_the_damaged_file_is_read_too(journald: Journald, tmp_path: Path) -> None:
    with journald.running():
        journald.flush()
        send(journald, 0, 50)
        with Rig(folders(journald), tmp_path / "data", sources=SENDER) as rig:
            rig.drain()
        send(journald, 50, 50)
        journald.stop(kill=True)
    journald.start()
    journald.flush()
    send(journald, 100, 50)
    assert any(path.name.endswith("~") for path in journald.files)
    with Rig(folders(journald), tmp_path / "data", sources=SENDER) as rig:
        rig.drain()
        assert sorted(rig.messages(), key=number_of) == [f"entry {n}" for n in range(50, 150)]
        assert rig.feed.lost == 0


def test_a_volatile_journal_that_is_moved_to_the_disk_is_not_sent_again(journald: Journald, tmp_path: Path) -> None:
    with journald.running():
        send(journald, 0, 40)
        assert list(journald.volatile.glob("*/*.journal"))
        with Rig(folders(journald), tmp_path / "data", sources=SENDER) as rig:
            rig.drain()
            assert len(rig.messages()) == 40
        send(journald, 40, 40)
        journald.flush()
        send(journald, 80, 40)
        assert list(journald.lasting.glob("*/*.journal"))
        with Rig(folders(journald), tmp_path / "data", sources=SENDER) as rig:
            rig.drain()
            assert rig.messages() == [f"entry {n}" for n in range(40, 120)]


def test_a_journal_moves_to_the_disk_while_it_is_followed(journald: Journald, tmp_path: Path) -> None:
    with journald.running():
        send(journald, 0, 40)
        with Rig(folders(journald), tmp_path / "data", sources=SENDER) as rig:
            rig.drain(room=3000, most=20)  # the others were read and wait
            send(journald, 40, 40)
            journald.flush()
            send(journald, 80, 40)
            rig.drain()
            assert sorted(rig.messages(), key=number_of) == [f"entry {n}" for n in range(120)]
            assert rig.feed.lost == 0


@pytest.mark.timed
def test_old_files_are_left_out_one_by_one(running: Journald, tmp_path: Path) -> None:
    for turn in range(4):
        if turn == 2:
            time.sleep(4)
        send(running, turn * 10, 10)
        running.rotate()
    times = [
        int(entry["__REALTIME_TIMESTAMP"][0])
        for entry in entries(running.journalctl("--output=export", "--identifier=sender"))
    ]
    age = time.time() - times[19] / 1e6 - 0.5
    with Rig(folders(running), tmp_path / "data", sources=SENDER, journal_max_age=age) as rig:
        rig.drain()
        assert rig.messages() == [f"entry {n}" for n in range(20, 40)]


def test_all_journals_gone_is_said(running: Journald, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    send(running, 0, 50)
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig:
        rig.drain(keep=False, room=5_000, most=20)
        rig.keep()
    running.stop()
    for folder in folders(running):
        for inner in folder.iterdir():
            shutil.rmtree(inner)
    running.start()
    running.flush()
    send(running, 50, 50)
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig, caplog.at_level(logging.ERROR):
        rig.drain()
        assert rig.messages() == [f"entry {n}" for n in range(50, 100)]
        assert rig.feed.lost > 0
    assert any("a journal is gone" in record.getMessage() for record in caplog.records)


def test_another_machines_journal_is_left_alone_unless_it_was_followed(running: Journald, tmp_path: Path) -> None:
    send(running, 0, 20)
    name = tmp_path / "machine-id"
    name.write_text("0" * 31 + "1\n")
    with Rig(folders(running), tmp_path / "data", sources=SENDER, machine_id=name) as rig:
        assert rig.drain() == 0
    with Rig(folders(running), tmp_path / "data", sources=SENDER) as rig:
        assert rig.drain() == 20
    send(running, 20, 20)
    with Rig(folders(running), tmp_path / "data", sources=SENDER, machine_id=name) as rig:
        rig.drain()
        assert rig.messages() == [f"entry {n}" for n in range(20, 40)]


def test_what_is_older_than_it_should_be_is_left_out_the_first_time(running: Journald, tmp_path: Path) -> None:
    send(running, 0, 20)
    with Rig(folders(running), tmp_path / "data", sources=SENDER, read_from="end") as rig:
        assert rig.drain() == 0
        send(running, 20, 20)
        rig.drain()
        assert rig.messages() == [f"entry {n}" for n in range(20, 40)]
    with Rig(folders(running), tmp_path / "other", sources=SENDER, journal_max_age=3600) as rig:
        assert rig.drain() == 40


def test_what_nobody_wants_moves_the_account_and_is_no_loss_later(running: Journald, tmp_path: Path) -> None:
    with Rig(folders(running), tmp_path / "data", sources=[{"identifiers": "nobody"}]) as rig:
        send(running, 0, 100)
        assert rig.drain() == 0
        rig.ledger.commit()
        ((reached, _),) = rig.checkpoint.places("journal:").values()
        assert reached >= 100
    running.rotate()
    running.vacuum("--vacuum-files=1")
    send(running, 100, 5)
    with Rig(folders(running), tmp_path / "data", sources=[{"identifiers": "nobody"}]) as rig:
        rig.drain()
        assert rig.feed.lost == 0


def test_damage_is_named_and_what_follows_elsewhere_is_read(
    running: Journald, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    send(running, 0, 300)
    running.rotate()
    send(running, 300, 20)
    old = next(path for path in running.files if "@" in path.name and b"entry 150" in path.read_bytes())
    data = bytearray(old.read_bytes())
    at = data.index(b"MESSAGE=entry 150")
    data[at - 72 : at - 60] = b"\xff" * 12  # the head of a data object
    old.write_bytes(data)
    for fast in (True, False):
        with Rig(folders(running), tmp_path / f"data{fast}", sources=SENDER, fast=fast) as rig:
            with caplog.at_level(logging.WARNING):
                rig.drain()
            assert rig.messages() == [f"entry {n}" for n in range(320) if n != 150]
            assert rig.feed.broken == 1
    assert any("cannot be read" in record.getMessage() for record in caplog.records)
    old.write_bytes(old.read_bytes()[: len(data) // 3])  # a file of which the rest is gone
    with Rig(folders(running), tmp_path / "short", sources=SENDER) as rig:
        rig.drain()
        assert rig.messages()[-20:] == [f"entry {n}" for n in range(300, 320)]


def test_files_of_an_unknown_format_are_read_by_journalctl(
    running: Journald, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = KNOWN & ~COMPACT  # this journald's files have the flag
    send(running, 0, 50)
    running.send("two\nlines", PRIORITY=3, SYSLOG_IDENTIFIER="sender")
    running.rotate()
    send(running, 50, 50)
    with Rig(folders(running), tmp_path / "direct", sources=SENDER) as rig:
        rig.drain()
        direct = rig.documents()
    with Rig(folders(running), tmp_path / "data", sources=SENDER, known=known) as rig, caplog.at_level(logging.WARNING):
        rig.drain()
        assert rig.documents() == direct
        send(running, 100, 50)
        rig.drain()
        assert rig.messages()[-50:] == [f"entry {n}" for n in range(100, 150)]
    (line,) = [record.getMessage() for record in caplog.records]
    assert "read by journalctl" in line
    send(running, 150, 5)
    with Rig(folders(running), tmp_path / "data", sources=SENDER, known=known) as rig:
        rig.drain()
        assert rig.messages() == [f"entry {n}" for n in range(150, 155)]
        assert rig.feed.lost == rig.feed.broken == 0
