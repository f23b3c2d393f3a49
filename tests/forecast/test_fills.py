"""How well fills are foretold, read on measured series."""

import numpy as np
import pytest

from forecast.train.fills import SIZES, Fills, fill_figures, fill_windows, ours
from forecast.train.series import Hourly

HOURS = np.arange(24 * 40)


@pytest.fixture(scope="module")
def windows() -> Fills:
    random = np.random.default_rng(6)
    waves = [5 + 4 * np.sin(2 * np.pi * (HOURS + at) / 24) + random.uniform(0, 1, HOURS.size) for at in range(4)]
    rates = {**{f"wave{at}": wave for at, wave in enumerate(waves)}, "still": waves[0] * 0 + 3, "below": waves[1] - 5}
    return fill_windows([Hourly("set", name, rate, rate) for name, rate in rates.items()], most=3)


def test_windows_cumulate_what_is_never_negative_and_moves(windows: Fills) -> None:
    assert sorted(set(windows.series.tolist())) == [f"set/wave{at}" for at in range(4)]
    assert windows.sizes.shape == (12, SIZES.size)
    assert (np.diff(windows.grid.bridged[:, -500:], axis=1) > 0).all()
    assert (windows.actual[:, 0] > windows.grid.values[:, -1]).all()


def test_who_knows_the_future_has_no_error(windows: Fills) -> None:
    found = fill_figures(windows, lambda _grid: windows.actual)
    assert 0.3 < found["filled"] < 0.7
    assert [found[name] for name in ("f1", "hours_median", "hours_p90", "hours_p90_of_all")] == [1, 0, 0, 0]


def test_what_is_not_foretold_counts_as_foretold_for_the_end(windows: Fills) -> None:
    mostly = windows.actual.copy()
    mostly[:, 40:] = windows.grid.values[:, -1:]
    found = fill_figures(windows, lambda _grid: mostly)
    assert found["hours_p90"] == 0
    assert found["hours_p90_of_all"] > 0
    assert found["f1"] < 1


def test_our_rule_knows_when_a_daily_rate_fills_the_disk(windows: Fills) -> None:
    found = fill_figures(windows, ours)
    assert found["f1"] > 0.95
    assert found["hours_p90"] <= 2
