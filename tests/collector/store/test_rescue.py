"""What a damaged file still holds is carried into the store that took its place."""

import random
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from collector.series import Sample, Scrape, SeriesKey
from collector.store import History, Store, StoreSettings
from collector.store.tools.rescue import rescue
from forewarn.base.errors import StoreError
from tests.support.set_clock import SetClock

HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_800_000_000_000 // DAY * DAY
KEYS = {SeriesKey.of("m", n=str(number)): False for number in range(30)} | {SeriesKey("c_total"): True}
TIMES = np.arange(NOW - 3 * DAY, NOW, 60_000)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Three days, of which the first two are there as roll-ups only, and some scrapes."""
    path = tmp_path / "old" / "metrics.db"
    path.parent.mkdir()
    clock = SetClock(NOW)
    kept = StoreSettings(raw_retention="2d", five_minute_retention="10d", hourly_retention="30d")
    store = Store.open(path, kept, clock)
    noise = np.random.default_rng(2)
    store.append_histories(
        [History(key, TIMES, np.cumsum(noise.integers(0, 9, len(TIMES))) * 1.0, c) for key, c in KEYS.items()]
    )
    clock.pass_time(86_400 + 3600)
    while store.compact():
        pass
    for second in range(20):
        store.append(
            Scrape(clock.now_ms() + second, [Sample(key, float(second), counter) for key, counter in KEYS.items()])
        )
    store.close()
    return path


def opened(path: Path) -> Store:
    return Store.open(path, StoreSettings(), SetClock(NOW + DAY + 2 * HOUR))


def columns(store: Store, step: int) -> dict[SeriesKey, list[np.ndarray]]:
    table = store.select(start_ms=NOW - 4 * DAY, end_ms=NOW + 2 * DAY, step_ms=step)
    return {one.key: [table[name][line] for name in table.columns] for line, one in enumerate(table.series)}


def test_a_sound_file_is_carried_over_whole_and_twice_is_once(old: Path, tmp_path: Path) -> None:
    before, store = opened(old), opened(tmp_path / "metrics.db")
    done = rescue(old, store)
    assert (done.series, done.unreadable) == (len(KEYS), 0)
    assert done.samples > 0
    assert done.windows > 0
    for step in (60_000, 300_000, HOUR, DAY):
        for key, expected in columns(before, step).items():
            for one, other in zip(columns(store, step)[key], expected, strict=True):
                np.testing.assert_array_equal(one, other)
        if step == 60_000:
            again = rescue(old, store)
            assert (again.samples, again.windows) == (0, 0)
    before.close()
    store.close()


def test_what_the_store_has_already_stays(old: Path, tmp_path: Path) -> None:
    store = opened(tmp_path / "metrics.db")
    key = next(iter(KEYS))
    store.append_history(key, np.array([NOW - 3 * DAY + 5]), np.array([7.0]))
    rescue(old, store)
    [series] = [one for one in store.series() if one.key == key]
    first = store.rollup(series.id, NOW - 3 * DAY, NOW - 3 * DAY + HOUR, HOUR)
    assert (first.count.tolist(), first.sum.tolist()) == ([1], [7.0])
    store.close()


@pytest.mark.parametrize("damage", range(5))
def test_damage_costs_what_it_hits(old: Path, tmp_path: Path, damage: int) -> None:
    sound = opened(old)
    truth = {one.key: dict(zip(*samples(sound, one.id), strict=True)) for one in sound.series()}
    sound.close()
    chance = random.Random(damage)
    content = bytearray(old.read_bytes())
    for _ in range(damage):
        start = chance.randrange(8, len(content) // 4096 - 1) * 4096
        content[start : start + 4096] = chance.randbytes(4096)
    old.write_bytes(content)
    store = opened(tmp_path / "metrics.db")
    done = rescue(old, store)
    assert damage or not done.unreadable
    carried = 0
    for one in store.series():
        for time, value in zip(*samples(store, one.id), strict=True):
            assert truth[one.key][time] == value
            carried += 1
    assert 0 < carried <= sum(map(len, truth.values()))
    assert damage or carried == sum(map(len, truth.values()))
    store.close()


def test_pages_between_two_that_are_broken_are_carried_too(old: Path, tmp_path: Path) -> None:
    sound = opened(old)
    whole = sum(len(samples(sound, one.id)[0]) for one in sound.series())
    sound.close()
    connection = sqlite3.connect(old)
    query = "SELECT pageno FROM dbstat WHERE name = 'chunks' AND pagetype = 'leaf' ORDER BY path"
    leaves = [page for (page,) in connection.execute(query)]
    connection.close()
    assert len(leaves) == 6
    content = bytearray(old.read_bytes())
    for page in (leaves[1], leaves[-2]):
        content[(page - 1) * 4096 : page * 4096] = random.Random(page).randbytes(4096)
    old.write_bytes(content)
    store, told = opened(tmp_path / "metrics.db"), []
    done = rescue(old, store, lambda part, whole: told.append((part, whole)))
    assert done.unreadable
    assert whole / 2 < done.samples < whole * 5 / 6
    assert told == sorted(told)
    assert 0.5 < told[-1][0] / told[-1][1] <= 1
    store.close()


def samples(store: Store, series: int) -> tuple[list[int], list[float]]:
    times, values = store.samples(series, 0, 2**60)
    return times.tolist(), values.tolist()


def test_a_file_that_is_nothing_says_so(tmp_path: Path) -> None:
    path = tmp_path / "nothing.db"
    path.write_bytes(b"no database at all" * 300)
    store = opened(tmp_path / "metrics.db")
    with pytest.raises(StoreError):
        rescue(path, store)
    store.close()
