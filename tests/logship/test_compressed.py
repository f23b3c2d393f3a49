"""Generations that were compressed: found by what they held before, read on where that was read to, and only once."""

import bz2
import contextlib
import gzip
import lzma
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from logship.files.content import content_of
from tests.support.bulk_sink import BulkSink
from tests.support.logship import lines, shipping, wait_for

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}


@pytest.fixture
def sink() -> Iterator[BulkSink]:
    with BulkSink() as running:
        yield running


def settings_for(sink: BulkSink, path: Path | str) -> dict[str, Any]:
    return {"url": sink.url, "file": [{"path": str(path)}], "flush_interval": "50ms"}


def append(path: Path, written: list[bytes]) -> None:
    with path.open("ab") as log:
        log.write(b"".join(line + b"\n" for line in written))


def compress(path: Path, suffix: str = ".gz") -> Path:
    """As logrotate does: into a new file beside it, with its times; then the original goes."""
    made, status = path.with_name(path.name + suffix), path.stat()
    made.write_bytes(COMPRESS[suffix](path.read_bytes()))
    os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
    return made


def rotate(path: Path, suffix: str = ".gz") -> None:
    """Rename, shift, and compress at once."""
    for number in range(20, 0, -1):
        older = path.with_name(f"{path.name}.{number}{suffix}")
        if older.exists():
            older.rename(path.with_name(f"{path.name}.{number + 1}{suffix}"))
    rotated = path.with_name(f"{path.name}.1")
    path.rename(rotated)
    path.touch()
    compress(rotated, suffix)


def assert_all_once(sink: BulkSink, written: list[bytes]) -> None:
    with contextlib.suppress(AssertionError):  # what is missing is said better by the comparison
        wait_for(lambda: len(sink.documents) >= len(written), "the documents")
    time.sleep(0.3)
    assert len(sink.documents) == len(written)
    assert sorted(document["message"].encode() for document in sink.documents.values()) == sorted(written)


def opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY)


