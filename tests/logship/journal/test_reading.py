"""Journal files as journald writes them, against what journalctl reads in them."""

import json
import lzma
import subprocess
from pathlib import Path
from typing import Any

import cramjam
import pytest

from logship.journal.cursor import Cursor
from logship.journal.file import JournalFile
from logship.journal.layout import COMPACT, LARGEST_FIELD, UnreadableError, unpacked
from tests.support.journal_rig import Rig
from tests.support.journald import Journald, cursor, entries

pytestmark = pytest.mark.systemd
WHOLE = 128 * 1024 * 1024


def everything(journald: Journald) -> list[tuple[str, str | bytes | int]]:
    """Fields of every kind that one entry may have."""
    return [
        ("MESSAGE", 'said "so" \\ and\nagain\ton a second line'),
        ("PRIORITY", 3),
        ("SYSLOG_IDENTIFIER", "trainer"),
        ("SYSLOG_FACILITY", 16),
        ("BINARY", bytes(range(256)) * 3),
        ("TWICE", "first"),
        ("TWICE", "second"),
        ("TWICE", "third"),
        ("LONG", "abcdefgh" * 200),
        ("RANDOM_LONG", bytes((n * n * 7919 >> 3) & 0xFF for n in range(40_000))),
        ("VERY_LONG", "x" * 3_000_000),
        ("EMPTY", ""),
        ("GREETING", "Grüße 队列 \N{GRINNING FACE}"),
    ]


def write_all_kinds(journald: Journald) -> None:
    journald.send_fields(everything(journald))
    journald.send(b"broken \xff\xfe utf-8 \x00 and a NUL", PRIORITY=4)
    journald.send("", PRIORITY=7)
    journald.send("y" * 700, PRIORITY=6)
    journald.send("z" * 2_000_000, PRIORITY=2)
    for number in range(300):
        journald.send(f"line {number}", PRIORITY=number % 8, SYSLOG_IDENTIFIER=f"prog{number % 5}", NUMBER=number)
    journald.sync()


@pytest.mark.parametrize("compact", ["0", "1"])
@pytest.mark.parametrize("keyed", ["0", "1"])
def test_every_field_is_what_journalctl_exports(journald: Journald, compact: str, keyed: str) -> None:
    with journald.running(SYSTEMD_JOURNAL_COMPACT=compact, SYSTEMD_JOURNAL_KEYED_HASH=keyed):
        write_all_kinds(journald)
        exported = {entry["__CURSOR"][0].decode(): entry for entry in entries(journald.journalctl("--output=export"))}
        read = {}
        for path in journald.files:
            file = JournalFile(path)
            assert bool(file.header.flags & COMPACT) is (compact == "1")
            for offset in file.offsets().tolist():
                entry = file.entry(offset)
                fields: dict[str, list[bytes]] = {}
                for item in entry.items:
                    name, _, value = file.datum(item, WHOLE).payload.partition(b"=")
                    fields.setdefault(name.decode(), []).append(value)
                read[str(Cursor.of(file.header.seqnum_id, entry, last=False))] = entry, fields
            file.close()
    assert read.keys() == exported.keys()
    for name, (entry, fields) in read.items():
        said = {field: values for field, values in exported[name].items() if not field.startswith("__")}
        fields["_BOOT_ID"] = [entry.boot.hex().encode()]
        assert {field: sorted(values) for field, values in fields.items()} == {
            field: sorted(values) for field, values in said.items()
        }
        assert entry.realtime == int(exported[name]["__REALTIME_TIMESTAMP"][0])
        assert entry.monotonic == int(exported[name]["__MONOTONIC_TIMESTAMP"][0])


