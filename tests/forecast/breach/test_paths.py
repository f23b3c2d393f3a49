"""Probabilities to cross, from quantiles of known distributions and from pasts that say it plainly."""

from statistics import NormalDist

import numpy as np
import pytest

from forecast.breach import Crossing, fill_crossing
from forecast.breach.paths import curves, normal_scores
from forecast.grid import GRID_HOURS
from forecast.scores import LEVELS

NORMAL = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
UNKNOWN = np.full((1, GRID_HOURS), np.nan)


def quantiles(mean: np.ndarray | float, deviation: float = 1.0) -> np.ndarray:
    """Of a normal distribution at each of 72 hours."""
    middle = np.broadcast_to(np.asarray(mean, dtype=np.float64), (72,))
    return (middle[:, None] + deviation * NORMAL)[None]


def asked(said: np.ndarray, threshold: float, past: np.ndarray = UNKNOWN) -> Crossing:
    return Crossing(curves(said, past, np.array([threshold])))


def test_scores_of_a_normal_are_straight_lines_beyond_its_ends_too() -> None:
    for threshold in (-4.0, -1.0, 0.3, 1.5, 3.0):
        np.testing.assert_allclose(
            normal_scores(quantiles(1.0, 2.0), np.array([threshold])), (threshold - 1) / 2, atol=1e-4
        )


def test_without_a_past_the_forecast_speaks_alone() -> None:
    curve = asked(quantiles(0.0), 1.0).curve[0]
    assert curve[0] == pytest.approx(1 - NormalDist().cdf(1.0), abs=0.04)
    assert (np.diff(curve) >= 0).all()
    assert curve[0] < curve[71] < 1 - NormalDist().cdf(1.0) ** 72  # less than if hours knew nothing of each other


def test_thresholds_far_above_and_far_below_are_sure() -> None:
    assert asked(quantiles(0.0), 1e6).by(72)[0] == pytest.approx(0, abs=1e-4)
    below = asked(quantiles(0.0), -1e6)
    assert below.by(24)[0] == pytest.approx(1, abs=1e-4)
    assert [below.time(level)[0] for level in (0.1, 0.5, 0.9)] == [0, 0, 0]


def test_a_certain_climb_crosses_at_its_hour() -> None:
    climb = asked(quantiles(np.arange(72.0), 0.01), 30.0)
    assert climb.by(24)[0] == pytest.approx(0, abs=1e-4)
    assert climb.by(48)[0] == pytest.approx(1, abs=1e-4)
    assert climb.time(0.5)[0] in {30, 31}  # half of it in the hour in which the median is there


def test_times_beyond_the_horizon_are_not_known() -> None:
    found = Crossing(np.linspace(0.0, 0.6, 72)[None])
    assert found.time(0.1)[0] == 12
    assert found.time(0.5)[0] == 60
    assert np.isnan(found.time(0.9)[0])


def test_the_past_outvotes_a_forecast_that_it_contradicts() -> None:
    past = np.zeros((1, GRID_HOURS))
    past[0, 20::24] = 10.0  # every day
    quiet = asked(quantiles(0.0, 0.5), 9.0).by(72)[0]
    seen = asked(quantiles(0.0, 0.5), 9.0, past).by(72)[0]
    assert quiet < 0.01
    assert seen > 0.6
    past[0] = 0.0
    assert asked(quantiles(8.0, 2.0), 9.0, past).by(72)[0] < asked(quantiles(8.0, 2.0), 9.0).by(72)[0] / 1.8


def test_what_stands_above_is_compared_with_times_when_it_stood_above() -> None:
    past = np.zeros((1, GRID_HOURS))
    past[0, -60:] = 10.0
    now_above = asked(quantiles(10.0, 1.0), 5.0, past)
    assert now_above.by(24)[0] > 0.95


def test_a_fill_crosses_when_its_level_does() -> None:
    level = quantiles(np.arange(72.0), 5.0)
    found = fill_crossing(level, np.array([40.0]))
    assert found.time(0.5)[0] == 40
    assert found.curve[0, 30] == pytest.approx(NormalDist().cdf(-2.0), abs=1e-3)
    assert (np.diff(found.curve[0]) >= 0).all()
