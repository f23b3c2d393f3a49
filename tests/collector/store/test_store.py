"""Limits, retention, full disks, and the plain life of the store."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from collector.series import Matcher, Sample, Scrape, SeriesKey
from collector.store import Store, StoreFullError, StoreReader, StoreSettings
from forewarn.base.errors import StoreError
from tests.support.set_clock import SetClock

HOUR, DAY = 3_600_000, 86_400_000
KEY = SeriesKey("m")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.db"


def compact(store: Store) -> int:
    slices = 1
    while store.compact():
        slices += 1
    return slices


def fill(store: Store, clock: SetClock, scrapes: int, series: int = 20, step: float = 5) -> None:
    noise = np.random.default_rng(scrapes)
    keys = [SeriesKey.of("m", n=str(number)) for number in range(series)]
    for _ in range(scrapes):
        clock.pass_time(step)
        values = noise.random(series).tolist()
        store.append(Scrape(clock.now_ms(), [Sample(key, value) for key, value in zip(keys, values, strict=True)]))


def count(store: Store | StoreReader, key: SeriesKey) -> int:
    (series,) = [series for series in store.series() if series.key == key]
    return len(store.samples(series.id, 0, 2**60)[0])


def table_rows(path: Path, table: str) -> int:
    reader = StoreReader(path)
    with reader._reading() as connection:
        (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    reader.close()
    return int(found)


def test_too_many_series_are_refused_counted_and_named(path: Path, clock: SetClock) -> None:
    store = Store.open(path, StoreSettings(max_series=3), clock)
    samples = [Sample(SeriesKey.of("m", n=str(number)), 1.0) for number in range(5)]
    store.append(Scrape(clock.now_ms(), samples))
    store.append(Scrape(clock.now_ms() + 1, samples))
    assert store.append_history(SeriesKey("other"), np.array([clock.now_ms()]), np.array([1.0])) == 0
    stats = store.stats()
    assert (stats.series, stats.refused_series, stats.refused_samples) == (3, 3, 5)
    assert stats.refused_names == ('m{n="3"}', 'm{n="4"}', "other")
    assert len(store.latest(max_age_ms=1000, now_ms=clock.now_ms())) == 3
    store.close()


def test_values_that_are_no_numbers_are_left_out(path: Path, clock: SetClock) -> None:
    store = Store.open(path, StoreSettings(), clock)
    values = {"a": 1.0, "b": float("nan"), "c": float("inf")}
    store.append(Scrape(clock.now_ms(), [Sample(SeriesKey(name), value) for name, value in values.items()]))
    store.append(Scrape(clock.now_ms(), []))
    assert [series.key.name for series in store.series()] == ["a"]
    assert store.stats().not_finite_samples == 2
    store.close()


def test_labels_of_any_text_come_back(path: Path, clock: SetClock) -> None:
    store = Store.open(path, StoreSettings(), clock)
    keys = [SeriesKey.of("m", a=text) for text in ('"', "\\", "\n", "é{}", "a=b,c")]
    undecodable = SeriesKey.of("m", a="\udcff")
    store.append(Scrape(clock.now_ms(), [Sample(key, 1.0) for key in (*keys, undecodable)]))
    assert sorted(series.key for series in store.series()) == sorted(keys)
    assert store.stats().refused_series == 1
    store.close()


def test_latest_follows_a_clock_that_is_set_back(path: Path, clock: SetClock) -> None:
    store = Store.open(path, StoreSettings(), clock)
    store.append(Scrape(clock.now_ms(), [Sample(KEY, 1.0)]))
    clock.pass_time(-3600)
    store.append(Scrape(clock.now_ms(), [Sample(KEY, 2.0)]))
    name = Matcher("__name__", "=", "m")
    assert [one.value for one in store.latest(name, max_age_ms=60_000, now_ms=clock.now_ms())] == [2.0]
    assert store.latest(name, max_age_ms=60_000, now_ms=clock.now_ms() + 60_001) == []
    store.close()
    store = Store.open(path, StoreSettings(), clock)
    assert [one.value for one in store.latest(name, max_age_ms=60_000, now_ms=clock.now_ms())] == [2.0]
    store.close()


def test_raw_samples_go_and_rollups_stay_exact(path: Path, clock: SetClock) -> None:
    store = Store.open(
        path, StoreSettings(raw_retention="1d", five_minute_retention="3d", hourly_retention="9d"), clock
    )
    start = clock.now_ms()
    fill(store, clock, scrapes=120, step=60)
    compact(store)
    key = SeriesKey.of("m", n="7")
    (series,) = [one for one in store.series() if one.key == key]
    ask = (series.id, start, start + 3 * HOUR)
    hourly, fine = store.rollup(*ask, HOUR), store.rollup(*ask, 300_000)
    assert int(hourly.count.sum()) == int(fine.count.sum()) == 120
    clock.pass_time(26 * 3600)
    compact(store)
    assert len(store.samples(*ask)[0]) == 0
    assert table_rows(path, "axes") == table_rows(path, "chunks") == 0
    np.testing.assert_array_equal(store.rollup(*ask, HOUR).sum, hourly.sum)
    np.testing.assert_array_equal(store.rollup(*ask, 300_000).max, fine.max)
    # What was settled cannot be changed any more, what was empty can be filled.
    assert store.append_history(key, np.array([start + 61_000]), np.array([5.0])) == 0
    assert store.append_history(key, np.array([start - DAY]), np.array([5.0])) == 1
    assert store.append_history(key, np.array([start - 30 * DAY]), np.array([5.0])) == 0
    assert store.stats().late_samples == 2
    np.testing.assert_array_equal(store.rollup(*ask, HOUR).sum, hourly.sum)
    clock.pass_time(4 * 86400)
    compact(store)
    coarser = store.rollup(*ask, 300_000)
    assert coarser.times.tolist() == hourly.times.tolist()
    np.testing.assert_array_equal(coarser.sum, hourly.sum)
    np.testing.assert_array_equal(store.rollup(*ask, HOUR).sum, hourly.sum)
    clock.pass_time(60 * 86400)
    compact(store)
    assert store.series() == []
    assert store.stats().series == 0
    store.append(Scrape(clock.now_ms(), [Sample(key, 1.0)]))
    assert count(store, key) == 1
    store.close()


def test_a_counter_grows_over_windows_and_resets(path: Path, clock: SetClock) -> None:
    store = Store.open(
        path, StoreSettings(raw_retention="1h", hourly_retention="9d", five_minute_retention="9d"), clock
    )
    start = clock.now_ms() // HOUR * HOUR
    times = np.array([0, 10, 70, 80, 130]) * 60_000 + start
    store.append_history(KEY, times, np.array([100.0, 110.0, 5.0, 9.0, 10.0]), counter=True)
    (series,) = store.series()
    for _ in range(2):
        rollup = store.rollup(series.id, start, start + 3 * HOUR, HOUR)
        assert rollup.increase.tolist() == [10.0, 9.0, 1.0]
        assert store.rollup(series.id, start + HOUR, start + 3 * HOUR, 2 * HOUR).increase.tolist() == [19.0, 1.0]
        assert np.isnan(rollup.mean).all()
        clock.pass_time(2 * 86400)
        compact(store)
        assert len(store.samples(series.id, start, start + DAY)[0]) == 0
    store.close()


def test_the_size_limit_holds_and_space_goes_back(path: Path, clock: SetClock) -> None:
    limit = 16 * 2**20
    store = Store.open(path, StoreSettings(max_size=limit), clock)
    noise = np.random.default_rng(0)
    most = 0
    for number in range(140):
        times = clock.now_ms() - np.arange(20_000) * 1000
        store.append_history(SeriesKey.of("m", n=str(number)), times, noise.random(20_000))
        clock.pass_time(900)
        compact(store)
        most = max(most, store.stats().used_bytes)
    assert limit * 0.7 < most <= limit
    assert path.stat().st_size <= limit
    assert count(store, SeriesKey.of("m", n="0")) == 0
    assert count(store, SeriesKey.of("m", n="139")) == 20_000
    clock.pass_time(30 * 86400)
    compact(store)
    store.close()
    assert path.stat().st_size < 6 * 2**20


def test_a_full_store_refuses_and_recovers(path: Path, clock: SetClock) -> None:
    store = Store.open(path, StoreSettings(max_size="16MiB"), clock)
    taken = 0

    def load_until_refused() -> None:
        nonlocal taken
        noise = np.random.default_rng(0)
        times = clock.now_ms() - np.arange(20_000) * 1000
        for number in range(300):
            assert store.append_history(SeriesKey.of("m", n=str(number)), times, noise.random(20_000)) == 20_000
            taken += 1

    with pytest.raises(StoreFullError, match="size limit"):
        load_until_refused()
    assert taken > 20
    assert store.stats().series == taken
    assert count(store, SeriesKey.of("m", n=str(taken - 1))) == 20_000
    clock.pass_time(86400)
    compact(store)
    store.append(Scrape(clock.now_ms(), [Sample(KEY, 1.0)]))
    store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of three megabytes."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        mount is None
        or umount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("may not mount a small filesystem: needs root")
    yield folder
    subprocess.run([umount, "--lazy", folder], check=True)


def test_a_full_disk_loses_nothing_that_was_there(small_disk: Path, clock: SetClock) -> None:
    store = Store.open(small_disk / "metrics.db", StoreSettings(), clock)
    key = SeriesKey.of("m", n="0")
    with pytest.raises(StoreFullError, match="No space left"):
        fill(store, clock, scrapes=10_000, series=100)
    refused_ms = clock.now_ms()
    before = count(store, key)
    assert before > 100
    with pytest.raises(StoreFullError):
        fill(store, clock, scrapes=500, series=100)
    subprocess.run(["mount", "-o", "remount,size=12m", small_disk], check=True)
    clock.pass_time(900)
    store.append(Scrape(clock.now_ms(), [Sample(key, 1.0)]))
    compact(store)
    assert count(store, key) >= before + 1
    (series,) = [one for one in store.series() if one.key == key]
    times, _ = store.samples(series.id, 0, 2**60)
    assert refused_ms not in times
    store.close()
    reopened = Store.open(small_disk / "metrics.db", StoreSettings(), clock)
    assert reopened.set_aside is None
    assert count(reopened, key) >= before + 1
    reopened.close()


def test_readers_in_threads_and_processes_see_every_sample(path: Path, clock: SetClock) -> None:
    clock.tick = 0.02
    store = Store.open(path, StoreSettings(row_age=20), clock)
    fill(store, clock, scrapes=1, series=5)
    reader, key = StoreReader(path), SeriesKey.of("m", n="3")
    stop, faults = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            before = written
            found = count(reader, key)
            if found < before:
                faults.append((found, before))

    written = 1
    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(120):
        fill(store, clock, scrapes=1, series=5)
        written += 1
        store.compact()
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert table_rows(path, "chunks") > 0
    code = (
        "import sys; from pathlib import Path; from collector.store import StoreReader\n"
        "r = StoreReader(Path(sys.argv[1])); print(len(r.samples(4, 0, 2**60)[0]), 'pandas' in sys.modules)"
    )
    asked = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    assert asked.stdout.split() == ["121", "False"]
    reader.close()
    with pytest.raises(StoreError, match="closed"):
        reader.series()
    store.close()
    assert count(StoreReader(path), key) == 121


def test_no_file_is_one_clear_error(path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        StoreReader(path).series()


def test_background_work_comes_in_short_slices(path: Path) -> None:
    clock = SetClock(tick=0.001)
    store = Store.open(path, StoreSettings(), clock)
    fill(store, clock, scrapes=150, series=200)
    assert compact(store) >= 200 // 30
    assert store.stats().pending_rows == 0
    assert count(store, SeriesKey.of("m", n="199")) == 150
    store.close()


def test_settings_read_durations_and_refuse_nonsense() -> None:
    assert StoreSettings.model_validate({"raw_retention": "3d"}).raw_retention == 3 * 86400
    with pytest.raises(ValidationError, match="five_minute_retention"):
        StoreSettings.model_validate({"raw_retention": "100d"})
    with pytest.raises(ValidationError, match="retention"):
        StoreSettings.model_validate({"retention": "3d"})


def test_rules_go_on_with_what_a_full_disk_does_not_keep(small_disk: Path, clock: SetClock) -> None:
    store = Store.open(small_disk / "metrics.db", StoreSettings(), clock)
    with pytest.raises(StoreFullError):
        fill(store, clock, scrapes=10_000, series=100)
    writable = SeriesKey("forewarn_store_writable")
    with pytest.raises(StoreFullError):
        store.append(Scrape(clock.now_ms(), [Sample(writable, 0.0)]))
    (found,) = store.latest(Matcher("__name__", "=", writable.name), max_age_ms=1000, now_ms=clock.now_ms())
    assert (found.key, found.value) == (writable, 0.0)
    store.close()


def test_a_clock_that_leaps_ahead_costs_no_history(path: Path, clock: SetClock) -> None:
    store = Store.open(path, StoreSettings(), clock)
    fill(store, clock, scrapes=50, series=2)
    clock.pass_time(900)
    compact(store)
    right_ms = clock.now_ms()
    clock.wall_ms += 4 * 365 * DAY
    fill(store, clock, scrapes=2, series=2)
    clock.pass_time(900)
    compact(store)
    assert count(store, SeriesKey.of("m", n="0")) == 52
    clock.wall_ms = right_ms
    clock.pass_time(3600)
    compact(store)
    assert count(store, SeriesKey.of("m", n="0")) == 52
    store.close()


def test_a_clock_that_is_far_ahead_at_the_start_costs_no_history(path: Path, clock: SetClock) -> None:
    key = SeriesKey.of("m", n="0")
    store = Store.open(path, StoreSettings(), clock)
    fill(store, clock, scrapes=50, series=2)
    clock.pass_time(900)
    compact(store)
    store.close()
    clock.wall_ms += 365 * DAY
    store = Store.open(path, StoreSettings(), clock)
    compact(store)
    assert count(store, key) == 50
    clock.pass_time(20 * 3600)
    compact(store)
    assert count(store, key) == 50
    clock.pass_time(5 * 3600)  # it stays: the node was off for long
    compact(store)
    assert count(store, key) == 0
    store.close()


def test_values_near_the_largest_number_sum_up_to_infinity_without_a_word(path: Path, clock: SetClock) -> None:
    store = Store.open(path, StoreSettings(), clock)
    key, jobs = SeriesKey("huge"), SeriesKey("huge_total")
    start = clock.now_ms() // 7_200_000 * 7_200_000 - 7_200_000
    times = start + np.arange(20) * 60_000
    huge = np.where(np.arange(20) % 4 < 2, 1.7e308, -1.7e308)
    store.append_history(key, times, np.where(np.arange(20) < 10, 1.7e308, huge))
    store.append_history(jobs, times, np.where(np.arange(20) % 2, 1e308, 1.7e308), counter=True)
    for step in (300_000, 420_000, 3_600_000, 7_200_000):
        table = store.select(start_ms=start, end_ms=start + 3_600_000, step_ms=step)
        assert np.nanmax(table["max"]) == 1.7e308
        assert not np.isfinite(table["sum"][0, 0])
        assert not np.isfinite(table["mean"][0, 0])
        assert table["increase"][1, 0] == np.inf
    assert store.samples(store.series()[0].id, start, start + 3_600_000)[1].max() == 1.7e308
    store.close()
