"""Bands that learn from how earlier ones held."""

import numpy as np
import pytest

from forecast import adaptive, scores
from forecast.grid import GRID_HOURS, Grid
from forecast.models.base import LEVELS as EDGES

RANDOM = np.random.default_rng(5)
NORMAL = np.array([-1.959964, -1.281552, 0.0, 1.281552, 1.959964])
AGES = np.arange(adaptive.EVERY_HOURS, adaptive.LOOK_BACK_HOURS + 1, adaptive.EVERY_HOURS)


def held(spread: float, count: int = 1, said: float = 1.0) -> np.ndarray:
    """Tallies of series whose errors are normal of one spread, where the bands were made for another."""
    quantiles = np.broadcast_to(said * NORMAL, (AGES.size * count, 72, 5))
    actual = RANDOM.normal(0, spread, (AGES.size * count, 72))
    owner = np.repeat(np.arange(count), AGES.size)
    return adaptive.tally(adaptive.places(quantiles, actual), np.tile(AGES, count), owner, count)


def alone(tallies: np.ndarray) -> np.ndarray:
    return adaptive.factors(tallies, np.arange(len(tallies)))


def test_bands_that_hold_stay_as_they_are() -> None:
    np.testing.assert_allclose(alone(held(1.0, 8)), 1.0, atol=0.05)


@pytest.mark.parametrize("spread", [0.6, 2.0])
def test_bands_that_do_not_hold_are_drawn_to_where_they_would(spread: float) -> None:
    found = alone(held(spread))[0]
    towards = np.log(found) / np.log(spread)
    assert (towards > 0.15).all()
    assert (towards < 0.5).all()


def test_what_many_series_like_it_show_is_believed_more() -> None:
    tallies = held(2.0, 30)
    together = adaptive.factors(tallies, np.zeros(30, dtype=np.int64))
    assert (together > alone(tallies) + 0.1).all()
    young = np.concatenate([tallies, np.zeros((1, *tallies.shape[1:]))])
    assert (adaptive.factors(young, np.zeros(31, dtype=np.int64))[-1] > 1.2).all()
    apart = adaptive.factors(young, np.append(np.zeros(30, dtype=np.int64), 1))
    np.testing.assert_array_equal(apart[-1], 1.0)


def test_factors_have_bounds_and_nothing_known_changes_nothing() -> None:
    for spread in (1e-6, 1e6):
        found = adaptive.factors(held(spread, 60), np.zeros(60, dtype=np.int64))
        assert (found >= adaptive.SMALLEST).all()
        assert (found <= adaptive.LARGEST).all()
    nothing = np.zeros((3, 2, adaptive.BINS))
    np.testing.assert_array_equal(adaptive.factors(nothing, np.zeros(3, dtype=np.int64)), 1.0)


def test_hours_that_are_not_over_and_what_was_not_measured_do_not_count() -> None:
    quantiles = np.broadcast_to(NORMAL, (2, 72, 5))
    actual = np.zeros((2, 72))
    actual[0, 10:] = np.nan
    places = adaptive.places(quantiles, actual)
    ages = np.array([72, 24])
    tallies = adaptive.tally(places, ages, np.array([0, 1]), 2)
    changed = actual.copy()
    changed[1, 24:] = 99.0
    np.testing.assert_array_equal(
        tallies, adaptive.tally(adaptive.places(quantiles, changed), ages, np.array([0, 1]), 2)
    )
    assert 0 < tallies[0].sum() < tallies[1].sum()


def test_bands_of_no_width_teach_nothing() -> None:
    places = adaptive.places(np.zeros((1, 72, 5)), np.ones((1, 72)))
    assert (places == -1).all()


def test_what_jumps_now_and_then_is_reached() -> None:
    values = np.zeros((2, GRID_HOURS))
    values[0, 300:] = 10.0
    values[1] = 7.0
    narrow = np.repeat(values[:, -1, None, None] + 0.1 * NORMAL, 72, axis=1)
    found = adaptive.reaching(narrow, Grid(0, values))
    assert scores.coverage(found, values[:, -1:] + np.full((2, 72), [[2.0], [0.0]]), scores.BAND_95).tolist() == [1, 1]
    np.testing.assert_allclose(found[0, :, [0, 4]].T, 10 + 0.5 * values[0].std() * np.array([[-1, 1]] * 72))
    np.testing.assert_array_equal(found[1], narrow[1])
    np.testing.assert_array_equal(found[:, :, 1:4], narrow[:, :, 1:4])
    huge = adaptive.reaching(narrow * 1e300, Grid(0, values * 1e300))
    assert np.isfinite(huge).all()


def test_the_outer_band_of_what_is_young_is_wider() -> None:
    values = np.full((4, GRID_HOURS), np.nan)
    for row, known in enumerate((6, 24, 96, 168)):
        values[row, -known:] = 5.0
    found = adaptive.reaching(np.broadcast_to(5 + NORMAL, (4, 72, 5)), Grid(0, values))
    np.testing.assert_allclose((found[:, 0, 4] - 5) / NORMAL[4], [1.5, 1.5, 1.25, 1.0])
    np.testing.assert_allclose(found[:, 0, 1:4], np.tile(5 + NORMAL[1:4], (4, 1)))


def test_levels_are_those_of_the_bands() -> None:
    assert sorted(EDGES.values()) == [0.025, 0.1, 0.9, 0.975]
    assert list(adaptive.BANDS) == [0.95, 0.8]
