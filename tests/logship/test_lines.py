"""From the bytes of a line to its document."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from logship.engine.horizon import Horizon
from logship.engine.times import Carried, Clockwork
from logship.files.tail import TailedFile
from logship.stamps import level_of
from tests.support.engine_chunks import encode, encoder

NOW = b"2026-03-01T12:00:00Z"


def time_of(line: bytes, zone: str = "UTC") -> bytes | None:
    return Clockwork(ZoneInfo(zone)).read(line, Carried(), Horizon(NOW, NOW)).stamp or None


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
        (b"it was at 2026-03-01 10:20:30 somewhere inside", None),
        (b"", None),
    ],
)
def test_time_stamps(line: bytes, time: bytes | None) -> None:
    assert time_of(line) == time


def test_a_stamp_without_zone_is_in_the_configured_one_and_summer_is_seen() -> None:
    assert time_of(b"2026-01-15 12:00:00 x", "Europe/Berlin") == b"2026-01-15T11:00:00Z"
    assert time_of(b"2025-07-15 12:00:00 x", "Europe/Berlin") == b"2025-07-15T10:00:00Z"
    assert time_of(b"2025-07-15 12:00:00Z x", "Europe/Berlin") == b"2025-07-15T12:00:00Z"


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


@pytest.mark.parametrize("limit", [300, 1024, 16 * 1024])
def test_long_lines_are_cut_alike_however_they_are_read(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(("é" * 1600 + "!\nshort\nno end").encode())
    file, raw, documents = TailedFile.open(path, 1024), bytearray(32 * 1024), list[dict[str, Any]]()
    while size := file.peek(raw, limit, final=True):
        _, text = encode(encoder(fast=True, longest=1024), bytes(raw[:size]), file.position)
        documents += [orjson.loads(line) for line in text.splitlines()[1::2]]
        file.advance(raw, size, Carried())
    file.close()
    assert "".join(document["message"] for document in documents) == "é" * 1600 + "!shortno end"
    assert [document["log"].get("flags") for document in documents] == [["split"]] * 3 + [None] * 3
    assert file.marker == path.read_bytes()[-64:]


def test_a_very_long_line_is_not_read_again_for_each_of_its_pieces(tmp_path: Path) -> None:
    path, size = tmp_path / "app.log", 2_000_000
    path.write_bytes(b"x" * size + b"\nshort\n")
    file, raw = TailedFile.open(path, 4096), bytearray(256 * 1024)
    before, pieces = read_so_far(), 0
    while taken := file.peek(raw, 256 * 1024):
        file.advance(raw, taken, Carried())
        pieces += 1
    assert read_so_far() - before < 4 * size + 2 * 256 * 1024
    assert pieces >= size / 4096
    assert file.position == file.size()
    file.close()


def read_so_far() -> int:
    """Bytes that this process has asked the kernel for (``rchar``, proc(5))."""
    with Path("/proc/self/io").open() as counts:
        return int(next(line for line in counts if line.startswith("rchar")).split()[1])
