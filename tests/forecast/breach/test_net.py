"""The trained probability of a breach: sane wherever it is asked, whatever the series."""

import numpy as np
import pytest

from forecast.breach import Crossing, crossing
from forecast.breach.features import of_questions, of_series
from forecast.breach.turned import KNOTS, Turned
from forecast.combiner import combine
from forecast.combiner.weights import shipped
from forecast.grid import GRID_HOURS, Grid
from forecast.settings import Statistic
from forecast.sources import Floats

ROUNDING = 1e-6
"""The net computes in 32 bits, and sums of the same numbers differ by where they lie in memory."""


def series(count: int, seed: int = 4) -> Floats:
    """Waves, walks, spikes, counts, one that began lately and one with holes."""
    random = np.random.default_rng(seed)
    hours = np.arange(GRID_HOURS)
    found = []
    for place in range(count):
        noise = random.normal(size=GRID_HOURS)
        wave = 50 + 20 * np.sin(2 * np.pi * hours / 24) + 4 * noise
        kinds = (wave, 100 + np.cumsum(noise), np.where(noise > 2, 30.0, 1.0), random.poisson(3, GRID_HOURS), wave)
        values = np.asarray(kinds[place % 5], dtype=np.float64)
        if place % 5 == 4:
            values[: GRID_HOURS - 40] = np.nan
        if place % 7 == 3:
            values[300:320] = np.nan
        found.append(values)
    return np.stack(found)


def asked(values: Floats, thresholds: Floats, statistic: Statistic = "mean", *, falling: bool = False) -> Crossing:
    """Of every series every threshold, [n, k]."""
    grid = Grid(0, values)
    rows = np.repeat(np.arange(len(values)), thresholds.shape[1])
    return crossing(grid, combine(grid, statistic), rows, thresholds.ravel(), statistic, falling=falling)


def ladder(values: Floats, steps: int = 60, reach: float = 4.0) -> Floats:
    """Thresholds from far below what was seen to far above it."""
    low, high = np.nanmin(values, axis=1), np.nanmax(values, axis=1)
    wide = np.maximum(high - low, 1.0)
    return low[:, None] - reach * wide[:, None] + np.linspace(0, 1, steps) * ((2 * reach + 1) * wide)[:, None]


def test_the_weights_are_shipped_small_and_said_to_be_made_of() -> None:
    found = shipped("breach")
    assert found is not None
    tensors, about = found
    assert sum(tensor.nbytes for tensor in tensors.values()) < 200_000
    assert "synthetic" in about["trained_on"]


@pytest.mark.parametrize("falling", [False, True])
def test_monotone_in_hours_and_in_the_threshold_and_never_certain(*, falling: bool) -> None:
    values = series(20)
    steps = 60
    curves = asked(values, ladder(values, steps), falling=falling).curve
    assert np.isfinite(curves).all()
    assert (np.diff(curves, axis=1) >= 0).all()
    by_threshold = np.diff(curves.reshape(20, steps, 72), axis=1)
    assert ((by_threshold >= -1e-6) if falling else (by_threshold <= 1e-6)).all()
    assert curves.min() > 0
    assert curves.max() < 1


def test_what_is_known_of_a_question_rises_with_hours_and_falls_with_its_threshold() -> None:
    values = series(10, seed=9)
    grid = Grid(0, values)
    seen = Turned.of(grid, combine(grid), 1.0)
    limits = ladder(values, 30, 1.0)
    inputs = of_questions(seen, np.repeat(np.arange(10), 30), limits.ravel())
    assert np.isfinite(inputs).all()
    assert np.isfinite(of_series(seen, extreme=False)).all()
    assert np.diff(inputs, axis=1).min() >= -1e-9
    assert np.diff(inputs.reshape(10, 30, KNOTS.size, -1), axis=1).max() <= 1e-9


def test_the_unit_does_not_matter() -> None:
    values = series(10)
    limits = ladder(values, 12, 0.7)
    as_it_is = asked(values, limits).curve
    np.testing.assert_allclose(asked(values * 1024.0, limits * 1024.0).curve, as_it_is, atol=2e-3)


