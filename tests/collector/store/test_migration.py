"""A file of the first version: it is copied, migrated, and answers as it did; a newer one is refused."""

import gzip
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from collector.series import SeriesKey
from collector.store import Store, StoreReader, StoreSettings
from collector.store.schema import MIGRATIONS
from forewarn.base.errors import StoreError
from tests.support.set_clock import SetClock

HOUR, DAY = 3_600_000, 86_400_000
BASE = 1_800_000_000_000
GAUGE, JOBS = SeriesKey.of("gauge", gpu="0"), SeriesKey.of("jobs_total", gpu="0")
TIMES = np.arange(BASE - 48 * HOUR, BASE, 60_000)
STEPS = (300_000, 420_000, HOUR, DAY)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Two days of a gauge and a counter in chunks, twenty scrapes in rows, a bookmark, as version 1 wrote them."""
    path = tmp_path / "metrics.db"
    path.write_bytes(gzip.decompress(Path(__file__).with_name("metrics-v1.db.gz").read_bytes()))
    return path


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    (found,) = connection.execute("SELECT version FROM schema_versions WHERE room = 'store'").fetchone()
    connection.close()
    return int(found)


def whole(store: Store) -> dict[SeriesKey, tuple[list[int], list[float]]]:
    answers = {one.key: store.samples(one.id, 0, 2**60) for one in store.series()}
    return {key: (times.tolist(), values.tolist()) for key, (times, values) in answers.items()}


def test_an_older_file_is_copied_and_migrated(old: Path) -> None:
    before = old.read_bytes()
    clock = SetClock(BASE + 200_000)
    store = Store.open(old, StoreSettings(), clock)
    assert store.set_aside is None
    copy = old.with_name("metrics.db.store-v1.bak")
    assert (version(copy), version(old)) == (1, len(MIGRATIONS))
    assert copy.stat().st_mode & 0o777 == 0o600
    assert len(before) == copy.stat().st_size
    assert store.bookmark("csv:history") == "2027-01-15"
    found = whole(store)
    assert set(found) == {GAUGE, JOBS}
    times = [*TIMES.tolist(), *(BASE + 5000 * number for number in range(1, 21))]
    assert found[GAUGE] == (times, [*(np.arange(len(TIMES)) % 100 / 100).tolist(), *map(float, range(20))])
    assert found[JOBS][0] == times
    tables = {step: store.select(start_ms=BASE - 3 * DAY, end_ms=BASE + HOUR, step_ms=step) for step in STEPS}
    clock.pass_time(2 * 86_400)
    while store.compact():
        pass
    assert whole(store) == found
    for step, table in tables.items():
        again = store.select(start_ms=BASE - 3 * DAY, end_ms=BASE + HOUR, step_ms=step)
        for name, column in table.columns.items():
            np.testing.assert_array_equal(again[name], column, f"{name} at {step} ms")
    store.close()
    assert [one.set_aside for one in [Store.open(old, StoreSettings(), clock)]] == [None]


def test_a_migration_that_was_killed_is_done_again(old: Path) -> None:
    connection = sqlite3.connect(old)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"BEGIN; {MIGRATIONS[1]}; ROLLBACK;")
    connection.close()
    old.with_name("metrics.db.store-v1.bak.part").write_bytes(b"half a copy")
    store = Store.open(old, StoreSettings(), SetClock(BASE))
    assert len(whole(store)[GAUGE][0]) == len(TIMES) + 20
    store.close()
    assert version(old) == len(MIGRATIONS)
    assert version(old.with_name("metrics.db.store-v1.bak")) == 1


def test_readers_of_an_older_file_say_what_to_do(old: Path) -> None:
    with pytest.raises(StoreError, match="has version 1 of the store tables") as caught:
        StoreReader(old).series()
    assert caught.value.hint == "start 'forewarn run' once: it migrates the file, after a copy"


def test_days_are_joined_after_the_migration(old: Path) -> None:
    clock = SetClock(BASE + 2 * DAY)
    store = Store.open(old, StoreSettings(), clock)
    before = whole(store)
    while store.compact():
        pass
    reader = StoreReader(old)
    with reader._reading() as connection:
        spans = connection.execute("SELECT span FROM chunks WHERE series = 1 ORDER BY window").fetchall()
    reader.close()
    assert (4,) in spans
    assert whole(store) == before
    store.close()


def test_kills_at_any_moment_of_a_migration_cost_nothing(old: Path) -> None:
    content = old.read_bytes()
    code = (
        "import sys; from pathlib import Path; from collector.store import Store, StoreSettings\n"
        "from forewarn.base.clock import SystemClock\n"
        "print(flush=True); Store.open(Path(sys.argv[1]), StoreSettings(), SystemClock()); print(flush=True)"
    )
    unfinished = 0
    for round_number in range(8):
        path = old.with_name(f"{round_number}.db")
        path.write_bytes(content)
        with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as opener:
            assert opener.stdout is not None
            opener.stdout.readline()
            time.sleep(0.004 * round_number)
            opener.send_signal(signal.SIGKILL)
            unfinished += not opener.stdout.read()
        store = Store.open(path, StoreSettings(), SetClock(BASE))
        assert store.set_aside is None
        assert {key: len(times) for key, (times, _) in whole(store).items()} == dict.fromkeys(
            (GAUGE, JOBS), len(TIMES) + 20
        )
        store.close()
        assert version(path) == len(MIGRATIONS)
    assert unfinished
