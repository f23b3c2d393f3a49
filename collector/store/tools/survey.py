"""What metrics.db is made of: how much of it each form of storage and each metric takes, and where that leads."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collector.store import rows
from collector.store.bulk import opened
from collector.store.coding.blocks import unpack_block
from collector.store.coding.codec import unpack_axis
from collector.store.query.reader import read_series
from collector.store.schema import DAY_WINDOWS, TIERS, WINDOW_MS, Tier
from collector.store.settings import StoreSettings
from forewarn.base.clock import DAY

FULL_SHARE = 0.9
"""From this share of its size limit on the store drops the oldest."""
_FORESEEN_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class TierUse:
    """One form of storage.

    Attributes:
        name: scrapes (rows that are not compressed yet), chunks, axes, and the roll-ups by their step.
        entries: rows of the table.
        samples: single samples in it; None where it holds none.
        bytes: what its columns take; pages and indexes around them are counted apart.
        oldest_ms: where it begins; None where it is empty.
        newest_ms: where it ends.
        keeps_ms: how long it keeps what it has; None where that depends on another form.
    """

    name: str
    entries: int
    samples: int | None
    bytes: int
    oldest_ms: int | None
    newest_ms: int | None
    keeps_ms: int | None


@dataclass(frozen=True, slots=True)
class NameUse:
    """One metric name: its series, and the bytes of their columns in all forms."""

    name: str
    series: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Survey:
    """The whole file.

    Attributes:
        series: how many there are.
        samples: single samples in it.
        file_bytes: size of the file without its write-ahead log.
        free_bytes: pages that hold nothing.
        other_bytes: indexes, heads of rows and pages, half-filled pages.
        bytes_per_sample: compressed samples and their time stamps; None before there are any.
        tiers: the forms of storage.
        names: metric names, those that take most first.
        full_at_ms: when it is so full that the oldest goes sooner than its retention says, at the rate of the time
            that it holds; None where that is not going to happen.
    """

    series: int
    samples: int
    file_bytes: int
    free_bytes: int
    other_bytes: int
    bytes_per_sample: float | None
    tiers: Sequence[TierUse]
    names: Sequence[NameUse]
    full_at_ms: int | None


def survey(path: Path, settings: StoreSettings, now_ms: int) -> Survey:
    """Look at the whole file, as it is at one moment.

    Raises:
        StoreError: the file cannot be read.
    """
    with opened(path) as connection:
        tiers = [
            _scrapes(connection),
            *_chunks(connection, settings),
            *(_rolled(connection, tier, settings) for tier in TIERS),
        ]
        names = _names(connection)
        pages, free, page_bytes = (_pragma(connection, name) for name in ("page_count", "freelist_count", "page_size"))
    held = sum(tier.bytes for tier in tiers)
    chunks, axes = tiers[1], tiers[2]
    return Survey(
        series=sum(name.series for name in names),
        samples=sum(tier.samples or 0 for tier in tiers),
        file_bytes=pages * page_bytes,
        free_bytes=free * page_bytes,
        other_bytes=max(0, (pages - free) * page_bytes - held),
        bytes_per_sample=(chunks.bytes + axes.bytes) / chunks.samples if chunks.samples else None,
        tiers=tiers,
        names=names,
        full_at_ms=_full_at_ms(tiers, (pages - free) * page_bytes, settings, now_ms),
    )


def _scrapes(connection: sqlite3.Connection) -> TierUse:
    count, size, oldest, newest = connection.execute(
        "SELECT count(*), coalesce(sum(length(cells)), 0), min(time_ms), max(time_ms) FROM scrapes"
    ).fetchone()
    keeps = None  # until the next compaction
    return TierUse("scrapes", count, size // rows.CELL_BYTES, size, oldest, newest, keeps)


def _chunks(connection: sqlite3.Connection, settings: StoreSettings) -> tuple[TierUse, TierUse]:
    lengths, starts, axis_bytes = {}, [], 0
    for axis, window, data in connection.execute("SELECT id, window, times FROM axes"):
        times = unpack_axis(data, window)
        lengths[axis] = len(times)
        starts.append(int(times[0]))
        axis_bytes += len(data)
    samples = sum(
        count * lengths[axis] for axis, count in connection.execute("SELECT axis, count(*) FROM chunks GROUP BY axis")
    )
    count, size, newest = connection.execute(
        "SELECT count(*), coalesce(sum(length(cells)), 0), max(last_ms) FROM chunks"
    ).fetchone()
    oldest, keeps = min(starts, default=None), int(settings.raw_retention * 1000)
    return (
        TierUse("chunks", count, samples, size, oldest, newest, keeps),
        TierUse("axes", len(lengths), None, axis_bytes, oldest, newest, keeps),
    )


def _rolled(connection: sqlite3.Connection, tier: Tier, settings: StoreSettings) -> TierUse:
    count, size, oldest, newest = connection.execute(
        "SELECT count(*), coalesce(sum(length(cells)), 0), min(block), max(block) FROM rollups WHERE tier = ?",
        (tier.level,),
    ).fetchone()
    name, keeps = (
        ("five_minutes", settings.five_minute_retention) if tier.level == 0 else ("hourly", settings.hourly_retention)
    )
    start_ms = min((times[0] for times in _window_times(connection, tier, oldest)), default=None)
    end_ms = max((times[-1] + tier.step_ms for times in _window_times(connection, tier, newest)), default=None)
    return TierUse(name, count, None, size, start_ms, end_ms, int(keeps * 1000))


def _window_times(connection: sqlite3.Connection, tier: Tier, block: int | None) -> Iterator[list[int]]:
    """Starts of the windows of every series in one block."""
    found = connection.execute("SELECT cells FROM rollups WHERE tier = ? AND block = ?", (tier.level, block))
    return (unpack_block(cells, tier, block or 0)["time"].tolist() for (cells,) in found)


def _names(connection: sqlite3.Connection) -> list[NameUse]:
    used: Counter[int] = Counter()
    for table in ("chunks", "rollups"):
        used.update(dict(connection.execute(f"SELECT series, sum(length(cells)) FROM {table} GROUP BY series")))
    counts = dict(connection.execute("SELECT layout, count(*) FROM scrapes GROUP BY layout"))
    for layout, ids in rows.Layouts().all(connection).items():
        used.update(dict.fromkeys(ids.tolist(), counts.get(layout, 0) * rows.CELL_BYTES))
    series: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for one, key, _ in read_series(connection):
        series[key.name] += 1
        sizes[key.name] += used[one]
    return [NameUse(name, series[name], size) for name, size in sizes.most_common()]


def _full_at_ms(tiers: Sequence[TierUse], used_bytes: int, settings: StoreSettings, now_ms: int) -> int | None:
    """Each form grows at the rate of the time that it holds, until it has held it for as long as it keeps it."""
    limit = settings.max_size * FULL_SHARE
    if used_bytes >= limit:
        return now_ms
    days = np.arange(1, _FORESEEN_DAYS + 1)
    grown = np.zeros(len(days))
    for tier in tiers:
        if tier.oldest_ms is None or tier.newest_ms is None or tier.keeps_ms is None:
            continue
        held = max(min(tier.newest_ms, now_ms) - tier.oldest_ms, DAY_WINDOWS * WINDOW_MS // 24) / DAY
        grown += tier.bytes / held * np.clip(tier.keeps_ms / DAY - held, 0, days)
    over = np.flatnonzero(used_bytes + grown >= limit)
    return now_ms + int(days[over[0]]) * DAY if len(over) else None


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
