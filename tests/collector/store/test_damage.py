"""Flipped bits, cut files and lost logs: the store opens, and answers with what is left."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from collector.series import Matcher, Sample, Scrape, SeriesKey
from collector.store import History, IntegrityCheck, Store, StoreReader, StoreSettings
from collector.store.schema import WINDOW_MS
from forewarn.base.errors import StoreError
from tests.support.set_clock import SetClock

HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_800_000_000_000 // DAY * DAY
KEYS = [SeriesKey.of("m", n=str(number)) for number in range(4)]
TIMES = np.arange(NOW - 2 * WINDOW_MS, NOW, 10_000)


def filled(path: Path) -> None:
    """Twelve hours of four series in chunks."""
    store = Store.open(path, StoreSettings(), SetClock(NOW))
    noise = np.random.default_rng(1)
    store.append_histories([History(key, TIMES, noise.random(len(TIMES))) for key in KEYS])
    store.close()


def flip(path: Path, table: str, column: str, where: str) -> None:
    """Change one bit in the middle of one entry, as a disk would: behind SQLite's back."""
    connection = sqlite3.connect(path)
    (data,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
    connection.close()
    content = bytearray(path.read_bytes())
    place = content.find(data[-600:][:64])
    assert content.count(data[-600:][:64]) == 1
    content[place] ^= 4
    path.write_bytes(content)


def test_a_damaged_chunk_is_left_out_and_its_rollups_answer(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    filled(path)
    reader = StoreReader(path)
    ask = {"start_ms": int(TIMES[0]), "end_ms": NOW, "step_ms": HOUR}
    whole = reader.select(**ask)
    reader.close()
    flip(path, "chunks", "cells", "series = 2 AND window = (SELECT min(window) FROM chunks)")
    store = Store.open(path, StoreSettings(), SetClock(NOW))
    assert store.set_aside is None
    assert [len(store.samples(series, 0, NOW)[0]) for series in (1, 2, 3, 4)] == [
        len(TIMES) // part for part in (1, 2, 1, 1)
    ]
    np.testing.assert_array_equal(store.select(**ask)["mean"], whole["mean"])
    seconds = store.select(**{**ask, "step_ms": 10_000})["count"].sum(axis=1)
    assert seconds.tolist() == [len(TIMES)] * 4
    store.append(Scrape(NOW, [Sample(key, 1.0) for key in KEYS]))
    assert store.append_history(KEYS[1], TIMES[:1] + 1, np.ones(1)) == 0
    assert store.append_history(KEYS[1], TIMES[-1:] + 1, np.ones(1)) == 1
    store.close()


def test_a_damaged_chunk_whose_window_goes_on_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    clock = SetClock(NOW + HOUR)
    store = Store.open(path, StoreSettings(), clock)
    times = np.arange(NOW, NOW + HOUR, 1000)
    store.append_history(KEYS[0], times, np.random.default_rng(0).random(len(times)))
    store.close()
    flip(path, "chunks", "cells", "series = 1")
    store = Store.open(path, StoreSettings(), clock)
    store.append(Scrape(NOW + HOUR, [Sample(KEYS[0], 1.0)]))
    clock.pass_time(3600)
    while store.compact():
        pass
    assert store.samples(1, 0, NOW + DAY)[0].tolist() == [NOW + HOUR]
    assert store.stats().late_samples == 0
    store.close()


def test_damaged_time_stamps_and_rollups_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    filled(path)
    flip(
        path, "rollups", "cells", "series = 3 AND tier = 0 AND block = (SELECT min(block) FROM rollups WHERE tier = 0)"
    )
    store = Store.open(path, StoreSettings(), SetClock(NOW))
    days = [store.rollup(series, int(TIMES[0]), NOW, 300_000) for series in (2, 3)]
    assert len(days[0]) == 144
    assert len(days[1]) < 144
    assert days[1].count.sum() == len(TIMES)
    store.close()


def test_the_background_check_finds_and_counts_it(tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    filled(path)
    for damage in (0, 1):
        check = IntegrityCheck(path, delay=0.0, pause=0.0)
        assert check.wait(120)
        assert check.damaged == damage
        assert check.entries == 2 + 8 + 8
        flip(path, "chunks", "cells", "series = 4 AND window = (SELECT max(window) FROM chunks)")
    ended = IntegrityCheck(path, delay=60.0)
    ended.close()
    assert ended.wait(0)
    assert ended.entries == 0


@pytest.mark.parametrize("damage", range(24))
def test_a_cut_or_flipped_file_opens(tmp_path: Path, damage: int) -> None:
    """Whatever is cut off or flipped, the store opens and takes samples; what it answers is what was written."""
    path = tmp_path / "metrics.db"
    filled(path)
    truth = {key: reader_samples(path, key) for key in KEYS}
    chance = random.Random(damage)
    content = bytearray(path.read_bytes())
    if damage % 3 == 0:
        content = content[: chance.randrange(1, len(content))]
    else:
        for _ in range(1 if damage % 3 == 1 else 40):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    store = Store.open(path, StoreSettings(), SetClock(NOW))
    new = SeriesKey("new")
    scrape = Scrape(NOW, [Sample(new, 1.0)])
    for attempt in range(2):
        try:
            store.append(scrape)
            break
        except StoreError:  # damage that is met while writing: set aside, and the next scrape is kept
            assert attempt == 0
            assert store.set_aside is not None
    assert [one.value for one in store.latest(Matcher("__name__", "=", "new"), max_age_ms=1, now_ms=NOW)] == [1.0]
    assert (store.set_aside is not None) or path.stat().st_size >= len(content)
    for series in store.series():
        if series.key in truth:
            for time, value in zip(*(column.tolist() for column in store.samples(series.id, 0, 2**60)), strict=True):
                assert truth[series.key][time] == value
    store.close()


def reader_samples(path: Path, key: SeriesKey) -> dict[int, float]:
    reader = StoreReader(path)
    [series] = [one for one in reader.series() if one.key == key]
    times, values = reader.samples(series.id, 0, 2**60)
    reader.close()
    return dict(zip(times.tolist(), values.tolist(), strict=True))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lose(path: Path) -> None:
    path.unlink()


def scribble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [cut, lose, scribble])
def test_a_write_ahead_log_that_is_harmed_costs_its_end_only(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path, copy = tmp_path / "metrics.db", tmp_path / "copy.db"
    filled(path)
    store = Store.open(path, StoreSettings(), SetClock(NOW))
    for second in range(200):
        store.append(Scrape(NOW + second * 1000, [Sample(key, float(second)) for key in KEYS]))
    for suffix in ("", "-wal"):  # as a power cut leaves them: nobody has closed the file
        copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    store.close()
    harm(copy.with_name(copy.name + "-wal"))
    again = Store.open(copy, StoreSettings(), SetClock(NOW + 200_000))
    assert again.set_aside is None
    for series in again.series():
        times, values = again.samples(series.id, 0, 2**60)
        assert np.array_equal(times[: len(TIMES)], TIMES)
        assert values[len(TIMES) :].tolist() == [float(second) for second in range(len(times) - len(TIMES))]
    again.append(Scrape(NOW + 201_000, [Sample(KEYS[0], 1.0)]))
    again.close()
