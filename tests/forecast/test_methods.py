"""Each kind of capacity by its own rule, in a run as the daemon makes it."""

import numpy as np
import pytest

from forecast.results import Forecast
from forecast.run import make_forecasts
from forecast.settings import ForecastSettings, TargetSettings
from tests.support.memory_series import MemoryReader

HOUR_MS = 3_600_000
NOW_MS = 489_600 * HOUR_MS + 600_000
END_MS = NOW_MS - NOW_MS % HOUR_MS
RANDOM = np.random.default_rng(8)


def made(values: np.ndarray, name: str = "x", **row: object) -> Forecast:
    """The forecast of the hourly means of one series."""
    reader = MemoryReader()
    times = END_MS - HOUR_MS * np.arange(values.size, 0, -1) + 60_000
    reader.add(name, times, values)
    rows = [TargetSettings.model_validate({"match": '{__name__=~".+"}', **row})]
    found = make_forecasts(reader, ForecastSettings(), rows, NOW_MS)
    return next(one for one in found if one.statistic == "mean")


def growth(hours: int) -> np.ndarray:
    """What flows in by the hour, more by day than by night."""
    return np.asarray(5 + 4 * np.sin(2 * np.pi * np.arange(hours) / 24) + RANDOM.uniform(-1, 1, hours))


def test_what_runs_out_falls_as_what_fills_up_rises() -> None:
    used = np.cumsum(growth(500))
    limit = float(used[-1] + 180.0)
    up = made(used, kind="fill", limit=limit)
    down = made(-used, kind="fill", limit=-limit, below=True)
    assert up.model == down.model == "fill"
    for name, other in (("mean", "mean"), ("p2.5", "p97.5"), ("p10", "p90")):
        np.testing.assert_allclose(down.points[name], -np.array(up.points[other]), rtol=1e-9)
    assert up.breach_ms == down.breach_ms
    assert up.breach_ms is not None
    assert abs((up.breach_ms - END_MS) / HOUR_MS - 36) < 6
    assert up.chance is not None
    assert down.chance is not None
    np.testing.assert_allclose(up.chance.curve, down.chance.curve, atol=1e-3)


def test_bytes_available_that_are_cleaned_up_keep_their_distance_from_empty() -> None:
    free = 1e9 - 1e6 * np.cumsum(growth(24 * 28)).reshape(28, 24)
    free += (free[0, 0] - free[:, :1]) * 1.0  # every night what flowed in is cleared away
    found = made(free.ravel(), kind="fill", limit=0.5e9, below=True)
    assert found.breach_ms is None
    assert found.chance is not None
    assert found.chance.p72 < 0.05
    assert min(found.points["mean"]) > 0.8e9


def test_what_fills_up_speaks_from_six_hours_on_and_with_wide_bands() -> None:
    used = 1e6 + np.cumsum(growth(600))
    assert made(used[-5:], kind="fill").reason == "has 5.2 h of history, 6 h are needed"
    young, old = made(used[-6:], kind="fill"), made(used, kind="fill")
    assert young.status == "ok"
    wide, narrow = (np.array(one.points["p90"]) - np.array(one.points["p10"]) for one in (young, old))
    assert (wide > 2 * narrow).all()
    torn = used[-6:].copy()
    torn[1:5] = np.nan
    assert made(torn, kind="fill").reason == "only 2 hours have a value, 3 are needed"


def test_a_level_at_its_cap_is_forecast_by_the_demand_behind_it() -> None:
    hours = np.arange(24 * 28 + 72)
    demand = 0.8 + 0.35 * np.sin(2 * np.pi * hours / 24) + RANDOM.normal(0, 0.04, hours.size)
    level = np.minimum(demand, 1.0)
    found = made(level[:-72], "load_ratio", kind="saturated", limit=0.98)
    assert found.model == "combiner"
    assert max(found.points["p97.5"]) == pytest.approx(1.0)
    over = demand[-72:] > 1.05
    assert (np.array(found.demand)[over] > 1.0).mean() > 0.8
    assert np.abs(np.array(found.demand) - demand[-72:])[over].mean() < np.abs(1.0 - demand[-72:])[over].mean()
    np.testing.assert_allclose(found.points["mean"], np.minimum(found.demand, 1.0), rtol=1e-6)


def test_a_level_that_never_reached_its_cap_has_no_hidden_demand() -> None:
    level = 0.5 + 0.2 * np.sin(2 * np.pi * np.arange(24 * 20) / 24) + RANDOM.normal(0, 0.02, 480)
    capped, gauge = (made(level, "load_ratio", kind=kind, limit=0.98) for kind in ("saturated", "gauge"))
    assert capped.demand == gauge.demand == ()
    assert capped.points == gauge.points
