"""The long range against series whose way is known."""

import numpy as np
import pytest

from forecast.plan.longrange import LongRange
from forecast.plan.trials import daily_peaks

DAYS = 60
ONE = np.array([0])


def chance(peaks: np.ndarray, threshold: float) -> np.ndarray:
    return LongRange.of(peaks[None]).chance(ONE, np.array([threshold]))[0]


def test_a_day_hardly_known_has_no_peak() -> None:
    hours = np.full((1, 3 * 24 + 5), np.nan)
    hours[0, -24:] = np.arange(24)
    hours[0, -48:-44] = 7.0
    hours[0, -60:-50] = 3.0
    assert np.array_equal(daily_peaks(hours)[0], [3.0, np.nan, 23.0], equal_nan=True)


def test_what_fills_at_a_steady_rate_is_full_when_it_must_be(random: np.random.Generator) -> None:
    peaks = 100 + 5.0 * np.arange(DAYS) + random.normal(0, 0.5, DAYS)
    told = chance(peaks, peaks[-1] + 5.0 * 10.5)
    assert told[7] < 0.15
    assert told[12] > 0.85


def test_steady_growth_of_two_percent_a_day_breaches_on_the_day_that_it_must(random: np.random.Generator) -> None:
    shape = 1 + 0.1 * np.sin(2 * np.pi * np.arange(DAYS + 30) / 7)
    grown = 10 * 1.02 ** np.arange(DAYS + 30) * shape * (1 + random.normal(0, 0.01, DAYS + 30))
    threshold = 10 * 1.02 ** (DAYS + 13) * 1.1
    due = int(np.argmax(grown[DAYS:] >= threshold))
    told = chance(grown[:DAYS], threshold)
    half = int(np.argmax(told >= 0.5))
    assert abs(half - due) <= 4
    assert told[max(due - 7, 0)] < 0.3


def test_what_stays_within_its_bounds_is_not_expected_far_beyond_them(random: np.random.Generator) -> None:
    peaks = 10 + random.normal(0, 0.5, 120)
    assert chance(peaks, 20.0)[13] < 0.05
    assert chance(peaks, 10.3)[13] > 0.8


def test_probabilities_rise_with_the_days_and_fall_with_the_threshold(random: np.random.Generator) -> None:
    peaks = np.cumsum(random.normal(0, 1, (5, 90)), axis=1)
    thresholds = peaks[:, -1:] + np.linspace(-2, 12, 30)
    told = LongRange.of(peaks).chance(np.repeat(np.arange(5), 30), thresholds.ravel()).reshape(5, 30, 30)
    assert (np.diff(told, axis=2) >= 0).all()
    assert (np.diff(told, axis=1) <= 1e-9).all()
    assert ((told >= 0) & (told <= 1)).all()


def test_the_scale_and_the_origin_do_not_matter(random: np.random.Generator) -> None:
    peaks = np.cumsum(random.normal(0, 1, 90)) - 40
    assert chance(peaks, 3.0) == pytest.approx(chance(2e9 * peaks, 6e9), abs=1e-6)


def test_clean_ups_are_no_growth(random: np.random.Generator) -> None:
    """A store that is emptied every ten days does not pass its usual mark by as much again."""
    peaks = 50 + 4.0 * (np.arange(DAYS) % 10) + random.normal(0, 0.3, DAYS)
    assert chance(peaks, 150.0)[13] < 0.2


@pytest.mark.parametrize("days", [2, 7, 20])
def test_short_histories_are_answered_with_doubt(random: np.random.Generator, days: int) -> None:
    peaks = 10 + random.normal(0, 0.5, days)
    told = chance(peaks, 11.5)
    assert np.isfinite(told).all()
    assert told[-1] > 0.02


def test_holes_and_constants_are_borne() -> None:
    peaks = np.full((2, 50), np.nan)
    peaks[0, 10:] = 4.0
    peaks[1, 30:] = np.arange(20.0)
    peaks[1, 40:45] = np.nan
    told = LongRange.of(peaks).chance(np.array([0, 0, 1]), np.array([5.0, 3.0, 30.0]))
    assert np.isfinite(told).all()
    assert told[0].max() < 0.05
    assert told[1].min() > 0.95
