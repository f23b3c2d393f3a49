"""Tables over ranges of which only roll-ups are left, and quantiles, against plain arithmetic."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.series import Matcher, SeriesKey
from collector.store import COLUMNS, History, Store, StoreSettings, Table, quantiles
from collector.store.model import Series
from tests.support.set_clock import SetClock

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = 1_800_000_000_000 // DAY * DAY
GAUGE, COUNTER = SeriesKey("g"), SeriesKey("c_total")
BUCKETS = [SeriesKey.of("h_seconds_bucket", le=bound) for bound in ("0.1", "0.5", "2.5", "+Inf")]
SETTINGS = StoreSettings(raw_retention="4d", five_minute_retention="10d", hourly_retention="300d")


def filled(path: Path) -> tuple[Store, SetClock]:
    """Forty days at irregular times, with resets and an outage; all of it as single samples."""
    random = np.random.default_rng(3)
    clock = SetClock(NOW - 40 * DAY)
    store = Store.open(path, SETTINGS, clock)
    for day in range(40):
        start = NOW - (40 - day) * DAY
        times = np.unique(start + random.integers(0, DAY, 1500))
        times = times[(times < NOW - 20 * DAY) | (times > NOW - 20 * DAY + 7 * HOUR)]
        grown = np.cumsum(random.integers(0, 9, len(times))).astype(np.float64)
        grown[len(grown) // 2 :] -= grown[len(grown) // 2] - 1
        shares = np.cumsum(random.integers(0, 5, (4, len(times))), axis=0)
        items = [
            History(GAUGE, times, random.integers(0, 100, len(times)).astype(np.float64)),
            History(COUNTER, times, grown, counter=True),
            *(
                History(key, times, np.cumsum(share).astype(np.float64), counter=True)
                for key, share in zip(BUCKETS, shares, strict=True)
            ),
        ]
        clock.pass_time(86_400)
        store.append_histories(items)
    return store, clock


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[int, Table], Store]]:
    """Tables while everything was there, and the store with raw samples of two days, 5 minutes of eight."""
    store, clock = filled(tmp_path_factory.mktemp("store") / "metrics.db")
    whole = {step: asked(store, step) for step in (7 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY)}
    clock.pass_time(2 * 86_400)
    while store.compact():
        pass
    assert len(store.samples(1, NOW - 40 * DAY, NOW - 3 * DAY)[0]) == 0
    yield whole, store
    store.close()


def asked(store: Store, step: int) -> Table:
    return store.select(start_ms=NOW - 40 * DAY, end_ms=NOW, step_ms=step)


@pytest.mark.parametrize("step", [HOUR, 4 * HOUR, DAY])
def test_hours_and_more_are_the_same_from_rollups(both: tuple[dict[int, Table], Store], step: int) -> None:
    before, after = both[0][step], asked(both[1], step)
    for name in COLUMNS:
        np.testing.assert_array_equal(after[name], before[name], name)
    for q in (0.0, 0.5, 0.99):
        [(key, expected)], [(_, found)] = quantiles(before, q), quantiles(after, q)
        assert key == SeriesKey("h_seconds")
        assert np.isfinite(expected).sum() > 38 * DAY // step
        np.testing.assert_array_equal(found, expected)


def test_a_range_over_all_forms_is_one_answer(both: tuple[dict[int, Table], Store]) -> None:
    before, after = both[0][15 * MINUTE], asked(both[1], 15 * MINUTE)
    fine = after.times >= NOW - 7 * DAY
    for name in COLUMNS:
        np.testing.assert_array_equal(after[name][:, fine], before[name][:, fine], name)
    hours = after.times % HOUR == 0
    coarse = ~fine & (after.times < NOW - 9 * DAY)
    assert not after["count"][:, coarse & ~hours].any()
    assert after["count"][:, coarse & hours].sum() == before["count"][:, coarse].sum()


@pytest.mark.parametrize("step", [7 * MINUTE, 15 * MINUTE])
def test_nothing_is_counted_twice_and_nothing_is_lost(both: tuple[dict[int, Table], Store], step: int) -> None:
    before, after = both[0][step], asked(both[1], step)
    for name in ("count", "sum", "increase"):
        expected = np.nansum(before[name], axis=1)
        np.testing.assert_array_equal(np.nansum(after[name], axis=1), expected, name)
        assert expected.any()


def test_growth_over_a_gap_belongs_to_the_whole_gap(both: tuple[dict[int, Table], Store]) -> None:
    table = both[0][HOUR]
    [line] = [line for line, one in enumerate(table.series) if one.key == COUNTER]
    after_gap = np.flatnonzero(table.times == NOW - 20 * DAY + 7 * HOUR)[0]
    assert np.isnan(table["rate"][line, after_gap - 7 : after_gap]).all()
    assert table["rate"][line, after_gap] == table["increase"][line, after_gap] / (8 * 3600)


def test_only_columns_that_there_are(both: tuple[dict[int, Table], Store]) -> None:
    with pytest.raises(ValueError, match="no such column: median; there are count, min"):
        both[1].select(start_ms=0, end_ms=1, step_ms=1, columns=("median",))
    with pytest.raises(ValueError, match="a step of 0 ms"):
        both[1].select(start_ms=0, end_ms=1, step_ms=0)
    name = Matcher("__name__", "=", "nobody")
    assert both[1].select(name, start_ms=0, end_ms=10, step_ms=1, columns=("count",))["count"].shape == (0, 10)


def plain_quantile(q: float, buckets: list[tuple[float, float]]) -> float:
    """Prometheus' bucketQuantile, one bucket after the other."""
    if q < 0 or q > 1:
        return math.copysign(math.inf, q)
    merged: dict[float, float] = {}
    for bound, count in sorted(buckets):
        merged[bound] = merged.get(bound, 0.0) + count
    bounds, counts = list(merged), list(merged.values())
    for place in range(1, len(counts)):
        counts[place] = max(counts[place], counts[place - 1])
    if len(bounds) < 2 or bounds[-1] != math.inf or counts[-1] == 0:
        return math.nan
    rank = q * counts[-1]
    place = next((place for place, count in enumerate(counts[:-1]) if count >= rank), len(counts) - 1)
    if place == len(counts) - 1:
        return bounds[-2]
    if place == 0 and bounds[0] <= 0:
        return bounds[0]
    lower, below = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    inside = counts[place] - below
    return lower + (bounds[place] - lower) * ((rank - below) / inside) if inside else math.nan


