"""How well demand is seen behind a cap, read on series whose tops are hidden."""

import numpy as np

from forecast.train.hiding import hidden_windows, hiding_figures
from forecast.train.series import Hourly

HOURS = np.arange(24 * 40)


def series(name: str, level: float = 10.0) -> Hourly:
    random = np.random.default_rng(len(name))
    wave = level + 5 * np.sin(2 * np.pi * (HOURS + len(name)) / 24) + random.normal(0, 0.5, HOURS.size)
    return Hourly("set", name, wave, wave)


def test_demand_is_seen_better_where_the_level_is_capped() -> None:
    windows = hidden_windows([series("a"), series("bb"), series("ccc"), series("below", level=0.0)])
    assert windows.past.shape == (12, 672)
    found = hiding_figures(windows, 0.8)
    level, demand = found["level"], found["demand"]
    assert 0.1 < level["hours_over"] == demand["hours_over"] < 0.3
    assert demand["demand_error_over"] < 0.7 * level["demand_error_over"]
    assert demand["brier_at_cap"] < level["brier_at_cap"]
    assert demand["level_error"] < 1.05 * level["level_error"]
