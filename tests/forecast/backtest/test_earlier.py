"""Bands of a back-test learn from forecasts of the same file whose hours are over, and from nothing later."""

import numpy as np

from forecast.backtest.earlier import widening
from forecast.backtest.hourly import HourlySeries
from forecast.backtest.origins import Origin

HOURS = 1400
FIRST = 480_000


def series(seed: int, wild_from: int = HOURS) -> HourlySeries:
    """A day's wave with noise that grows tenfold at some hour."""
    random = np.random.default_rng(seed)
    at = np.arange(HOURS)
    noise = random.normal(0, 1, HOURS) * np.where(at >= wild_from, 10.0, 1.0)
    values = 100 + 8 * np.sin(2 * np.pi * at / 24) + noise
    return HourlySeries(FIRST + at, values, values, values)


def changed_after(one: HourlySeries, hour: int) -> HourlySeries:
    values = np.where(one.hours >= hour, 1e6, one.mean)
    return HourlySeries(one.hours, values, values, values)


def test_nothing_at_or_after_an_origin_is_used_of_any_series() -> None:
    file = {"a": series(1), "b": series(2)}
    origin = FIRST + 900 + 17
    asked = [Origin("a", origin), Origin("b", origin - 100)]
    before = widening(file, asked, "gauge", "mean")
    later = {name: changed_after(one, origin) for name, one in file.items()}
    np.testing.assert_array_equal(before[0], widening(later, asked, "gauge", "mean")[0])
    much_later = {name: changed_after(one, origin - 100) for name, one in file.items()}
    np.testing.assert_array_equal(before[1], widening(much_later, asked, "gauge", "mean")[1])
    assert (before != widening(much_later, asked, "gauge", "mean")).any()


def test_bands_that_missed_are_widened_and_only_from_then_on() -> None:
    file = {"calm": series(3), "wild": series(4, wild_from=880)}
    asked = [Origin("calm", FIRST + 860), Origin("wild", FIRST + 860), Origin("wild", FIRST + 980)]
    found = widening(file, asked, "gauge", "mean")
    assert (np.abs(np.log(found[:2])) < 0.25).all()
    assert (found[2] > found[1] + 0.1).all()


def test_what_fills_up_and_what_is_young_is_left_as_it_is() -> None:
    hours = np.arange(HOURS)
    file = {
        "disk": HourlySeries(FIRST + hours, *(np.cumsum(np.full(HOURS, 2.0)) for _ in range(3))),
        "young": series(5),
    }
    asked = [Origin("disk", FIRST + 700), Origin("young", FIRST + 20), Origin("young", FIRST - 5)]
    found = widening(file, asked, "auto", "mean")
    np.testing.assert_allclose(found[0], 1.0, atol=0.15)  # what its first two days showed, when it was not yet known
    np.testing.assert_array_equal(found[1:], 1.0)
    assert (widening(file, asked[:1], "gauge", "mean") != found[0]).any()
