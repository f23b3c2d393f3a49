"""The forecasts of a back-test and of the peers beside it."""

import numpy as np
import pytest

from forecast.backtest.answers import answer, fills
from forecast.grid import GRID_HOURS, Grid
from forecast.scores import BAND_80, coverage

RANDOM = np.random.default_rng(11)


def waves(count: int, hours: int = GRID_HOURS + 72) -> np.ndarray:
    """A day's wave at levels and heights of all kinds."""
    at = np.arange(hours)
    height, level = RANDOM.uniform(1, 20, (2, count, 1))
    phase = RANDOM.uniform(0, 24, (count, 1))
    return 20 + level + height * np.sin(2 * np.pi * (at + phase) / 24) + RANDOM.normal(0, 1, (count, hours))


def test_answers_do_not_hang_on_what_else_is_asked() -> None:
    values = waves(7)[:, :GRID_HOURS]
    together = answer(Grid(0, values), "gauge")
    alone = answer(Grid(0, values[3:4]), "gauge")
    np.testing.assert_allclose(together.quantiles[3], alone.quantiles[0], rtol=1e-4)
    np.testing.assert_array_equal(together.yesterday[3], alone.yesterday[0])


def test_peers_say_what_they_always_say() -> None:
    values = waves(2)[:, :GRID_HOURS]
    values[1, :-30] = np.nan
    found = answer(Grid(0, values), "gauge")
    np.testing.assert_array_equal(found.yesterday[0], np.tile(values[0, -24:], 3))
    assert np.isfinite(found.prophet[0]).all()
    assert np.isnan(found.prophet[1]).all()  # two days are needed


def test_a_series_that_has_only_just_begun_is_doubted() -> None:
    values = waves(60)
    past, actual = values[:, :GRID_HOURS].copy(), values[:, GRID_HOURS:]
    widths = []
    for hours in (3, 12, 24, GRID_HOURS):
        past[:] = np.nan
        past[:, -hours:] = values[:, GRID_HOURS - hours : GRID_HOURS]
        quantiles = answer(Grid(0, past), "gauge").quantiles
        widths.append(np.median(quantiles[..., 3] - quantiles[..., 1]))
        assert coverage(quantiles, actual, BAND_80).mean() > 0.6
    assert widths[0] > widths[1] > widths[3]


@pytest.mark.parametrize(
    ("kind", "expected"), [("gauge", [0, 0, 0, 0]), ("fill", [1, 1, 1, 1]), ("auto", [0, 1, 0, 0])]
)
def test_kinds(kind: str, expected: list[int]) -> None:
    rising = np.cumsum(np.abs(RANDOM.normal(5, 3, GRID_HOURS)))
    young = np.where(np.arange(GRID_HOURS) < GRID_HOURS - 20, np.nan, rising)
    values = np.stack([waves(1)[0, :GRID_HOURS], rising, young, np.full(GRID_HOURS, 3.0)])
    assert fills(Grid(0, values), kind).tolist() == [bool(one) for one in expected]  # type: ignore[arg-type]
