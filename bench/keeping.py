"""Forewarn's store under a benchmark: loaded as the daemon loads it, settled, measured and asked."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from bench.measure import folder_bytes, timed_ms
from bench.workload import Column, scrapes_of
from collector.series import Sample, Scrape
from collector.store import Store, StoreReader, StoreSettings
from collector.store.model import History
from forewarn.base.clock import DAY, HOUR, MINUTE, SECOND

_COMPACT_EVERY_MS = 10 * SECOND
_SLICES = 100
_COLUMNS_A_CALL = 8
_SETTINGS = StoreSettings()


class SetTime:
    """A clock whose wall time is set; seconds pass as they do."""

    def __init__(self, now_ms: int) -> None:
        self.wall_ms = now_ms

    def now_ms(self) -> int:
        """The time that was set."""
        return self.wall_ms

    def monotonic(self) -> float:
        """The machine's seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let the wall time pass."""
        self.wall_ms += round(seconds * 1000)


@contextmanager
def opened(folder: Path, now_ms: int) -> Iterator[tuple[Store, SetTime]]:
    """A store with the settings that it ships with, in a folder of its own."""
    folder.mkdir()
    clock = SetTime(now_ms)
    store = Store.open(folder / "metrics.db", _SETTINGS, clock)
    try:
        yield store, clock
    finally:
        store.close()


def scrape_in(
    store: Store, clock: SetTime, columns: Sequence[Column], progress: Callable[[int], None] = lambda _: None
) -> list[float]:
    """Append columns that share their times scrape by scrape, with background work as the daemon does it.

    Returns:
        how long each append took, in milliseconds.
    """
    made = [(column.key, column.counter) for column in columns]
    durations = []
    for number, (time_ms, row) in enumerate(scrapes_of(columns)):
        clock.wall_ms = time_ms
        scrape = Scrape(time_ms, [Sample(key, value, counter) for (key, counter), value in zip(made, row, strict=True)])
        durations += timed_ms(lambda scrape=scrape: store.append(scrape), 1)  # type: ignore[misc]
        if time_ms % _COMPACT_EVERY_MS == 0:
            _compact(store)
        progress(number)
    return durations


def load(store: Store, columns: Sequence[Column]) -> None:
    """Store columns as a backfill does, some at a time."""
    rest = iter(columns)
    while some := list(islice(rest, _COLUMNS_A_CALL)):
        store.append_histories([History(one.key, one.times, one.values, one.counter) for one in some])


def settled_bytes(folder: Path, end_ms: int) -> int:
    """What the store takes once everything lies in chunks and the free pages have gone back, a day later."""
    clock = SetTime(end_ms)
    store = Store.open(folder / "metrics.db", _SETTINGS, clock)
    for later in (HOUR, DAY + HOUR, DAY + 2 * HOUR):
        clock.wall_ms = end_ms + later
        while store.compact():
            pass
    store.close()
    return folder_bytes(folder)


def packed_bytes(folder: Path) -> dict[str, int]:
    """Bytes of the packed samples and of the packed roll-ups in a store's file."""
    with closing(sqlite3.connect(folder / "metrics.db")) as connection:
        return {
            name: connection.execute(f"SELECT coalesce(sum(length(cells)), 0) FROM {table}").fetchone()[0]
            for name, table in (("samples", "chunks"), ("roll-ups", "rollups"))
        }


def ask_rollup(path: Path, name: str, end_ms: int, times: int) -> list[float]:
    """How long a month of one series at five-minute steps takes, in milliseconds a question."""
    reader = StoreReader(path)
    series = next(one for one in reader.series() if one.key.name == name)
    found = reader.rollup(series.id, end_ms - 30 * DAY, end_ms, 5 * MINUTE)
    if len(found) < 30 * 288 - 1:
        raise AssertionError(f"{len(found)} windows are not a month")
    durations = timed_ms(lambda: reader.rollup(series.id, end_ms - 30 * DAY, end_ms, 5 * MINUTE), times)
    reader.close()
    return durations


def ask_raw(path: Path, name: str, end_ms: int, times: int) -> list[float]:
    """How long the last hour of eight series, sample by sample, takes, in milliseconds for the eight."""
    reader = StoreReader(path)
    ids = [one.id for one in reader.series() if one.key.name == name][:8]
    rows = sum(len(reader.samples(one, end_ms - HOUR, end_ms)[0]) for one in ids)
    if rows != 8 * 3600:
        raise AssertionError(f"{rows} samples are not an hour of eight series at one second")
    durations = timed_ms(lambda: [reader.samples(one, end_ms - HOUR, end_ms) for one in ids], times)
    reader.close()
    return durations


def _compact(store: Store) -> None:
    for _ in range(_SLICES):
        if not store.compact():
            break
