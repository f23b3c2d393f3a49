"""The demand behind a level that is capped."""

import numpy as np

from forecast.demand import capped, uncapped
from forecast.grid import GRID_HOURS, Grid

HOURS = np.arange(GRID_HOURS)


def demands(count: int, seed: int = 4) -> np.ndarray:
    """A day's wave with noise whose tops lie over 1."""
    random = np.random.default_rng(seed)
    return 0.7 + 0.4 * np.sin(2 * np.pi * HOURS / 24) + random.normal(0, 0.1, (count, GRID_HOURS))


def test_hours_at_the_cap_take_what_is_to_be_expected_of_them() -> None:
    demand = demands(20)
    grid = Grid(0, np.minimum(demand, 1.0))
    hidden = capped(grid, np.ones(20))
    found = uncapped(grid, np.ones(20)).values
    assert 0.1 < hidden.mean() < 0.4
    np.testing.assert_array_equal(found[~hidden], grid.values[~hidden])
    assert (found[hidden] >= 1).all()
    error, before = np.abs(found - demand)[hidden].mean(), np.abs(grid.values - demand)[hidden].mean()
    assert error < 0.75 * before
    assert abs((found - demand)[hidden].mean()) < 0.35 * before


def test_what_is_not_capped_stays_to_the_bit() -> None:
    values = demands(3)
    values[:, 100:120] = np.nan
    values[2, :600] = np.nan
    for caps in (np.full(3, np.inf), np.full(3, 9.0), np.zeros(3), np.full(3, -1.0)):
        np.testing.assert_array_equal(uncapped(Grid(7, values), caps).values, values)
    torn = np.minimum(values, 1.0)
    found = uncapped(Grid(7, torn), np.array([1.0, np.inf, 1.0]))
    assert found.end_ms == 7
    np.testing.assert_array_equal(np.isfinite(found.values), np.isfinite(values))
    np.testing.assert_array_equal(found.values[1], torn[1])


def test_a_level_that_never_leaves_the_cap_stands_still() -> None:
    found = uncapped(Grid(0, np.full((1, GRID_HOURS), 250.0)), np.array([250.0])).values
    np.testing.assert_allclose(found, 250.0, rtol=1e-6)


def test_the_unit_does_not_matter() -> None:
    values = np.minimum(demands(4), 1.0)
    small, large = (uncapped(Grid(0, unit * values), np.full(4, unit)).values / unit for unit in (1.0, 1e12))
    np.testing.assert_allclose(small, large, rtol=1e-9)
