"""Tails: bounds that hold, and are close where it matters."""

import math

import numpy as np
import pytest

from logship.anomalies.tails import at_least, at_most, silent_for


def tails(count: int, mean: float, dispersion: float) -> tuple[float, float]:
    """The exact ones, summed."""
    size = 1 / dispersion
    k = np.arange(0, int(mean * 60 + 200))
    mass = np.array(
        [
            math.lgamma(n + size)
            - math.lgamma(size)
            - math.lgamma(n + 1)
            + size * math.log(size / (size + mean))
            + n * math.log(mean / (size + mean))
            for n in k
        ]
    )
    chance = np.exp(mass)
    return float(chance[count:].sum()), float(chance[: count + 1].sum())


@pytest.mark.parametrize("dispersion", [1e-4, 0.05, 0.2, 1.0])
@pytest.mark.parametrize("mean", [2.0, 20.0, 100.0])
@pytest.mark.parametrize("times", [2.5, 4, 8])
def test_a_jump_is_as_rare_as_it_is_said(mean: float, dispersion: float, times: float) -> None:
    count = round(mean * times)
    exact = tails(count, mean, dispersion)[0]
    said = math.exp(at_least(count, mean, dispersion))
    assert exact * (1 - 1e-6) <= said <= 2.5 * exact + 1e-300


@pytest.mark.parametrize("dispersion", [1e-4, 0.05, 0.2])
@pytest.mark.parametrize(("count", "mean"), [(0, 5.0), (2, 20.0), (30, 100.0)])
def test_a_drop_is_as_rare_as_it_is_said(count: int, mean: float, dispersion: float) -> None:
    exact = tails(count, mean, dispersion)[1]
    assert exact * (1 - 1e-6) <= math.exp(at_most(count, mean, dispersion)) <= 2.5 * exact


def test_what_is_usual_is_not_rare() -> None:
    assert at_least(20, 20.0, 0.1) == at_most(20, 20.0, 0.1) == at_least(5, 20.0, 0.1) == 0
    assert silent_for(60, 60, 10) == 0


def test_the_more_regular_the_sooner_a_silence_is_rare() -> None:
    assert silent_for(180, 60, 15) < silent_for(180, 60, 40) < 0
    assert silent_for(300, 60, 40) < silent_for(180, 60, 40)
