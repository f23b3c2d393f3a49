"""Prophet's library is the reference: the same design, an objective never above its own, an optimum it agrees with."""

import warnings
from typing import Any

import numpy as np
import pytest

from forecast.models.prophet import ProphetModel
from forecast.models.prophet_map import Design, Fit, Moments, ProphetMap, climb, fit, objective
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


def stan(times: np.ndarray, values: np.ndarray, init: Fit | None = None) -> tuple[Any, Any]:
    """Prophet fitted by its own library, from its own start or from ours, and the frame it was fitted to."""
    import pandas as pd
    from prophet import Prophet

    frame = pd.DataFrame({"ds": times.astype("datetime64[ms]"), "y": values})
    model = Prophet()
    start = {}
    if init is not None:
        last = init.design.slopes.stop
        start["init"] = {
            "m": init.theta[0],
            "k": init.theta[1],
            "delta": init.theta[init.design.slopes],
            "beta": init.theta[last:],
            "sigma_obs": init.sigma,
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame, seed=1, **start)
    return model, frame


def as_fit(model: Any, ours: Fit) -> Fit:
    parts = [np.ravel(model.params[name]) for name in ("m", "k", "delta", "beta")]
    return Fit(ours.design, np.concatenate(parts), float(np.ravel(model.params["sigma_obs"])[0]), float(model.y_scale))


def test_the_optimum_is_prophets_own_or_better(hours: tuple[np.ndarray, np.ndarray]) -> None:
    times, values = hours
    ours = fit(times, values)
    model, frame = stan(times, values)
    theirs = as_fit(model, ours)
    model.uncertainty_samples = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = model.predict(frame)["yhat"].to_numpy()
    rebuilt = theirs.scale * (ours.design.columns(times) @ theirs.theta)
    np.testing.assert_allclose(rebuilt, reference, atol=1e-9 * theirs.scale, err_msg="the design is Prophet's")
    assert objective(ours, times, values) <= objective(theirs, times, values) + 1e-3

    moved = as_fit(stan(times, values, ours)[0], ours)
    assert abs(objective(moved, times, values) - objective(ours, times, values)) < 1e-3, "Stan finds nothing better"
    assert np.abs(ours.design.columns(times) @ (moved.theta - ours.theta)).max() < 1e-6, "and stays where it was put"


def test_every_step_lowers_the_objective(hours: tuple[np.ndarray, np.ndarray]) -> None:
    times, values = hours
    found = [objective(fit(times, values, steps), times, values) for steps in (5, 20, 60, 100, 200)]
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
    perfect = fit(BEGIN_MS + np.arange(400) * HOUR_MS, np.linspace(1, 2, 400))
    assert perfect.sigma < 1e-3


def test_many_series_at_once_have_the_maxima_that_each_has_alone() -> None:
    times = BEGIN_MS + np.arange(400) * HOUR_MS
    random = np.random.default_rng(4)
    values = np.cumsum(random.normal(0, 1, (3, 400)), axis=1)
    values /= np.abs(values).max(axis=1, keepdims=True)
    design = Design.of(times)
    phi = design.columns(times)
    gram = np.broadcast_to(phi.T @ phi, (3, phi.shape[1], phi.shape[1]))
    moments = Moments(gram, values @ phi, (values**2).sum(axis=1), np.full(3, 400.0))
    theta, sigma2 = climb(design, moments, 200)
    for row in range(3):
        alone = fit(times, values[row])
        np.testing.assert_allclose(phi @ theta[row], phi @ alone.theta, atol=1e-7)
        assert np.sqrt(sigma2[row]) == pytest.approx(alone.sigma, rel=1e-6)
