"""Prophet's library is the reference: the same design, an objective never above its own, an optimum it agrees with."""

import warnings
from time import process_time
from typing import Any

import numpy as np
import pytest

from forecast.grid import Grid
from forecast.models.prophet import ProphetModel
from forecast.models.prophet_map import DAYS, SLOPES, WEEK, Fits, ProphetMap, fit_many, objective
from tests.support.hourly import BEGIN_MS, HOUR_MS, history

Real = dict[str, tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="module", params=range(7))
def hours(request: pytest.FixtureRequest, real_series: Real) -> tuple[np.ndarray, np.ndarray]:
    """Hourly means: five real series, one of them with a hole, one of nine days."""
    names = sorted(real_series)
    times, values = real_series[names[request.param % 5]]
    starts, first = np.unique(times // HOUR_MS, return_index=True)
    means = np.add.reduceat(values, first) / np.diff(np.append(first, values.size))
    starts, means = starts[-672:] * HOUR_MS, means[-672:]
    if request.param == 5:
        keep = (np.arange(starts.size) % 50 > 3) & ((np.arange(starts.size) < 100) | (np.arange(starts.size) > 180))
        return starts[keep], means[keep]
    return (starts[-216:], means[-216:]) if request.param == 6 else (starts, means)


def fitted(times: np.ndarray, values: np.ndarray, steps: int = 100) -> Fits:
    place = (times - times[-1]) // HOUR_MS - 1
    row = np.full(-place[0], np.nan)
    row[place] = values
    return fit_many(Grid(int(times[-1]) + HOUR_MS, row[None]), steps)


def stan(times: np.ndarray, values: np.ndarray, init: Fits | None = None) -> tuple[Any, Any]:
    """Prophet fitted by its own library, from its own start or from ours, and the frame it was fitted to."""
    import pandas as pd
    from prophet import Prophet

    frame = pd.DataFrame({"ds": times.astype("datetime64[ms]"), "y": values})
    model = Prophet()
    start = {}
    if init is not None:
        theta = init.theta[0]
        waves = np.r_[WEEK, DAYS] if init.designs[0].span_ms >= 14 * 24 * HOUR_MS else np.r_[DAYS]
        parts = {"m": theta[0], "k": theta[1], "delta": theta[SLOPES], "beta": theta[waves]}
        start["init"] = {**parts, "sigma_obs": init.sigma[0]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame, seed=1, **start)
    return model, frame


def theirs_as_ours(model: Any) -> tuple[np.ndarray, float]:
    beta = np.ravel(model.params["beta"])
    weekly = np.zeros(6) if beta.size == 8 else beta[:6]
    trend = [np.ravel(model.params[name]) for name in ("m", "k", "delta")]
    return np.concatenate([*trend, weekly, beta[-8:]]), float(np.ravel(model.params["sigma_obs"])[0])


def test_the_optimum_is_prophets_own_or_better(hours: tuple[np.ndarray, np.ndarray]) -> None:
    times, values = hours
    ours = fitted(times, values)
    (design,), scaled = ours.designs, values / ours.scale[0]
    model, frame = stan(times, values)
    theta, sigma = theirs_as_ours(model)
    assert model.y_scale == ours.scale[0]
    model.uncertainty_samples = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = model.predict(frame)["yhat"].to_numpy()
    rebuilt = ours.scale[0] * (design.past @ theta)
    np.testing.assert_allclose(rebuilt, reference, atol=1e-9 * ours.scale[0], err_msg="the design is Prophet's")
    lowest = objective(design, ours.theta[0], ours.sigma[0], scaled)
    assert lowest <= objective(design, theta, sigma, scaled)

    theta, sigma = theirs_as_ours(stan(times, values, ours)[0])
    assert abs(objective(design, theta, sigma, scaled) - lowest) < 1e-3, "Stan finds nothing better"
    assert np.abs(design.past @ (theta - ours.theta[0])).max() < 1e-6, "and stays where it was put"


def test_every_step_lowers_the_objective(hours: tuple[np.ndarray, np.ndarray]) -> None:
    times, values = hours
    found = []
    for steps in (5, 20, 60, 100, 200):
        fits = fitted(times, values, steps)
        found.append(objective(fits.designs[0], fits.theta[0], fits.sigma[0], values / fits.scale[0]))
    assert (np.diff(found) <= 1e-9 * np.abs(found[-1])).all()


def test_the_band_is_as_wide_as_prophets(real_series: Real) -> None:
    ratios = []
    for times, values in real_series.values():
        _, first = np.unique(times // HOUR_MS, return_index=True)
        past = history((np.add.reduceat(values, first) / np.diff(np.append(first, values.size)))[-480:])
        ours, theirs = ProphetMap().predict(past), ProphetModel().predict(past)
        ratios.append(np.mean((ours.bands["p90"] - ours.bands["p10"]) / (theirs.bands["p90"] - theirs.bands["p10"])))
    assert 0.95 < np.median(ratios) < 1.05


def test_it_is_deterministic_and_survives_scale() -> None:
    values = np.sin(np.arange(400) / 24 * 2 * np.pi) + np.random.default_rng(1).normal(0, 0.1, 400)
    one, two = ProphetMap().predict(history(values)), ProphetMap().predict(history(values))
    np.testing.assert_array_equal(one.bands["p2.5"], two.bands["p2.5"])
    large = ProphetMap().predict(history(1e200 * values))
    np.testing.assert_allclose(large.mean, 1e200 * one.mean, rtol=1e-6)
    perfect = ProphetMap().predict(history(np.linspace(1, 2, 400)))
    assert (perfect.bands["p90"] - perfect.mean).max() < 1e-3


def test_many_series_at_once_have_the_maxima_that_each_has_alone() -> None:
    random = np.random.default_rng(4)
    values = np.cumsum(random.normal(0, 1, (6, 400)), axis=1)
    values[1, 50:90] = np.nan
    values[2, :100] = np.nan
    values[3, :380] = np.nan
    values[4] = 7.0
    together = fit_many(Grid(BEGIN_MS, values))
    assert len(together.designs) == 3
    assert np.isnan(together.forecast[3]).all(), "20 hours are too few"
    np.testing.assert_allclose(together.forecast[4], 7.0)
    for row in (0, 1, 2, 5):
        alone = fit_many(Grid(BEGIN_MS, values[row : row + 1]))
        np.testing.assert_allclose(together.forecast[row], alone.forecast[0], rtol=1e-7)
        assert together.sigma[row] == pytest.approx(alone.sigma[0], rel=1e-7)


def test_the_parts_add_up_and_changepoints_are_found() -> None:
    hours = np.arange(600)
    values = 5 + np.sin(hours / 24 * 2 * np.pi) + np.where(hours > 300, 0.05 * (hours - 300), 0.0)
    values = values + np.random.default_rng(2).normal(0, 0.05, 600)
    fits = fit_many(Grid(BEGIN_MS, values[None]))
    parts = [fits.component(part) for part in ("trend", "weekly", "daily")]
    np.testing.assert_allclose(sum(parts), fits.forecast)
    assert np.ptp(parts[2]) == pytest.approx(2, abs=0.1)
    changes = fits.changepoints(0, smallest=0.1)
    assert changes
    begin_ms = BEGIN_MS - 600 * HOUR_MS
    assert all(abs((time - begin_ms) / HOUR_MS - 300) < 45 for time, _ in changes)
    assert sum(change for _, change in changes) == pytest.approx(24 * 0.05, rel=0.1)


def test_a_damped_trend_ends_and_the_last_error_fades() -> None:
    random = np.random.default_rng(5)
    values = np.linspace(0, 100, 500) + random.normal(0, 0.5, 500)
    fits = fit_many(Grid(BEGIN_MS, values[None]))
    damped = fits.damped()[0]
    assert fits.forecast[0, 71] - fits.forecast[0, 0] == pytest.approx(71 * 0.2, rel=0.1)
    assert damped[71] - damped[40] < 0.2 * (fits.forecast[0, 71] - fits.forecast[0, 40])
    noise = np.zeros(500)
    for hour in range(1, 500):
        noise[hour] = 0.95 * noise[hour - 1] + random.normal()
    fits = fit_many(Grid(BEGIN_MS, noise[None]))
    assert abs(fits.forecast[0, 0] - noise[-1]) > 1
    assert abs(fits.damped()[0, 0] - noise[-1]) < 0.5


@pytest.mark.timed
@pytest.mark.alone
def test_a_batch_costs_a_millisecond_a_series() -> None:
    """A bound of three times what is measured, for machines that are busy."""
    random = np.random.default_rng(6)
    grid = Grid(BEGIN_MS, np.cumsum(random.normal(0, 1, (256, 672)), axis=1))
    begin = process_time()
    fit_many(grid)
    assert process_time() - begin < 256 * 3e-3