@pytest.mark.parametrize("kind", ["XZ", "LZ4", "ZSTD"])
def test_payloads_are_decompressed(kind: str) -> None:
    text = b"MESSAGE=" + b"m" * 5000
    packed, flag = {
        "XZ": (lzma.compress(text), 1),
        "LZ4": (len(text).to_bytes(8, "little") + bytes(cramjam.lz4.compress_block(text, store_size=False)), 2),
        "ZSTD": (bytes(cramjam.zstd.compress(text)), 4),
    }[kind]
    assert unpacked(packed, flag, 10**6) == text
    assert unpacked(packed, flag, 100) == text[:100]
    with pytest.raises(UnreadableError):
        unpacked(packed[: len(packed) // 2], flag, 10**6)


def test_a_field_that_says_that_it_is_huge_is_not_unpacked() -> None:
    frame = bytes(cramjam.zstd.compress(b"small" * 100))
    assert frame[4] == 0x60, "one segment, its size in two bytes: RFC 8878, 3.1.1.1"
    huge = frame[:4] + b"\xe0" + (10**9).to_bytes(8, "little") + frame[7:]
    with pytest.raises(UnreadableError, match="more than"):
        unpacked(huge, 4, 100)
    with pytest.raises(UnreadableError, match="more than"):
        unpacked((10**10).to_bytes(8, "little") + b"xx", 2, 100)
    with pytest.raises(UnreadableError, match="how large"):
        unpacked(frame[:4] + b"\0" + frame[7:], 4, 100)


@pytest.mark.parametrize("fast", [True, False])
def test_documents_say_what_journalctl_says(journald: Journald, tmp_path: Path, *, fast: bool) -> None:
    with journald.running():
        write_all_kinds(journald)
        said = [json.loads(line) for line in journald.journalctl("--output=json").splitlines()]
        exported = entries(journald.journalctl("--output=export"))
        with Rig(
            [journald.lasting, journald.volatile], tmp_path / "data", fast=fast, sources=[{"fields": True}]
        ) as rig:
            rig.drain()
            documents = rig.documents()
    assert len(documents) == len(exported) == len(said)
    for entry, one in zip(exported, said, strict=True):
        place = cursor(entry)
        document = documents[f"{place['s']}-{int(place['i'], 16):012x}"]
        check(document, entry, one)
    assert rig.feed.broken == 0


def check(document: dict[str, Any], entry: dict[str, list[bytes]], said: dict[str, Any]) -> None:
    message = entry["MESSAGE"][0]
    assert document["message"] == message[: 1024 * 1024].decode(errors="replace")
    assert (document["log"].get("flags") == ["cut"]) is (len(message) > 1024 * 1024)
    micros = int(entry.get("_SOURCE_REALTIME_TIMESTAMP", entry["__REALTIME_TIMESTAMP"])[0])
    assert document["@timestamp"].endswith(f".{micros % 1_000_000:06d}Z")
    assert document["process"]["pid"] == int(said["_PID"])
    assert document["process"]["command_line"] == said["_CMDLINE"][:4096]
    assert document["process"]["executable"] == said["_EXE"]
    assert document["process"]["name"] == said["_COMM"]
    assert document["user"]["id"] == said["_UID"]
    assert document["host"]["id"] == said["_MACHINE_ID"]
    assert document["host"]["name"] == "node-1"
    assert document["host"]["boot"]["id"] == said["_BOOT_ID"]
    assert document["systemd"]["transport"] == said["_TRANSPORT"]
    assert document["log"]["offset"] == int(cursor(entry)["i"], 16)
    assert document["log"].get("syslog", {}).get("appname") == said.get("SYSLOG_IDENTIFIER")
    severity = document["log"].get("syslog", {}).get("severity", {}).get("code")
    assert severity == (int(said["PRIORITY"]) if "PRIORITY" in said else None)
    if "TWICE" in entry:
        journal = document["journal"]
        assert sorted(journal["twice"]) == ["first", "second", "third"]
        assert journal["binary"] == (bytes(range(256)) * 3).decode(errors="replace")
        assert journal["long"] == "abcdefgh" * 200
        assert journal["empty"] == ""
        assert journal["greeting"] == "Grüße 队列 \N{GRINNING FACE}"
        assert document["log"]["syslog"]["priority"] == 16 * 8 + 3
        assert document["log"]["level"] == "error"


def test_compiled_and_plain_write_the_same_bytes(journald: Journald, tmp_path: Path) -> None:
    with journald.running():
        write_all_kinds(journald)
        stream = journald.stdout("vllm")
        said = [
            "2026-03-01 10:00:00 ERROR out of memory",
            "level=warning a=b",
            "I0301 10:00:00.1 1 a.go:1] klog",
            "none",
        ]
        stream.sendall("\n".join(said).encode() + b"\n")
        stream.close()
        journald.rotate()
        journald.send("after the rotation", PRIORITY=6)
        journald.sync()
        bodies = []
        for fast in (True, False):
            with Rig([journald.lasting, journald.volatile], tmp_path / f"data{fast}", fast=fast) as rig:
                rig.drain(room=20_000)
                bodies.append(rig.bodies["journal"])
                levels = {one["message"]: one["log"].get("level") for one in rig.documents().values()}
    assert bodies[0] == bodies[1]
    assert [levels[text] for text in said] == ["error", "warning", "info", "info"]


@pytest.mark.parametrize("room", [300, 900, 10**6])
def test_objects_keep_their_fields_and_traces_give_their_errors(journald: Journald, tmp_path: Path, room: int) -> None:
    said = '{"level":"WARNING","logger":"x","event":"slow \\"disk\\"","seconds":3.5,"timestamp":"2026-03-01T10:00:00Z"}'
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nValueError: no "such" thing'
    with journald.running():
        for number in range(3):
            journald.send(f"before {number}", SYSLOG_IDENTIFIER="app", PRIORITY=6)
            journald.send(said, SYSLOG_IDENTIFIER="app", PRIORITY=6)
            journald.send(trace, SYSLOG_IDENTIFIER="app", PRIORITY=6)
            journald.send("{not json}", SYSLOG_IDENTIFIER="app", PRIORITY=2)
            journald.send("two\nlines", SYSLOG_IDENTIFIER="app", PRIORITY=4)
        journald.sync()
        bodies = []
        for fast in (True, False):
            folders = [journald.lasting, journald.volatile]
            with Rig(folders, tmp_path / f"data{fast}", fast=fast, sources=[{"identifiers": "app"}]) as rig:
                assert rig.drain(room=room) == 15
                bodies.append(rig.bodies["journal"])
                documents = list(rig.documents().values())
    assert bodies[0] == bodies[1]
    assert [document["message"] for document in documents] == [
        text for number in range(3) for text in (f"before {number}", 'slow "disk"', trace, "{not json}", "two\nlines")
    ]
    assert documents[1]["json"] == json.loads(said)
    assert [document["log"]["level"] for document in documents[:5]] == [
        "info",
        "warning",
        "error",
        "critical",
        "warning",
    ]
    assert documents[2]["error"] == {"type": "ValueError", "message": 'no "such" thing', "stack_trace": trace}
    assert "error" not in documents[4]


def test_a_field_as_large_as_anybody_may_write_is_left_out(journald: Journald, tmp_path: Path) -> None:
    journald.configure(storage="persistent", size="512M")
    with journald.running():
        journald.send(b"\0" * (LARGEST_FIELD + 100), PRIORITY=6)
        journald.send("behind it", PRIORITY=6)
        journald.sync()
        for fast in (True, False):
            with Rig([journald.lasting, journald.volatile], tmp_path / f"data{fast}", fast=fast) as rig:
                rig.drain()
                assert rig.messages()[-1] == "behind it"
                assert rig.feed.broken == 1


@pytest.mark.timed
@pytest.mark.parametrize("fast", [True, False])
def test_secrets_are_masked_in_messages_command_lines_and_fields(
    journald: Journald, tmp_path: Path, *, fast: bool
) -> None:
    secret = "hf_" + "abcDEF123456" * 3
    with journald.running():
        journald.send(f"token={secret} was used", PRIORITY=6, API_KEY=secret)
        journald.send(f"first line\nAuthorization: Bearer {secret}\nlast line", PRIORITY=6)
        command = ["python3", "-c", _SAY, str(journald.folder / "run/systemd/journal/socket"), f"--api-key={secret}"]
        subprocess.run(command, check=True, timeout=120)
        journald.sync()
        with Rig(
            [journald.lasting, journald.volatile], tmp_path / "data", fast=fast, sources=[{"fields": True}]
        ) as rig:
            rig.drain()
            body = rig.bodies["journal"]
            documents = {document["message"]: document for document in rig.documents().values()}
    assert secret.encode() not in body
    said = next(document for message, document in documents.items() if message.startswith("from a child"))
    assert said["process"]["command_line"].endswith("--api-key=" + "*" * len(secret))
    assert next(iter(message for message in documents if message.startswith("first line"))).endswith("\nlast line")


_SAY = """
import socket, sys, time
line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
line.sendto(b"MESSAGE=from a child\\n", sys.argv[1])
time.sleep(0.3)  # journald reads the command line of a process that is alive
"""
