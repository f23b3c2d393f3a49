"""Blocks of roll-ups come back bit for bit in both forms; settled ones are small, and late samples still reach them."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from collector.series import SeriesKey
from collector.store import Store, StoreSettings, Values
from collector.store.buckets import Buckets, bucket
from collector.store.coding.blocks import pack_block, unpack_block
from collector.store.schema import FIVE_MINUTES
from collector.store.tools.check import check
from tests.support.set_clock import SetClock

DAY = 86_400_000
BLOCK = 20_000
BASE = BLOCK * DAY
RANDOM = np.random.default_rng(11)
KEPT = {True: ("count", "first", "last", "inner"), False: ("count", "min", "max", "sum", "first", "last")}
DRIFT = np.rint(50 + 30 * np.sin(np.arange(1515) / 200) + RANDOM.normal(0, 6, 1515))
COARSE: dict[str, Values] = {
    "percents": DRIFT,
    "six digits, as %g prints them": np.array([float(f"{value / 300:g}") for value in DRIFT]),
    "hundredths": DRIFT / 100,
    "tenths, multiplied": DRIFT * 0.1,
    "bytes": 2.0e10 + DRIFT * 2.0**21,
    "mostly one value": np.where(RANDOM.random(1515) < 0.02, DRIFT, 3.0),
}


def blocks_of(values: Values, step_ms: int = 57_000) -> Buckets:
    return bucket(BASE + np.arange(len(values)) * step_ms, values, FIVE_MINUTES.step_ms)


def packed(buckets: Buckets, *, counter: bool, thorough: bool) -> bytes:
    data = pack_block(buckets, FIVE_MINUTES, BLOCK, counter=counter, thorough=thorough)
    again = unpack_block(data, FIVE_MINUTES, BLOCK)
    assert np.array_equal(again["time"], buckets["time"])
    for name in KEPT[counter]:
        assert np.array_equal(again[name].view(np.int64), np.ascontiguousarray(buckets[name]).view(np.int64)), name
    assert all(np.isnan(again[name]).all() for name in (*KEPT[True], *KEPT[False]) if name not in KEPT[counter])
    return data


@pytest.mark.parametrize("name", COARSE)
def test_settled_blocks_of_five_samples_a_window_are_a_fifth_smaller_at_least(name: str) -> None:
    for counter in (False, True):
        values = np.cumsum(np.abs(COARSE[name])).round(6) if counter else COARSE[name]
        small, plain = (packed(blocks_of(values), counter=counter, thorough=thorough) for thorough in (True, False))
        assert len(small) < 0.8 * len(plain)


def test_a_constant_takes_next_to_nothing() -> None:
    assert len(packed(blocks_of(np.full(86_400, 700.0), 1000), counter=False, thorough=True)) < 60


def test_noise_keeps_plain_columns() -> None:
    buckets = blocks_of(RANDOM.random(1515))
    assert packed(buckets, counter=False, thorough=True) == packed(buckets, counter=False, thorough=False)


numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-1000, 1000).map(lambda number: number / 100),
    st.integers(-(2**54), 2**54).map(float),
    st.sampled_from((0.0, -0.0, 1e-300, 2.0**52 - 1, -(2.0**52) + 1)),
)


@settings(max_examples=150, deadline=None)
@given(
    values=arrays.arrays(np.float64, st.integers(1, 120), elements=numbers),
    kinds=st.integers(1, 40),
    step_ms=st.sampled_from((1_000, 57_000, 299_000, 900_000)),
    counter=st.booleans(),
)
def test_every_block_comes_back(values: Values, kinds: int, step_ms: int, *, counter: bool) -> None:
    values = values[np.arange(len(values)) % kinds % len(values)]  # some repeat
    buckets = blocks_of(values, step_ms)
    assert len(packed(buckets, counter=counter, thorough=True)) > 0
    packed(buckets, counter=counter, thorough=False)


def test_days_that_are_over_are_settled_and_late_samples_reach_them(tmp_path: Path) -> None:
    path, key = tmp_path / "metrics.db", SeriesKey("gauge")
    clock = SetClock(BASE + DAY)
    store = Store.open(path, StoreSettings(), clock)
    times = BASE + np.arange(1515) * 57_000
    store.append_history(key, times, COARSE["hundredths"])
    (series,) = store.series()
    before = store.rollup(series.id, BASE, BASE + DAY, 300_000)
    unsettled = _blocks(path)
    clock.pass_time(7 * 3600)
    while store.compact():
        pass
    settled = _blocks(path)
    assert [unsettled[0][0], settled[0][0]] == [0, 1]
    assert settled[0][1] < 0.75 * unsettled[0][1]
    after = store.rollup(series.id, BASE, BASE + DAY, 300_000)
    for name in ("times", "min", "max", "sum", "count", "first", "last"):
        assert np.array_equal(getattr(after, name), getattr(before, name)), name
    assert store.append_history(key, np.array([times[7] + 1]), np.array([1e6])) == 1
    assert store.rollup(series.id, BASE, BASE + DAY, 300_000).max.max() == 1e6
    assert _blocks(path)[0][0] == 0
    clock.pass_time(3600)
    while store.compact():
        pass
    assert _blocks(path)[0][0] == 1
    assert store.rollup(series.id, BASE, BASE + DAY, 300_000).max.max() == 1e6
    store.close()
    assert check(path).problems == []


def _blocks(path: Path) -> list[tuple[int, int]]:
    """Whether it is settled and its size, of each block of five-minute windows."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT settled, length(cells) FROM rollups WHERE tier = 0 ORDER BY block").fetchall()
    connection.close()
    return found