bounds = st.sampled_from(["-1", "0", "0.5", "1", "1.0", "2.5", "10", "+Inf", "nan", "many"])
counts = st.one_of(st.just(math.nan), st.integers(0, 9).map(float))


@settings(max_examples=400, deadline=None)
@given(
    st.lists(bounds, unique=True, max_size=6).flatmap(
        lambda names: st.tuples(st.just(names), st.lists(st.tuples(*(counts for _ in names)), min_size=1, max_size=5))
    ),
    st.sampled_from([-0.1, 0.0, 0.1, 0.5, 0.9, 1.0, 1.1]),
)
def test_quantiles_are_those_of_prometheus(drawn: tuple[list[str], list[tuple[float, ...]]], q: float) -> None:
    names, rows = drawn
    series = [Series(number, SeriesKey.of("h_bucket", le=name), True) for number, name in enumerate(names)]
    table = Table(series, np.arange(len(rows)), 1, {"increase": np.array(rows).reshape(len(rows), len(names)).T})
    found = quantiles(table, q)
    there = [place for place, name in enumerate(names) if name not in {"nan", "many"}]
    if not there:
        assert found == []
        return
    [(key, values)] = found
    assert key == SeriesKey("h")
    for value, row in zip(values.tolist(), rows, strict=True):
        buckets = [(float(names[place]), row[place]) for place in there if not math.isnan(row[place])]
        expected = plain_quantile(q, buckets) if buckets else math.nan
        assert value == pytest.approx(expected, nan_ok=True)
