"""What fills up: rates integrated, clean-ups left out of them, bands that hold."""

import numpy as np
import pytest

from forecast import scores
from forecast.filling import Flow, fill_quantiles, find_cleanups
from forecast.grid import GRID_HOURS, Grid

RANDOM = np.random.default_rng(3)
HOURS = np.arange(GRID_HOURS + 72)


def rates(count: int = 40) -> np.ndarray:
    """Growth by the hour of the day, with noise, never negative."""
    shape = 5 + 4 * np.sin(2 * np.pi * HOURS / 24)
    return np.maximum(shape + RANDOM.normal(0, 1.5, (count, HOURS.size)), 0.0)


def answered(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles from the first 28 days, and what came."""
    return fill_quantiles(Grid(0, levels[:, :GRID_HOURS])), levels[:, GRID_HOURS:]


def test_a_steady_fill_goes_on() -> None:
    levels = np.stack([100 + 2.5 * HOURS, np.full(HOURS.size, 7.0)])
    quantiles, actual = answered(levels)
    np.testing.assert_allclose(quantiles[..., 2], actual, rtol=1e-6)


def test_a_daily_rate_is_integrated_hour_by_hour_within_its_bands() -> None:
    quantiles, actual = answered(1e4 + np.cumsum(rates(), axis=1))
    assert np.abs(quantiles[..., 2] - actual).mean() < 12  # of 360 that come in over three days
    assert scores.coverage(quantiles, actual, scores.BAND_80).mean() > 0.7
    assert scores.coverage(quantiles, actual, scores.BAND_95).mean() > 0.9
    assert (np.diff(quantiles, axis=2) >= 0).all()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_one_clean_up_does_not_bend_the_rate() -> None:
    levels = 1e4 + np.cumsum(rates(), axis=1)
    levels[:, 500:] -= 2000
    quantiles, actual = answered(levels)
    assert np.abs(quantiles[..., 2] - actual).mean() < 12


def test_what_is_cleaned_up_every_day_stays_where_it_is() -> None:
    level = 1000 + np.cumsum(rates(), axis=1)
    daily = level - np.repeat(level[:, ::24], 24, axis=1)
    quantiles, actual = answered(daily)
    assert Flow.of(Grid(0, daily[:, :GRID_HOURS])).cleanups.min() >= 26
    assert np.abs(quantiles[..., 2] - actual).mean() < 10
    assert quantiles[..., 2].max() < daily.max() * 1.2


def test_clean_ups_are_seen_from_either_side() -> None:
    steps = np.full((2, 100), 2.0)
    steps[0, 50] = -80.0
    steps[1] *= -1
    steps[1, 70] = 90.0
    assert [np.flatnonzero(row).tolist() for row in find_cleanups(steps)] == [[50], [70]]
    assert not find_cleanups(np.zeros((1, 100))).any()


def test_missing_hours_are_grown_over() -> None:
    levels = (1e4 + np.cumsum(rates(), axis=1))[:, : GRID_HOURS + 72]
    torn = levels.copy()
    torn[:, 300:340] = np.nan
    torn[:, GRID_HOURS - 5 : GRID_HOURS] = np.nan
    quantiles, actual = answered(np.concatenate([torn[:, :GRID_HOURS], levels[:, GRID_HOURS:]], axis=1))
    assert np.abs(quantiles[..., 2] - actual).mean() < 14


@pytest.mark.parametrize("known", [1, 2, 20, 30, 80])
def test_short_histories_have_an_answer(known: int) -> None:
    values = np.full((3, GRID_HOURS), np.nan)
    values[:, -known:] = 100 + np.cumsum(rates(3)[:, :known], axis=1)
    quantiles = fill_quantiles(Grid(0, values))
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=2) >= 0).all()
    assert (quantiles[..., 2] >= values[:, -1:]).all()


def test_the_shorter_the_history_the_wider_the_bands() -> None:
    levels = 1e4 + np.cumsum(rates(30), axis=1)
    widths = []
    for known in (6, 24, 72, 240):
        values = np.full((30, GRID_HOURS), np.nan)
        values[:, -known:] = levels[:, GRID_HOURS - known : GRID_HOURS]
        quantiles = fill_quantiles(Grid(0, values))
        widths.append(float(np.median(quantiles[:, -1, 3] - quantiles[:, -1, 1])))
        inside = scores.coverage(quantiles, levels[:, GRID_HOURS:], scores.BAND_95)
        assert inside.mean() > 0.85, known
    assert widths == sorted(widths, reverse=True)
