"""From the bytes of a line to its document."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from logship.encode import Encoded, Encoder
from logship.settings import FileSettings, LogsSettings
from logship.stamps import Stamper, level_of
from logship.tail import TailedFile

REFERENCE = datetime(2026, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "time"),
    [
        (b"2026-03-01 10:20:30,123 INFO started", b"2026-03-01T10:20:30.123Z"),
        (b"2026-03-01T10:20:30.123456Z started", b"2026-03-01T10:20:30.123456Z"),
        (b"2026-03-01T10:20:30+02:00 started", b"2026-03-01T08:20:30Z"),
        (b"[2026-03-01 10:20:30 -0530] [7] [INFO] Booting", b"2026-03-01T15:50:30Z"),
        (b"2026/03/01 10:20:30 [error] 31#31: *1 open() failed", b"2026-03-01T10:20:30Z"),
        (b"INFO:     2026-03-01 10:20:30 started", b"2026-03-01T10:20:30Z"),
        (b"INFO 12-27 10:20:30 [api_server.py:1]", b"2025-12-27T10:20:30Z"),
        (b"(EngineCore_0 pid=71) WARNING 01-04 10:20:30 [x.py:1]", b"2026-01-04T10:20:30Z"),
        (b"Dec 31 23:59:59 node kernel: NVRM: Xid 79", b"2025-12-31T23:59:59Z"),
        (b"Jan  2 03:04:05 node sshd[1]: accepted", b"2026-01-02T03:04:05Z"),
        (b"I0105 10:20:30.000123 1 server.cc:10] ready", b"2026-01-05T10:20:30.000123Z"),
        (b"17/06/09 20:10:40 INFO executor", b"2017-06-09T20:10:40Z"),
        (b'10.0.0.1 - bob [10/Oct/2025:13:55:36 -0700] "GET / HTTP/1.1" 200 5', b"2025-10-10T20:55:36Z"),
        (b"[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok", b"2005-12-04T04:47:44Z"),
        (b"1767225600.5 something", b"2026-01-01T00:00:00.5Z"),
        (b"no time at all", None),
        (b"2026-13-45 10:20:30 no such day", None),
        (b"Feb 30 10:20:30 no such day", None),
        (b"at 2026-03-01 10:20:30 somewhere inside", None),
        (b"", None),
    ],
)
def test_time_stamps(line: bytes, time: bytes | None) -> None:
    assert Stamper(ZoneInfo("UTC")).stamp(line, REFERENCE) == time


def test_a_stamp_without_zone_is_in_the_configured_one_and_summer_is_seen() -> None:
    stamper = Stamper(ZoneInfo("Europe/Berlin"))
    assert stamper.stamp(b"2026-01-15 12:00:00 x", REFERENCE) == b"2026-01-15T11:00:00Z"
    assert stamper.stamp(b"2026-07-15 12:00:00 x", REFERENCE) == b"2026-07-15T10:00:00Z"
    assert stamper.stamp(b"2026-07-15 12:00:00Z x", REFERENCE) == b"2026-07-15T12:00:00Z"


@pytest.mark.parametrize(
    ("line", "level"),
    [
        (b"2026-03-01 10:20:30 WARN disk", b"warning"),
        (b"2026-03-01 10:20:30 [ERROR] disk", b"error"),
        (b"ts=1 level=info msg=x", b"info"),
        (b'ts=1 level="error" msg=x', b"error"),
        (b"E0105 10:20:30.000123 1 server.cc:10] no", b"error"),
        (b"INFORMATION about TERRORS", None),
        (b"level=surprising", None),
        (b"x" * 200 + b" ERROR too far", None),
    ],
)
def test_levels(line: bytes, level: bytes | None) -> None:
    assert level_of(line) == level


def encoder(**settings: Any) -> Encoder:
    file = FileSettings(path="/var/log/x.log", timezone="UTC")
    return Encoder("/var/log/x.log", file, LogsSettings(file=(file,), **settings), "node-1")


def encode(writer: Encoder, data: bytes, start: int = 0, carry: bytes = b"") -> Encoded:
    return writer.encode("id", start, data, carry=carry, read_ms=1_767_400_000_000, seen_ms=1_767_400_000_000)


def sources(encoded: Encoded) -> list[dict[str, Any]]:
    return [orjson.loads(document.split(b"\n")[1]) for document in encoded.documents]


def test_whatever_the_bytes_the_message_is_the_text_with_replacements() -> None:
    chance = random.Random(5)
    written = [
        bytes(byte for byte in chance.randbytes(chance.randrange(80)) if byte not in b"\n\r\0") for _ in range(3000)
    ]
    written += ['quote " backslash \\ tab \t bell \a ünïcödé 漢字 🎉'.encode(), b"\xff\xfe", b""]
    found = sources(encode(encoder(), b"".join(line + b"\n" for line in written)))
    assert [document["message"] for document in found] == [line.decode(errors="replace") for line in written]


def test_the_documents_do_not_depend_on_where_reading_was_interrupted() -> None:
    written = [
        b"no time yet",
        b"Dec 31 23:59:59 a",
        b"  a line that goes on",
        b"Jan  1 00:00:01 b",
        b"Traceback (most recent call last):",
        b"Jun 30 12:00:00 c",
        b"z" * 3000,
        b"Nov 30 12:00:00 d",
    ]
    data = b"".join(line + b"\n" for line in written)
    whole = encode(encoder(max_line_bytes=1024), data)
    assert whole.carry == b"2026-11-30T12:00:00Z"
    for cut in (end + 1 for end, byte in enumerate(data) if byte == ord("\n")):
        first = encode(encoder(max_line_bytes=1024), data[:cut])
        second = encode(encoder(max_line_bytes=1024), data[cut:], cut, first.carry)
        assert first.documents + second.documents == whole.documents
        assert (second.carry or first.carry) == whole.carry


def test_long_lines_are_split_between_characters_and_marked() -> None:
    found = sources(encode(encoder(max_line_bytes=1024), ("é" * 1000 + "!\nshort\n").encode()))
    assert "".join(document["message"] for document in found[:2]) == "é" * 1000 + "!"
    assert [document["log"].get("flags") for document in found] == [["split"], None, None]
    odd = sources(encode(encoder(max_line_bytes=1025), ("é" * 1000 + "\n").encode()))
    assert "�" not in "".join(document["message"] for document in odd)


@pytest.mark.parametrize("limit", [300, 1024, 16 * 1024])
def test_long_lines_are_marked_however_they_are_read(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(("é" * 1600 + "!\nshort\nno end").encode())
    file = TailedFile.open(path, 1024)
    found = []
    while (piece := file.read(limit, final=True)) is not None:
        found += sources(encode(encoder(max_line_bytes=1024), piece.data, piece.start))
    file.close()
    assert "".join(document["message"] for document in found) == "é" * 1600 + "!shortno end"
    assert [document["log"].get("flags") for document in found] == [["split"]] * 3 + [None] * 3


def test_a_very_long_line_is_not_read_again_for_each_of_its_pieces(tmp_path: Path) -> None:
    path, size = tmp_path / "app.log", 2_000_000
    path.write_bytes(b"x" * size + b"\nshort\n")
    file = TailedFile.open(path, 4096)
    before, pieces = read_so_far(), 0
    while file.read(256 * 1024) is not None:
        pieces += 1
    assert read_so_far() - before < 4 * size + 2 * 256 * 1024
    assert pieces >= size / 4096
    assert file.position == file.size()
    file.close()


def read_so_far() -> int:
    """Bytes that this process has asked the kernel for (``rchar``, proc(5))."""
    with Path("/proc/self/io").open() as counts:
        return int(next(line for line in counts if line.startswith("rchar")).split()[1])


def test_lines_without_any_time_take_that_of_reading_and_say_so() -> None:
    encoded = encode(encoder(), b"one\n2026-03-01 10:20:30 two\nthree\n")
    assert encoded.fallback
    assert [document["@timestamp"] for document in sources(encoded)] == [
        "2026-01-03T00:26:40Z",
        "2026-03-01T10:20:30Z",
        "2026-03-01T10:20:30Z",
    ]
    assert not encode(encoder(), b"four\n", carry=encoded.carry).fallback


def test_line_ends_of_other_systems_and_holes() -> None:
    found = sources(encode(encoder(), b"windows\r\n\0\0\0\nafter a hole\n\n".replace(b"after", b"\0\0after")))
    assert [document["message"] for document in found] == ["windows", "after a hole", ""]
    assert [document["log"]["offset"] for document in found] == [0, 13, 28]


def test_a_second_that_does_not_exist_is_no_time_even_in_a_minute_that_was_seen() -> None:
    stamper = Stamper(ZoneInfo("UTC"))
    assert stamper.stamp(b"2026-03-01 10:20:30 a", REFERENCE) == b"2026-03-01T10:20:30Z"
    assert stamper.stamp(b"2026-03-01 10:20:59 a", REFERENCE) == b"2026-03-01T10:20:59Z"
    assert stamper.stamp(b"2026-03-01 10:20:75 a", REFERENCE) is None
