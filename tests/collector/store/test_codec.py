"""Columns come back bit for bit, whatever form they take."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from collector.store import Values
from collector.store.coding import codec, integers

RANDOM = np.random.default_rng(5)
LEVELS = RANDOM.integers(0, 100, 6000)
COLUMNS: dict[str, Values] = {
    "percent divided": LEVELS / 100,
    "percent multiplied": LEVELS * 0.01,
    "milliwatts": RANDOM.integers(95_000, 700_000, 6000) / 1000,
    "pages of memory": 3.0e10 + LEVELS * 2.0**21,
    "below zero": LEVELS - 50.0,
    "runs": np.repeat(LEVELS[:60] / 7, 100),
    "runs of steps": np.repeat(LEVELS[:60] / 100, 100),
    "a constant": np.full(6000, 700.0),
    "zeros of both signs": np.where(LEVELS < 50, 0.0, -0.0),
    "noise": RANDOM.random(6000),
    "a large counter": 2.0**53 + np.cumsum(LEVELS) * 2.0,
    "one": np.array([0.1]),
}
STEPS = {
    "percent divided",
    "percent multiplied",
    "milliwatts",
    "pages of memory",
    "below zero",
    "one",
    "a constant",
    "runs of steps",
}


def same(one: Values, other: Values) -> bool:
    return np.array_equal(one.view(np.int64), other.view(np.int64))


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_come_back_and_steps_are_smaller(name: str) -> None:
    column = np.asarray(COLUMNS[name], np.float64)
    quick, thorough = (codec.pack_values(column, thorough=thorough) for thorough in (False, True))
    assert same(codec.unpack_values(quick), column)
    assert same(codec.unpack_values(thorough), column)
    assert len(thorough) <= len(quick)
    assert (integers.find_steps(column) is not None) == (name in STEPS)


def test_noise_in_steps_takes_little_more_than_its_entropy() -> None:
    drift = 50 + 20 * np.sin(np.arange(86_400) / 9000)
    column = np.rint(drift + RANDOM.uniform(-2.5, 2.5, 86_400))
    assert len(codec.pack_values(column, thorough=True)) * 8 < 1.15 * np.log2(5) * len(column)
    assert len(codec.pack_values(column, thorough=True)) < 0.93 * len(codec.pack_values(column))


numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-1000, 1000).map(lambda number: number / 100),
    st.integers(-(2**54), 2**54).map(float),
)


@settings(max_examples=150, deadline=None)
@given(arrays.arrays(np.float64, st.integers(1, 200), elements=numbers), st.integers(1, 9))
def test_every_column_comes_back(column: Values, repeats: int) -> None:
    column = np.repeat(column, repeats)
    for thorough in (False, True):
        assert same(codec.unpack_values(codec.pack_values(column, thorough=thorough)), column)
