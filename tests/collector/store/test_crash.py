"""A writer that is killed at any moment loses at most the scrape in flight; a damaged file is set aside."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.series import Matcher, Sample, Scrape, SeriesKey
from collector.store import Store, StoreDamagedError, StoreReader, StoreSettings
from collector.store.tools.check import check
from forewarn.base.errors import StoreError
from tests.support.set_clock import SetClock
from tests.support.store_writer import BASE_MS, EVERY_MS, HISTORY, KEYS, SETTINGS, TOGETHER

KILLS = (1, 40, 2, 25, 1, 60, 3, 10, 5, 30)
"""After so many acknowledged scrapes the writer is killed, one after the other."""
FAR = 10**11


@pytest.mark.slow
def test_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    seen = {"scrape": 0, "history": 0, "histories": 0}
    for round_number, scrapes in enumerate(KILLS):
        seen |= _write_and_kill(path, seen["scrape"] + 1, scrapes, random.uniform(0.0, 0.02))
        stored = _check(path, seen)
        assert stored - seen["scrape"] in (0, 1), round_number
        seen["scrape"] = stored
    assert seen["scrape"] > 100
    store = Store.open(path, SETTINGS, SetClock(BASE_MS + seen["scrape"] * EVERY_MS + 2 * 86_400_000))
    assert store.set_aside is None
    while store.compact():
        pass
    assert store.stats().pending_rows == 0
    store.close()
    assert check(path).problems == []
    assert _spans(path) == {1, 4}
    assert _check(path, seen) == seen["scrape"]


def _write_and_kill(path: Path, start: int, scrapes: int, seconds: float) -> dict[str, int]:
    """Run the writer; what it told of before it was killed, which is so many seconds after so many scrapes."""
    command = [sys.executable, "-m", "tests.support.store_writer", str(path), str(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open None\n"
        lines = []
        while sum(line.startswith("scrape") for line in lines) < scrapes:
            lines.append(writer.stdout.readline())
        time.sleep(seconds)
        writer.send_signal(signal.SIGKILL)
        told = [line.split() for line in ("".join(lines) + writer.stdout.read()).split("\n")[:-1]]
    assert writer.returncode == -signal.SIGKILL
    return {kind: int(number) for kind, number in told}


def _check(path: Path, seen: dict[str, int]) -> int:
    """Every scrape from the second on is there, whole; returns the newest one's number."""
    reader = StoreReader(path)
    ids = {series.key: series.id for series in reader.series()}
    newest = set()
    for key in KEYS:
        times, values = reader.samples(ids[key], BASE_MS, BASE_MS + FAR)
        numbers = (times - BASE_MS) // EVERY_MS
        assert numbers.tolist() == values.tolist()
        newest.add(int(numbers[-1]))
        missing = set(range(2, seen["scrape"] + 1)) - set(numbers.tolist())
        # The writer begins again one after the newest, so that the place of a scrape in flight stays empty.
        assert len(missing) <= len(KILLS)
        rollup = reader.rollup(ids[key], BASE_MS, BASE_MS + FAR, 3_600_000)
        assert int(rollup.count.sum()) == len(times)
        assert float(rollup.sum.sum()) == float(values.sum())
    assert len(newest) == 1
    if seen["history"]:
        times, _ = reader.samples(ids[HISTORY], BASE_MS, BASE_MS + FAR)
        assert times[-1] >= BASE_MS + (seen["history"] - 1) * EVERY_MS
    together = [reader.samples(ids[key], BASE_MS, BASE_MS + FAR) for key in TOGETHER if key in ids]
    if seen["histories"]:
        assert len(together) == len(TOGETHER)
        assert together[0][0][-1] >= BASE_MS + (seen["histories"] - 1) * EVERY_MS
    for times, values in together:  # all of them, or none
        assert times.tolist() == together[0][0].tolist()
        assert values.tolist() == together[0][1].tolist()
    reader.close()
    return newest.pop()


def _spans(path: Path) -> set[int]:
    connection = sqlite3.connect(path)
    spans = {span for (span,) in connection.execute("SELECT DISTINCT span FROM chunks")}
    connection.close()
    return spans


def _filled(path: Path) -> None:
    clock = SetClock()
    store = Store.open(path, StoreSettings(), clock)
    for _ in range(200):
        clock.pass_time(5)
        store.append(Scrape(clock.now_ms(), [Sample(SeriesKey.of("m", n=str(n)), 1.5) for n in range(50)]))
    while store.compact():
        pass
    store.close()


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _garbage(data: bytes) -> bytes:
    return random.Random(1).randbytes(len(data))


def _garbage_inside(data: bytes) -> bytes:
    return data[:4096] + random.Random(1).randbytes(len(data) - 8192) + data[-4096:]


@pytest.mark.parametrize("damage", [_half, _garbage, _garbage_inside, lambda _: b"no database\n"])
def test_damaged_file_is_set_aside(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "metrics.db"
    _filled(path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    store = Store.open(path, StoreSettings(), SetClock())
    assert store.set_aside is not None
    assert store.set_aside.name.startswith("metrics.db.damaged-2027")
    assert store.set_aside.read_bytes()[100:1000] == damaged[100:1000]
    store.append(Scrape(1_800_000_000_000, [Sample(SeriesKey("m"), 1.0)]))
    assert [one.value for one in store.latest(max_age_ms=1000, now_ms=1_800_000_000_000)] == [1.0]
    store.close()


def test_damage_met_while_running_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    _filled(path)
    clock = SetClock()
    store = Store.open(path, StoreSettings(), clock)
    reader = StoreReader(path)
    assert len(reader.series()) == 50
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    scrape = Scrape(clock.now_ms(), [Sample(SeriesKey("new"), 1.0)])
    store._connection.execute("PRAGMA shrink_memory")  # what lies in SQLite's own cache is not read again
    with pytest.raises(StoreDamagedError):
        store.append(scrape)
    assert store.set_aside is not None
    store.append(scrape)
    assert [series.key.name for series in reader.series()] == ["new"]
    store.close()
    reader.close()


def test_newer_schema_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    _filled(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_versions SET version = 99")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="version 99") as caught:
        Store.open(path, StoreSettings(), SetClock())
    assert "newer Forewarn" in (caught.value.hint or "")
    assert [file.name for file in tmp_path.iterdir() if "damaged" in file.name] == []
    assert len(StoreReader(path).series(Matcher("__name__", "=", "m"))) == 50


def test_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    _filled(path)
    assert path.stat().st_mode & 0o777 == 0o600