def test_where_the_series_lies_hardly_matters() -> None:
    values = series(10)
    limits = ladder(values, 12, 0.7)
    apart = np.abs(asked(values + 4096.0, limits + 4096.0).curve - asked(values, limits).curve)
    assert apart.mean() < 0.03  # what was never below 0 is known not to go there


def test_numbers_of_any_size_get_an_answer() -> None:
    values = np.abs(series(4))
    values /= np.nanmax(values)
    for size in (1e-300, 1e150, 1e300):
        found = asked(values * size, np.full((4, 1), 0.9 * size)).curve
        np.testing.assert_allclose(found, asked(values, np.full((4, 1), 0.9)).curve, atol=0.02)


def test_falling_is_rising_turned_over() -> None:
    values = series(5)
    limits = ladder(values, 12, 0.7)
    low = asked(values, limits, "min").curve
    turned = asked(-values, -limits, "max").curve
    np.testing.assert_allclose(low, turned, atol=0.03)  # floors at 0 are known of one and not of the other


def test_far_from_everything_seen() -> None:
    waves = series(20)[::5]
    limits = np.stack([np.full(4, 1e5), np.full(4, 45.0)], axis=1)
    far, near = asked(waves, limits).by(72).reshape(4, 2).T
    assert far.max() < 0.02
    assert near.min() > 0.9  # every day


def test_what_never_moved_does_not_cross() -> None:
    values = np.full((3, GRID_HOURS), 40.0)
    values[1, : GRID_HOURS - 30] = np.nan
    values[2] = 0.0
    near, far, farthest = asked(values, np.array([[45.0, 120.0, 4e4]] * 3)).by(72).reshape(3, 3).T
    assert near[0] < 0.06
    assert far[0] < 0.03
    assert near[1] < 0.3  # only 30 hours are known
    assert farthest.max() < 0.05
    assert (farthest <= far + ROUNDING).all()
    assert (far <= near + ROUNDING).all()


@pytest.mark.parametrize("hours", [1, 2, 5, 24, 30, 72, 100, 168, 200])
def test_short_histories_get_an_answer_without_certainty(hours: int) -> None:
    values = series(20)[::5]
    values[:, : GRID_HOURS - hours] = np.nan
    found = asked(values, np.array([[30.0, 71.0, 90.0, 500.0]] * 4)).by(72).reshape(4, 4)
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert (found < 1).all()
    assert found[:, 3].max() < 0.3
    assert found[:, 0].min() > found[:, 3].max()


def test_a_question_does_not_hang_on_what_else_is_asked() -> None:
    values = series(6)
    limits = ladder(values, 5, 0.5)
    together = asked(values, limits).curve.reshape(6, 5, 72)
    alone = asked(values[2:3], limits[2:3, 3:4]).curve[0]
    np.testing.assert_allclose(together[2, 3], alone, atol=1e-3)
    grid = Grid(0, values)
    nothing = crossing(grid, combine(grid), np.empty(0, dtype=np.int64), np.empty(0))
    assert nothing.curve.shape == (0, 72)


def test_a_daily_peak_crosses_at_its_hour_and_a_rise_is_seen_to_come() -> None:
    hours = np.arange(GRID_HOURS)
    peak = np.where(hours % 24 == 18, 90.0, 40.0) + np.random.default_rng(2).normal(0, 0.5, GRID_HOURS)
    found = asked(peak[None], np.array([[80.0]]))
    assert found.by(72)[0] > 0.9
    assert 12 <= found.time(0.5)[0] <= 24
    climb = 0.1 * hours + np.random.default_rng(3).normal(0, 0.5, GRID_HOURS)
    soon, later = asked(climb[None], np.array([[69.0, 74.5]])).by(72)
    assert soon > 0.8
    assert later < soon


def test_without_weights_quantiles_and_past_windows_speak() -> None:
    values = series(5)
    grid = Grid(0, values)
    limits = ladder(values, 4, 0.5)
    rows = np.repeat(np.arange(5), 4)
    found = crossing(grid, combine(grid, trained=False), rows, limits.ravel())
    assert np.isfinite(found.curve).all()
    assert (np.diff(found.curve, axis=1) >= -1e-12).all()
    assert ((found.curve >= 0) & (found.curve <= 1)).all()