@pytest.mark.parametrize("suffix", COMPRESS)
def test_the_bytes_before_compressing_by_offset(tmp_path: Path, suffix: str) -> None:
    original = random.Random(5).randbytes(300_000) + b"\n".join(lines(5_000))
    path = tmp_path / f"a{suffix}"
    path.write_bytes(COMPRESS[suffix](original[:400_000]) + COMPRESS[suffix](original[400_000:]))
    content = content_of(opened(path))
    assert content.compressed
    offsets = [0, 10, 299_990, 300_500, 399_990, 5, 0, len(original) - 3, len(original)]
    for offset in offsets:
        assert content.pread(1000, offset) == original[offset : offset + 1000]
    assert (content.complete, content.size()) == (True, len(original))
    marker, buffer = bytearray(64), memoryview(bytearray(500))
    assert content.fill(marker, buffer, 1000) == 564
    assert bytes(marker) + bytes(buffer) == original[1000:1564]
    os.close(content.descriptor)


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_file_that_is_still_being_compressed_grows(tmp_path: Path, suffix: str) -> None:
    original = random.Random(5).randbytes(1_000_000)
    whole, path = COMPRESS[suffix](original), tmp_path / "a"
    path.write_bytes(whole[: len(whole) // 2])
    content = content_of(opened(path))
    half = content.pread(2_000_000, 0)
    assert original.startswith(half)
    assert not content.complete
    path.write_bytes(whole)
    assert content.pread(2_000_000, len(half)) == original[len(half) :]
    assert content.complete
    os.close(content.descriptor)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_a_damaged_file_ends_where_the_damage_begins(tmp_path: Path, suffix: str) -> None:
    whole = bytearray(COMPRESS[suffix](b"first\n") + COMPRESS[suffix](random.Random(5).randbytes(10_000)))
    whole[-3000:-2000] = bytes(1000)
    (tmp_path / "a").write_bytes(whole)
    content = content_of(opened(tmp_path / "a"))
    assert content.pread(6, 0) == b"first\n"
    assert len(content.pread(20_000, 0)) < 20_000
    assert content.damage
    assert content.complete
    os.close(content.descriptor)


@pytest.mark.parametrize("suffix", COMPRESS)
def test_rotated_and_compressed_while_away(sink: BulkSink, tmp_path: Path, suffix: str) -> None:
    written, path = lines(6_000), tmp_path / "app.log"
    history = lines(500, seed=2)
    append(path, history)
    rotate(path, suffix)  # from before the shipper's time
    append(path, history[:50])
    path.rename(tmp_path / "app.log.1")  # such a one too, that is compressed later
    append(path, written[:1000])
    with shipping(settings_for(sink, path), tmp_path / "data"):
        wait_for(lambda: len(sink.documents) == 1000, "a beginning")
    compress(tmp_path / "app.log.1", suffix)
    append(path, written[1000:2000])
    for number in range(2, 5):
        time.sleep(0.02)
        rotate(path, suffix)
        append(path, written[number * 1000 : (number + 1) * 1000])
    with shipping(settings_for(sink, path), tmp_path / "data"):
        append(path, written[5000:])
        assert_all_once(sink, written)
    with shipping(settings_for(sink, path), tmp_path / "data"):
        append(path, [b"one more"])
        assert_all_once(sink, [*written, b"one more"])


def test_compressed_later_than_rotated(sink: BulkSink, tmp_path: Path) -> None:
    """logrotate's delaycompress: each generation stays as it is for one rotation, read to its end long before."""
    written, path = lines(4_000), tmp_path / "app.log"
    with shipping(settings_for(sink, path), tmp_path / "data"):
        for number in range(4):
            append(path, written[number * 1000 : (number + 1) * 1000])
            wait_for(lambda n=number: len(sink.documents) >= (n + 1) * 1000, "the lines")  # type: ignore[misc]
            if (tmp_path / "app.log.1").exists():
                compress((tmp_path / "app.log.1").rename(tmp_path / f"app.log.{9 - number}"))
            path.rename(tmp_path / "app.log.1")
            path.touch()
        assert_all_once(sink, written)
    with shipping(settings_for(sink, path), tmp_path / "data"):
        compress(tmp_path / "app.log.1")
        append(path, [b"one more"])
        assert_all_once(sink, [*written, b"one more"])


def test_compressed_while_the_shipper_is_stopped(sink: BulkSink, tmp_path: Path) -> None:
    written, path = lines(5_000), tmp_path / "app.log"
    append(path, written[:1000])
    with shipping(settings_for(sink, path), tmp_path / "data") as child:
        wait_for(lambda: len(sink.documents) >= 500, "a beginning")
        child.process.send_signal(signal.SIGSTOP)
        append(path, written[1000:2000])
        for number in range(2, 5):
            time.sleep(0.02)
            rotate(path)
            append(path, written[number * 1000 : (number + 1) * 1000])
        child.process.send_signal(signal.SIGCONT)
        assert_all_once(sink, written)


def test_a_program_that_compresses_the_log_it_wrote_itself(sink: BulkSink, tmp_path: Path) -> None:
    """Python's logging handlers with a rotator: the live file is compressed under its name, and only then removed."""
    written, path = lines(3_000), tmp_path / "app.log"
    append(path, written[:2000])
    whole = gzip.compress(path.read_bytes())
    with shipping(settings_for(sink, path), tmp_path / "data"):
        wait_for(lambda: len(sink.documents) == 2000, "the first lines")
        with (tmp_path / "app.log.1.gz").open("wb", buffering=0) as made:
            for at in range(0, len(whole), 10_000):
                made.write(whole[at : at + 10_000])
                time.sleep(0.3)
        path.unlink()
        append(path, written[2000:])
        assert_all_once(sink, written)


def test_a_half_compressed_file_beside_its_original_is_not_read(sink: BulkSink, tmp_path: Path) -> None:
    written, path = lines(2_000), tmp_path / "app.log"
    append(path, written[:500])
    with shipping(settings_for(sink, path), tmp_path / "data"):
        wait_for(lambda: len(sink.documents) == 500, "a beginning")
    append(path, written[500:1000])
    path.rename(tmp_path / "app.log.1")
    append(path, written[1000:])
    whole = gzip.compress((tmp_path / "app.log.1").read_bytes())
    (tmp_path / "app.log.1.gz").write_bytes(whole[: len(whole) // 2])
    with shipping(settings_for(sink, path), tmp_path / "data"):
        assert_all_once(sink, written)


def test_the_copy_of_a_log_that_was_cut_off_is_compressed_while_away(sink: BulkSink, tmp_path: Path) -> None:
    written, path = lines(3_000), tmp_path / "app.log"
    append(path, written[:1000])
    with shipping(settings_for(sink, path), tmp_path / "data"):
        wait_for(lambda: len(sink.documents) == 1000, "a beginning")
    append(path, written[1000:2000])
    copy = tmp_path / "app.log.1"
    copy.write_bytes(path.read_bytes())
    os.truncate(path, 0)
    append(path, written[2000:])
    compress(copy)
    with shipping(settings_for(sink, path), tmp_path / "data"):
        assert_all_once(sink, written)


def test_a_glob_that_names_compressed_generations_asks_for_them(sink: BulkSink, tmp_path: Path) -> None:
    written, path = lines(300), tmp_path / "app.log"
    append(path, written[:100])
    rotate(path)
    append(path, written[100:200])
    rotate(path)
    append(path, written[200:])
    with shipping(settings_for(sink, tmp_path / "app.log*"), tmp_path / "data"):
        assert_all_once(sink, written)
