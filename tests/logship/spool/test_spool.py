"""The spool as a whole: kept, read, released, limited, and never silent about what it could not keep."""

import contextlib
import json
import logging
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from logship.errors import SpoolError, SpoolKeyError
from logship.spool.keys import OWN_KEY, KeyRing
from logship.spool.layout import HEADER_BYTES
from logship.spool.losses import read_losses
from logship.spool.seal import Envelope
from logship.spool.segment import Record, Segment
from logship.spool.settings import SpoolSettings
from logship.spool.shelf import segments
from logship.spool.spool import FOLDER, Spool
from tests.support.hand_clock import HandClock

MIB = 1024 * 1024


@contextlib.contextmanager
def opened(directory: Path, clock: HandClock | None = None, settings: SpoolSettings | None = None) -> Iterator[Spool]:
    settings = settings or SpoolSettings()
    spool = Spool(directory, settings, KeyRing(settings, directory, {}), clock or HandClock())
    try:
        yield spool
    finally:
        spool.close()


def put(spool: Spool, account: str, start: int, data: bytes) -> None:
    spool.put(Envelope(account, start, start + len(data), {"path": f"/{account}"}), data, data.count(b"\n"))


def content(spool: Spool, account: str, at: int = 0) -> bytes:
    found = b""
    while (block := spool.block(account, at)) is not None:
        found += block.data[max(0, at - block.start) :]
        at = block.end
    return found


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def test_what_is_put_in_is_read_also_by_the_next_process(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        put(spool, "a", 100, b"one\ntwo\n")
        put(spool, "b", 0, b"other\n")
        put(spool, "a", 108, b"three\n")
        spool.sync()
        assert content(spool, "a", 104) == b"two\nthree\n"
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o700
    with opened(tmp_path) as spool:
        assert sorted(spool.accounts()) == ["a", "b"]
        assert spool.ranges("a") == [(100, 114)]
        assert spool.missing("a", 90, 120) == [(90, 100), (114, 120)]
        assert content(spool, "a") == b"one\ntwo\nthree\n"
        block = spool.block("a", 108)
        assert block is not None
        assert block.origin == {"path": "/a"}
        spool.release("a", 108)
        assert spool.ranges("a") == [(108, 114)]
        spool.release("a", 110)
        assert spool.ranges("a") == [(108, 114)], "half a block is still needed"


def test_a_segment_goes_with_the_last_of_it(tmp_path: Path) -> None:
    settings = SpoolSettings(max_bytes=16 * MIB)  # segments of 2 MiB
    with opened(tmp_path, settings=settings) as spool:
        for number in range(5):
            put(spool, "a", number * MIB, noise(MIB, number))
        assert len(segments(tmp_path / FOLDER)) == 3
        spool.release("a", 2 * MIB)
        assert len(segments(tmp_path / FOLDER)) == 2
        spool.release("a", 5 * MIB)
        spool.tend()
        assert segments(tmp_path / FOLDER) == []
        assert (spool.size, spool.oldest_ms, spool.accounts()) == (0, None, [])
        put(spool, "a", 5 * MIB, b"x\n")
        assert content(spool, "a") == b"x\n"


def test_ranges_that_lie_over_each_other_are_there_once(tmp_path: Path) -> None:
    data = noise(1000, 3)
    parts = [(0, 5), (5, 400), (400, 700), (300, 350), (0, 600), (590, 1000), (0, 600)]
    with opened(tmp_path) as spool:
        for start, end in parts:
            put(spool, "a", start, data[start:end])
        spool.sync()
        for at in range(1000):
            assert content(spool, "a", at)[-(1000 - at) :] == data[at:]
    with opened(tmp_path) as spool:
        for at in range(1000):
            block = spool.block("a", at)
            assert block is not None
            assert block.start <= at < block.end
        spool.release("a", 700)
        assert spool.ranges("a") == [(590, 1000)]
        spool.release("a")
        assert spool.accounts() == []
        assert spool.size == 0


async def test_what_is_released_in_time_is_never_synced(tmp_path: Path) -> None:
    clock = HandClock()
    with opened(tmp_path, clock, SpoolSettings(max_bytes=16 * MIB)) as spool:
        for number in range(6):
            put(spool, "a", number * MIB, noise(MIB, number))
        await clock.advance(1)
        spool.release("a", 5 * MIB)
        put(spool, "a", 6 * MIB, b"last\n")
        assert len(spool._unsynced) == 2, "files of the two segments that are gone are closed"
        spool.sync(older=2)
        assert len(spool._unsynced) == 2
        await clock.advance(1)
        spool.sync(older=2)
        assert len(spool._unsynced) == 1
        spool.sync()
        assert not spool._unsynced
        assert content(spool, "a", 5 * MIB) == noise(MIB, 5) + b"last\n"


def test_a_full_spool_drops_the_oldest_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = SpoolSettings(max_bytes=16 * MIB)
    with opened(tmp_path, settings=settings) as spool:
        for number in range(20):
            put(spool, "a", number * MIB, noise(MIB, number))
        assert spool.size <= 16 * MIB
        ((start, end),) = spool.ranges("a")
        assert end == 20 * MIB
        assert spool.losses.bytes() == {"size limit": start}
        expected = sum(noise(MIB, number).count(b"\n") for number in range(start // MIB))
        assert spool.losses.lines() == {"size limit": expected}
        assert content(spool, "a", start) == b"".join(noise(MIB, number) for number in range(start // MIB, 20))
        told = [record for record in caplog.records if "are lost" in record.getMessage()]
        listed = read_losses(tmp_path / FOLDER)
        assert len(told) == len(listed) < start // MIB, "ranges that touch are one"
        assert "/a" in told[0].getMessage()
        assert [row["path"] for row in listed] == ["/a"] * len(listed)
        assert listed[0]["start"] == 0
        assert listed[-1]["end"] == start


def test_what_can_be_had_elsewhere_is_not_lost(tmp_path: Path) -> None:
    with opened(tmp_path, settings=SpoolSettings(max_bytes=16 * MIB)) as spool:
        spool.elsewhere = lambda account: account == "a"
        for number in range(20):
            put(spool, "ab"[number % 2], number * MIB, noise(MIB, number))
        lost = {row["account"] for row in read_losses(tmp_path / FOLDER)}
    assert lost == {"b"}


async def test_old_ones_are_dropped_but_a_clock_that_leaps_makes_nothing_older(tmp_path: Path) -> None:
    clock, settings = HandClock(), SpoolSettings(max_age=3600)
    with opened(tmp_path, clock, settings) as spool:
        put(spool, "a", 0, b"one\n")
        clock._now_ms += 400 * 86_400_000  # somebody set the clock
        spool.tend()
        assert content(spool, "a") == b"one\n"
        await clock.advance(3601)
        spool.tend()
        assert spool.accounts() == []
        assert spool.losses.lines() == {"age limit": 1}


def test_a_damaged_record_is_named_counted_and_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tmp_path) as spool:
        for number in range(3):
            put(spool, "a", number * 6, b"line%d\n" % number)
    (path,) = segments(tmp_path / FOLDER)
    data = bytearray(path.read_bytes())
    _, second, _ = Segment.open(path).records()
    assert isinstance(second, Record)
    data[second.offset + 20] ^= 1
    path.write_bytes(data)
    key = KeyRing(SpoolSettings(), tmp_path, {}).current
    with opened(tmp_path) as spool:
        assert content(spool, "a") == b"line0\nline2\n"
        assert content(spool, "a") == b"line0\nline2\n"
        assert spool.losses.lines() == {"damaged": 1}
        spool.release("a", 18)
        assert segments(tmp_path / FOLDER) == []
    (listed,) = read_losses(tmp_path / FOLDER)
    assert (listed["start"], listed["end"], listed["lines"]) == (6, 12, 1)
    assert path.name in str(listed["where"])
    assert key.name in str(listed["where"])
    assert sum("are lost" in record.getMessage() for record in caplog.records) == 1


def test_a_segment_without_a_header_is_set_aside_and_counted(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        put(spool, "a", 0, b"one\n")
        put(spool, "a", 4, b"two\nthree\n")
    (path,) = segments(tmp_path / FOLDER)
    path.write_bytes(bytes(HEADER_BYTES) + path.read_bytes()[HEADER_BYTES:])
    with opened(tmp_path) as spool:
        assert spool.accounts() == []
        assert spool.losses.lines() == {"damaged": 3}
    assert path.with_suffix(".damaged").exists()


def test_a_torn_tail_is_cut_off(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        put(spool, "a", 0, b"one\n")
        put(spool, "a", 4, b"two\n")
    (path,) = segments(tmp_path / FOLDER)
    os.truncate(path, path.stat().st_size - 1)
    with opened(tmp_path) as spool:
        assert content(spool, "a") == b"one\n"
        put(spool, "a", 4, b"TWO\n")
        assert len(segments(tmp_path / FOLDER)) == 2, "a segment is never opened again to be written"
    with opened(tmp_path) as spool:
        assert content(spool, "a") == b"one\nTWO\n"
        assert read_losses(tmp_path / FOLDER) == []


def test_rotation_seals_old_segments_anew_and_then_forgets_the_key(tmp_path: Path) -> None:
    settings = SpoolSettings(max_bytes=16 * MIB)
    with opened(tmp_path, settings=settings) as spool:
        for number in range(3):
            put(spool, "a", number * MIB, noise(MIB, number))
        created = spool.oldest_ms
        before = spool.key_ids()
        KeyRing(settings, tmp_path, {}).rotate()
        for _ in range(4):
            spool.tend()
        assert len(spool.key_ids()) == 1
        assert spool.key_ids().isdisjoint(before)
        assert spool.oldest_ms == created, "a new key makes nothing younger"
        put(spool, "a", 3 * MIB, b"x\n")
    for aside in tmp_path.glob(f"{OWN_KEY}.*"):
        aside.unlink()
    with opened(tmp_path, settings=settings) as spool:
        assert content(spool, "a") == b"".join(noise(MIB, number) for number in range(3)) + b"x\n"


def test_a_missing_key_is_named_once_and_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tmp_path) as spool:
        put(spool, "a", 0, b"one\n")
        put(spool, "b", 0, b"two\n")
    old = tmp_path / "old"
    (tmp_path / OWN_KEY).rename(old)
    with opened(tmp_path) as spool:
        name = next(iter(spool.key_ids())).hex()
        with pytest.raises(SpoolKeyError, match=name):
            spool.block("a", 0)
        spool.tend()
        spool.tend()
        put(spool, "c", 0, b"three\n")
        assert content(spool, "c") == b"three\n"
    assert sum(name in record.getMessage() for record in caplog.records if record.levelno == logging.ERROR) == 1
    with opened(tmp_path, settings=SpoolSettings(old_key_files=(old,))) as spool:
        assert content(spool, "a") + content(spool, "b") == b"one\ntwo\n"
        assert read_losses(tmp_path / FOLDER) == []


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(SpoolError, match="another log shipper holds"), opened(tmp_path):
        pass


CHILD = """
import json, resource, sys
from pathlib import Path
from forewarn.base.clock import SystemClock
from logship.errors import SpoolFullError
from logship.spool.keys import KeyRing
from logship.spool.seal import Envelope
from logship.spool.segment import Record, Segment
from logship.spool.settings import SpoolSettings
from logship.spool.spool import Spool
import random
directory, limit = Path(sys.argv[1]), int(sys.argv[2])
settings = SpoolSettings()
keys = KeyRing(settings, directory, {})
spool = Spool(directory, settings, keys, SystemClock())
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
chance, at = random.Random(1), 0
while True:
    data = chance.randbytes(chance.randrange(1, 4000)) + b"\\n"
    try:
        spool.put(Envelope("a", at, at + len(data), {}), data, 1)
        spool.sync()
    except SpoolFullError as error:
        print(json.dumps(["full", at]), flush=True)
        continue
    at += len(data)
    print(json.dumps(["kept", at]), flush=True)
    if at > 200_000 and limit:
        break
"""


def expected(size: int) -> bytes:
    chance, data = random.Random(1), b""
    while len(data) < size:
        data += chance.randbytes(chance.randrange(1, 4000)) + b"\n"
    return data[:size]


def test_what_was_kept_outlives_kill_9(tmp_path: Path) -> None:
    for round_ in range(4):
        directory = tmp_path / str(round_)
        directory.mkdir()
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(directory), "0"], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        kept = 0
        for _ in range(20 + 17 * round_):
            kept = json.loads(child.stdout.readline())[1]
        child.kill()
        kept = max([kept, *(json.loads(row)[1] for row in child.stdout.read().splitlines() if row.endswith("]"))])
        child.wait(60)
        child.stdout.close()
        with opened(directory) as spool:
            found = content(spool, "a")
            assert len(found) >= kept
            assert found == expected(len(found))
            assert read_losses(directory / FOLDER) == []


def test_a_file_that_may_not_grow_goes_on_in_the_next(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), "30000"], capture_output=True, text=True, check=True, timeout=60
    )
    said = [json.loads(row) for row in done.stdout.splitlines()]
    assert sum(what == "full" for what, _ in said) >= 3
    with opened(tmp_path) as spool:
        ((start, end),) = spool.ranges("a")
        assert (start, end) == (0, max(at for _, at in said))


class SpoolMachine(RuleBasedStateMachine):
    """Any order of putting, releasing, reopening and new keys: what was not released is there."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.directory = Path(self.folder.name)
        self.model: dict[str, tuple[int, bytes]] = {}
        self.clock, self.settings = HandClock(), SpoolSettings()
        self.reopen()

    def teardown(self) -> None:
        self.spool.close()
        self.folder.cleanup()

    @rule()
    def reopen(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
        self.spool = Spool(self.directory, self.settings, KeyRing(self.settings, self.directory, {}), self.clock)

    @rule(account=st.sampled_from("abc"), data=st.binary(min_size=1, max_size=300))
    def put(self, account: str, data: bytes) -> None:
        start, held = self.model.get(account, (0, b""))
        put(self.spool, account, start + len(held), data)
        self.model[account] = start, held + data

    @rule(account=st.sampled_from("abc"), share=st.floats(0, 1))
    def release(self, account: str, share: float) -> None:
        start, held = self.model.get(account, (0, b""))
        released = int(len(held) * share)
        self.spool.release(account, start + released)
        self.model[account] = start + released, held[released:]

    @rule()
    def rotate(self) -> None:
        KeyRing(self.settings, self.directory, {}).rotate()

    @rule()
    def tend(self) -> None:
        self.spool.tend()

    @invariant()
    def all_is_there(self) -> None:
        for account, (start, held) in self.model.items():
            assert content(self.spool, account, start) == held


SpoolMachine.TestCase.settings = hypothesis_settings(max_examples=25, stateful_step_count=25, deadline=None)
TestSpoolMachine = SpoolMachine.TestCase
