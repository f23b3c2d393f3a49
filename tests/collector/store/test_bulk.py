"""Reading everything span by span, batch by batch: each sample once, in order, whatever form it has."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.series import Sample, Scrape, SeriesKey
from collector.store import Store, StoreSettings
from collector.store.bulk import Batch, count_rolled_up, look, read_batch
from forewarn.base.clock import DAY, HOUR, MINUTE
from tests.support.filled_store import fill
from tests.support.set_clock import SetClock

START = 1_800_000_000_000
KEYS = [SeriesKey.of("m", n=str(number)) for number in range(6)]
scrapes = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 5_000, 60_000, 20 * MINUTE, 3 * HOUR, 9 * HOUR]),  # time since the scrape before
        st.sets(st.integers(0, len(KEYS) - 1), min_size=1),  # who is in it
        st.sampled_from([0, 0, 0, 1, 100]),  # slices of compaction after it
    ),
    min_size=1,
    max_size=25,
)


def walk(store: Store, span_ms: int, most: int, wanted: np.ndarray) -> Iterator[Batch]:
    """As a sender does."""
    done = START - 1
    while True:
        ahead = look(store.path, done, 0, span_ms)
        if ahead.newest_ms is None or ahead.newest_ms <= done:
            return
        begin = max(done, min(ahead.next_ms - 1, ahead.newest_ms))
        end = max(begin, min(ahead.until_ms, ahead.newest_ms))
        after = 0
        while (batch := read_batch(store.path, (begin, end), after, most, lambda: wanted)).samples:
            yield batch
            after = batch.last
            if not batch.more:
                break
        done = end


@settings(max_examples=20, deadline=None)
@given(
    scrapes,
    st.sampled_from([MINUTE, 30 * MINUTE, 7 * HOUR]),
    st.sampled_from([1, 7, 1_000]),
    st.sets(st.integers(1, len(KEYS)), min_size=1),
)
def test_every_sample_comes_once_and_in_order(
    story: list[tuple[int, set[int], int]], span_ms: int, most: int, wanted: set[int]
) -> None:
    with TemporaryDirectory() as folder:
        clock = SetClock(START)
        store = Store.open(Path(folder) / "metrics.db", StoreSettings(row_age=30), clock)
        for number, (pause, who, slices) in enumerate(story):
            clock.wall_ms += pause
            store.append(Scrape(clock.now_ms(), [Sample(KEYS[one], number + one / 10) for one in sorted(who)]))
            for _ in range(slices):
                if not store.compact():
                    break
        found: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for batch in walk(store, span_ms, most, np.array(sorted(wanted), np.int64)):
            last = sum(len(block.times) for block in batch.blocks if batch.last in block.ids)
            assert batch.samples - last < most
            for block in batch.blocks:
                for one, line in zip(block.ids.tolist(), block.values, strict=True):
                    found[one] += zip(block.times.tolist(), line.tolist(), strict=True)
        for series in store.series():
            times, values = store.samples(series.id, 0, 2**60)
            held = list(zip(times.tolist(), values.tolist(), strict=True)) if series.id in wanted else []
            assert found[series.id] == held
        store.close()


def test_a_clock_that_was_set_back_is_seen_also_where_the_rows_count_anew(tmp_path: Path) -> None:
    clock = SetClock(START)
    store = Store.open(tmp_path / "metrics.db", StoreSettings(row_age=30), clock)
    for _ in range(5):
        clock.pass_time(5)
        store.append(Scrape(clock.now_ms(), [Sample(KEYS[0], 1.0)]))
    newest = look(store.path, START, 0, HOUR)
    assert (newest.newest_ms, newest.newest_row, newest.set_back_ms) == (START + 25_000, 5, None)
    clock.wall_ms += HOUR
    while store.compact():
        pass
    assert look(store.path, START, 5, HOUR).newest_row == 5
    clock.wall_ms = START + 10_000
    store.append(Scrape(clock.now_ms(), [Sample(KEYS[0], 2.0)]))
    again = look(store.path, START + 25_000, 5, HOUR)
    assert (again.newest_row, again.set_back_ms) == (1, START + 10_000)
    store.close()


def test_what_was_rolled_up_is_counted_also_when_its_samples_are_gone(tmp_path: Path) -> None:
    clock = SetClock(START)
    store = Store.open(tmp_path / "metrics.db", StoreSettings(raw_retention="1d", row_age=30), clock)
    for _ in range(100):
        clock.pass_time(60)
        store.append(Scrape(clock.now_ms(), [Sample(key, 1.0) for key in KEYS[:3]]))
    clock.wall_ms += 2 * DAY
    while store.compact():
        pass
    clock.pass_time(2 * 86_400)  # since they were written
    while store.compact():
        pass
    ids = np.array([series.id for series in store.series()])
    assert all(len(store.samples(one, 0, 2**60)[0]) == 0 for one in ids.tolist())
    start = START // (5 * MINUTE) * 5 * MINUTE
    assert count_rolled_up(store.path, (start, start + 3 * HOUR), lambda: ids) == 300
    assert count_rolled_up(store.path, (start, start + 3 * HOUR), lambda: ids[:1]) == 100
    store.close()


def test_days_in_one_chunk_are_read_span_by_span_too(tmp_path: Path) -> None:
    clock = SetClock(START + 30 * HOUR)
    store = Store.open(fill(tmp_path / "metrics.db", START + 30 * HOUR), StoreSettings(), clock)
    ids = np.array([series.id for series in store.series()])
    found: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for batch in walk(store, 30 * MINUTE, 200, ids):
        for block in batch.blocks:
            for one, line in zip(block.ids.tolist(), block.values, strict=True):
                found[one] += zip(block.times.tolist(), line.tolist(), strict=True)
    for series in store.series():
        times, values = store.samples(series.id, START, 2**60)
        assert found[series.id] == list(zip(times.tolist(), values.tolist(), strict=True))
    store.close()
