"""Damage is found and named, a sound store is sound, and the bytes of a survey are those of the file."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from collector.series import Sample, Scrape, SeriesKey
from collector.store import Store, StoreReader, StoreSettings
from collector.store.tools.check import check
from collector.store.tools.survey import survey
from forewarn.base.clock import DAY, HOUR
from forewarn.base.errors import StoreError
from tests.support.filled_store import BUCKETS, COUNTERS, GAUGES, ODD, fill
from tests.support.set_clock import SetClock

END = 1_800_000_000_000


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("store") / "metrics.db", END)


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    target = tmp_path / "metrics.db"
    target.write_bytes(sound.read_bytes())
    return target


def spoil(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement
    connection.close()


def samples(path: Path) -> int:
    reader = StoreReader(path)
    found = sum(len(reader.samples(series.id, 0, 2**60)[0]) for series in reader.series())
    reader.close()
    return found


def test_a_sound_store_is_sound(sound: Path) -> None:
    steps: list[tuple[int, int]] = []
    report = check(sound, lambda done, total: steps.append((done, total)))
    assert report.problems == []
    series = len(GAUGES) + len(COUNTERS) + len(BUCKETS) + len(ODD)
    assert report.series == series
    assert report.samples == samples(sound)
    assert report.chunks > series
    assert steps[0] == (0, series)
    assert steps[-1] == (series, series)


CHUNK = "id = (SELECT min(id) FROM chunks)"
AXIS = "id = (SELECT min(id) FROM axes)"
OTHER = "not those that were written"
ANOTHERS = "(SELECT cells FROM rollups AS o WHERE o.tier = 0 AND o.series = 2 LIMIT 1)"


@pytest.mark.parametrize(
    ("statement", "where", "what"),
    [
        (f"UPDATE chunks SET cells = substr(cells, 1, 20) WHERE {CHUNK}", "window", OTHER),
        (f"UPDATE chunks SET cells = substr(cells, 1, 20), crc = NULL WHERE {CHUNK}", "window", "cannot be decoded"),
        (f"UPDATE chunks SET cells = x'', crc = NULL WHERE {CHUNK}", "window", "cannot be decoded"),
        (f"UPDATE chunks SET cells = zeroblob(300), crc = NULL WHERE {CHUNK}", "window", "cannot be decoded"),
        (f"UPDATE chunks SET last_ms = last_ms + 1 WHERE {CHUNK}", "window", "newest sample is not the one"),
        ("UPDATE chunks SET span = 1 WHERE span > 1", "window", "outside of its window"),
        ("UPDATE chunks SET span = span + 4 WHERE series = 1", "window", "overlaps the one before"),
        (f"DELETE FROM axes WHERE id = (SELECT axis FROM chunks WHERE {CHUNK})", "chunks", "without their time stamps"),
        (f"UPDATE axes SET times = substr(times, 1, 5) WHERE {AXIS}", "axis", OTHER),
        (f"UPDATE axes SET times = substr(times, 1, 5), crc = NULL WHERE {AXIS}", "axis", "cannot be decoded"),
        (f"UPDATE axes SET digest = zeroblob(16) WHERE {AXIS}", "axis", OTHER),
        ("DELETE FROM series WHERE id = 2", "chunks", "of a series that does not exist"),
        ("UPDATE rollups SET cells = substr(cells, 1, 30) WHERE id = 2", "block", OTHER),
        ("UPDATE rollups SET cells = substr(cells, 1, 30), crc = NULL WHERE id = 2", "block", "cannot be decoded"),
        (f"UPDATE rollups SET crc = NULL, cells = {ANOTHERS} WHERE tier = 0 AND series = 1", "forewarn", "agree"),
        ("UPDATE scrapes SET cells = substr(cells, 9)", "scrape", "bytes for"),
        ("UPDATE scrapes SET cells = CAST(x'000000000000f87f' || substr(cells, 9) AS BLOB)", "scrape", "no number"),
        ("DELETE FROM layouts", "scrapes", "without their layout"),
        ("UPDATE layouts SET series = CAST(x'ff00000000000000' || substr(series, 9) AS BLOB)", "layout", "not exist"),
    ],
)
def test_damage_is_found_and_named(copy: Path, statement: str, where: str, what: str) -> None:
    spoil(copy, statement)
    found = [problem for problem in check(copy).problems if where in problem.where and what in problem.what]
    assert found, check(copy).problems


def test_a_chunk_of_other_values_does_not_agree_with_its_rollups(copy: Path) -> None:
    spoil(
        copy,
        "UPDATE chunks AS one SET crc = NULL, cells ="
        " (SELECT cells FROM chunks AS o WHERE o.series = 2 AND o.window = one.window) WHERE one.series = 1",
    )
    wrong = [problem.what for problem in check(copy).problems]
    assert any("roll-ups of 5 minutes do not agree" in what for what in wrong)
    assert any("roll-ups of 60 minutes do not agree" in what for what in wrong)


def test_pages_that_were_overwritten_are_found_and_the_rest_is_read(copy: Path) -> None:
    data = bytearray(copy.read_bytes())
    dice = np.random.default_rng(5)
    for page in dice.choice(np.arange(20, len(data) // 4096), 4, replace=False).tolist():
        data[page * 4096 : (page + 1) * 4096] = dice.bytes(4096)
    copy.write_bytes(data)
    report = check(copy)
    assert report.problems
    with pytest.raises(StoreError):
        check(copy.with_name("missing.db"))


def test_it_is_sound_while_a_daemon_writes(tmp_path: Path) -> None:
    clock = SetClock(END, tick=0.002)
    store = Store.open(tmp_path / "metrics.db", StoreSettings(row_age=30), clock)
    for number in range(400):
        clock.pass_time(5)
        store.append(Scrape(clock.now_ms(), [Sample(key, float(number)) for key in GAUGES]))
        store.compact()
        if number % 40 == 0:
            assert check(store.path).problems == []
    store.close()


def test_a_survey_counts_every_byte_and_sample(sound: Path) -> None:
    found = survey(sound, StoreSettings(), END)
    assert found.file_bytes == sound.stat().st_size
    assert sum(tier.bytes for tier in found.tiers) + found.other_bytes + found.free_bytes == found.file_bytes
    assert found.samples == samples(sound)
    forms = {tier.name: tier for tier in found.tiers}
    assert forms["scrapes"].entries == 5
    assert forms["hourly"].oldest_ms is not None
    assert END - 31 * HOUR < forms["hourly"].oldest_ms <= END - 29 * HOUR
    assert forms["chunks"].newest_ms == END - 5 * 60_000
    names = {one.name: one for one in found.names}
    assert names["forewarn_gpu_power_watts"].series == len(GAUGES)
    assert found.names[0].name == "forewarn_gpu_power_watts"
    assert sum(one.bytes for one in found.names) == sum(t.bytes for t in found.tiers) - forms["axes"].bytes
    assert found.bytes_per_sample is not None
    assert 1 < found.bytes_per_sample < 8
    assert found.full_at_ms is None


def test_it_foresees_when_the_size_limit_is_reached(sound: Path) -> None:
    used = survey(sound, StoreSettings(), END)
    chunks = next(tier for tier in used.tiers if tier.name == "chunks")
    room = int(used.file_bytes - used.free_bytes + 2 * chunks.bytes / 1.25)
    limit = StoreSettings.model_construct(**{**StoreSettings().model_dump(), "max_size": int(room / 0.9)})
    full_at = survey(sound, limit, END).full_at_ms
    assert full_at is not None
    assert END + DAY <= full_at <= END + 3 * DAY
    nearly = StoreSettings.model_construct(**{**StoreSettings().model_dump(), "max_size": used.file_bytes})
    assert survey(sound, nearly, END).full_at_ms == END


def test_an_empty_store_has_a_survey_and_is_sound(tmp_path: Path) -> None:
    Store.open(tmp_path / "metrics.db", StoreSettings(), SetClock()).close()
    found = survey(tmp_path / "metrics.db", StoreSettings(), END)
    assert (found.series, found.samples, found.bytes_per_sample, found.full_at_ms) == (0, 0, None, None)
    assert check(tmp_path / "metrics.db").problems == []
    assert SeriesKey("m") not in {one.name for one in found.names}
