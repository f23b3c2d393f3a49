"""Segments on the disk: what was written is read, and damage costs the record that it hits and no more."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.errors import SpoolError
from logship.spool.keys import Key
from logship.spool.layout import FRAME_BYTES, HEADER_BYTES, Frame, Header
from logship.spool.seal import Envelope, Sealer
from logship.spool.segment import SPOOLED, Record, Segment, SegmentWriter, Torn, records

KEY = Key(bytes(range(32)))
KNOWN_HEADER = (
    "667773706f6f6c0a01000100000102030405060708090a0b0c0d0e0f351379a15dcd485e00505c18a30100000700000000000000cd471bf7"
)
KNOWN_FRAME = (
    "f76677011e00000007000000000000000000000000000000060000000000000001000000060000000000000066696c652d31"
    "000000000000000000000000000000000000000000000000000000000000000000004923dbde"
)
KNOWN_BODY = (
    "f62d92d9bb8db7dbe5a2471d2ef789de3f9dc2e78753919a1330db8f81caaf40c9ab3878ecb840a9a3c9d920af997f109f0b"
    "112a763578dafb35778f074dcf68"
)
DATA = [b"first line\nsecond line\n", b"", os.urandom(300), b"x" * 5000 + b"\n"]


def write(folder: Path, parts: list[bytes], key: Key = KEY) -> Path:
    writer = SegmentWriter(folder, key, kind=SPOOLED, first=7, now_ms=1_800_000_000_000)
    at = 0
    for data in parts:
        writer.append(Envelope("file-1", at, at + len(data), {"path": "/log"}), data, data.count(b"\n"))
        at += len(data)
    writer.sync()
    writer.close()
    return writer.path


def read(path: Path, key: Key = KEY) -> list[tuple[Record, bytes | None]]:
    segment = Segment.open(path)
    found = []
    for record in segment.records():
        if isinstance(record, Record):
            opened = segment.read(record, key)
            found.append((record, None if opened is None else opened[1]))
    return found


def whole(path: Path) -> list[bytes | None]:
    return [data for _, data in read(path)]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, DATA)
    assert path.stat().st_mode & 0o777 == 0o600
    assert whole(path) == DATA
    frames = [record.frame for record, _ in read(path)]
    assert [frame.sequence for frame in frames] == [7, 8, 9, 10]
    assert [(frame.account, frame.lines, frame.size) for frame in frames][:2] == [("file-1", 2, 23), ("file-1", 0, 0)]
    assert b"first line" not in path.read_bytes()
    assert b"/log" not in path.read_bytes()


def test_a_record_is_the_standard_s_own_gcm(tmp_path: Path) -> None:
    """Opened by hand, from the documented format alone."""
    data = write(tmp_path, [b"hello\n"]).read_bytes()
    copy = data[: HEADER_BYTES // 2]
    salt = copy[12:28]
    derived = HKDF(SHA256(), 32, salt=salt, info=b"forewarn spool segment 1").derive(KEY.secret)
    sequence = 7
    nonce = bytes(4) + sequence.to_bytes(8, "big")
    body = data[HEADER_BYTES + FRAME_BYTES :]
    plain = AESGCM(derived).decrypt(nonce, body, copy + sequence.to_bytes(8, "little"))
    length = int.from_bytes(plain[:2], "little")
    assert plain[2] == 1, "compressed"
    assert plain[3 : 3 + length] == b'["file-1",0,6,{"path":"/log"}]'
    assert plain[3 + length :][:4] == b"\x28\xb5\x2f\xfd", "a zstd frame"


def test_what_is_not_worth_compressing_is_not(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, KEY, kind=SPOOLED, first=1, now_ms=5)
    writer.append(Envelope("a", 0, 9000, {}), memoryview(b"x" * 9000), 0, compress=False)
    writer.close()
    assert writer.path.stat().st_size > 9000
    assert whole(writer.path) == [b"x" * 9000]


def test_no_two_segments_share_a_nonce_and_a_key(tmp_path: Path) -> None:
    first, second = (write(tmp_path, [b"the same\n"]) for _ in range(2))
    assert Segment.open(first).header.segment_id != Segment.open(second).header.segment_id
    bodies = [path.read_bytes()[HEADER_BYTES + FRAME_BYTES :] for path in (first, second)]
    assert bodies[0] != bodies[1]


def test_known_answer() -> None:
    header = Header(SPOOLED, bytes(range(16)), KEY.id, 1_800_000_000_000, 7)
    sealer = Sealer(KEY, header)
    assert header.copy().hex() == KNOWN_HEADER
    assert Frame(30, 7, "file-1", 0, 6, 1, 6).pack().hex() == KNOWN_FRAME
    opened = sealer.open(7, bytes.fromhex(KNOWN_BODY))
    assert opened == (Envelope("file-1", 0, 6, {"path": "/log"}), b"hello\n")


@pytest.mark.parametrize("wrong", ["key", "sequence", "header"])
def test_what_belongs_elsewhere_is_not_opened(wrong: str) -> None:
    header = Header(SPOOLED, bytes(16), KEY.id, 5, 7)
    body = bytes(Sealer(KEY, header).seal(7, Envelope("a", 0, 1, {}), b"x"))
    other = Header(SPOOLED, bytes(16), KEY.id, 6, 7) if wrong == "header" else header
    sealer = Sealer(Key(bytes(range(1, 33))) if wrong == "key" else KEY, other)
    assert sealer.open(8 if wrong == "sequence" else 7, body) is None


def test_every_flipped_byte_costs_one_record_at_most_and_its_range_is_known(tmp_path: Path) -> None:
    parts = [b"one\n" * 3, b"two\n" * 5, b"three\n" * 2]
    path = write(tmp_path, parts)
    data = path.read_bytes()
    extents = [(record.offset, record.offset + record.frame.length) for record, _ in read(path)]
    ranges = [(record.frame.start, record.frame.end, record.frame.lines) for record, _ in read(path)]
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        hit = [number for number, (begin, end) in enumerate(extents) if begin <= at < end]
        found = read(path)
        assert len(found) == 3
        expected = [None if number in hit else part for number, part in enumerate(parts)]
        assert [got for _, got in found] == expected, at
        for number in hit:
            frame = found[number][0].frame
            assert (frame.start, frame.end, frame.lines) == ranges[number]


def test_a_segment_cut_at_any_length_gives_its_whole_records(tmp_path: Path) -> None:
    parts = [b"one\n" * 3, b"two\n" * 5, b"three\n" * 2]
    path = write(tmp_path, parts)
    data = path.read_bytes()
    ends = [record.offset + record.frame.length for record, _ in read(path)]
    for length in range(HEADER_BYTES, len(data)):
        path.write_bytes(data[:length])
        complete = sum(end <= length for end in ends)
        assert [got for _, got in read(path) if got is not None] == parts[:complete]
        found = list(records(path, 7))
        if length not in {HEADER_BYTES, *ends}:
            # What is left of the last one is a torn tail, or is tried and found to be no record.
            assert isinstance(found[-1], Torn) or not found[-1].whole
    for length in range(HEADER_BYTES // 2):
        path.write_bytes(data[:length])
        with pytest.raises(SpoolError, match="header"):
            Segment.open(path)


def test_a_header_lives_on_one_of_its_copies(tmp_path: Path) -> None:
    path = write(tmp_path, [b"x\n"])
    data = bytearray(path.read_bytes())
    data[: HEADER_BYTES // 2] = bytes(HEADER_BYTES // 2)
    path.write_bytes(data)
    assert whole(path) == [b"x\n"]
    data[HEADER_BYTES // 2 + 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(SpoolError, match="header"):
        Segment.open(path)


@given(parts=st.lists(st.binary(max_size=2000), min_size=1, max_size=6), noise=st.data())
@settings(max_examples=60, deadline=None)
def test_noise_over_a_segment_never_makes_up_data(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], noise: st.DataObject
) -> None:
    path = write(tmp_path_factory.mktemp("noise"), parts)
    data = bytearray(path.read_bytes())
    for _ in range(noise.draw(st.integers(1, 4))):
        at = noise.draw(st.integers(0, len(data) - 1))
        piece = noise.draw(st.binary(min_size=1, max_size=40))
        data[at : at + len(piece)] = piece
    path.write_bytes(data)
    try:
        found = [got for _, got in read(path) if got is not None]
    except SpoolError:
        return
    rest: Iterator[bytes] = iter(parts)
    assert all(any(got == part for part in rest) for got in found), "something else, or in another order"


def test_a_full_disk_ends_the_segment_and_keeps_what_it_holds(tmp_path: Path) -> None:
    code = """
import resource, sys, os
from pathlib import Path
from logship.errors import SpoolFullError
from logship.spool.keys import Key
from logship.spool.seal import Envelope
from logship.spool.segment import SegmentWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
writer = SegmentWriter(Path(sys.argv[1]), Key(bytes(range(32))), kind=1, first=7, now_ms=5)
count = 0
try:
    while True:
        writer.append(Envelope("a", count, count + 1, {}), os.urandom(3000), 1)
        count += 1
except SpoolFullError as error:
    print(writer.path, count, writer.closed, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    path, count, closed, *why = done.stdout.split()
    assert closed == "True"
    assert os.strerror(errno.EFBIG) in " ".join(why)
    assert len(whole(Path(path))) == int(count) > 3
    assert all(isinstance(found, Record) for found in records(Path(path)))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20000


def test_a_full_disk_gathers_no_empty_segments(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from logship.errors import SpoolFullError
from logship.spool.keys import Key
from logship.spool.segment import SegmentWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
try:
    SegmentWriter(Path(sys.argv[1]), Key(bytes(range(32))), kind=1, first=7, now_ms=5)
except SpoolFullError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert os.strerror(errno.EFBIG) in done.stdout
    assert list(tmp_path.iterdir()) == []
