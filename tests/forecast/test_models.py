import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from forecast.models import Model, candidates, fewest_hours, method
from forecast.models.base import Bounds, ModelError, NotEnoughHistoryError, Prediction, bounds_of
from forecast.models.prophet import ProphetModel
from forecast.models.prophet_map import ProphetMap
from forecast.models.snaive24 import SeasonalNaive
from tests.support.hourly import history

DAY = 10 + np.arange(24.0)
ROOT = Path(__file__).parents[2]


def test_same_hour_yesterday_repeats_the_last_24_hours() -> None:
    values = np.concatenate([np.tile(DAY, 6), DAY[:5]])
    prediction = SeasonalNaive().predict(history(values))
    np.testing.assert_allclose(prediction.mean, np.tile(values[-24:], 3))
    assert prediction.mean[0] == DAY[5], "the first hour ahead is that of yesterday"
    for edge in prediction.bands.values():
        np.testing.assert_allclose(edge, prediction.mean, err_msg="a rule that never erred has a band of no width")


def test_same_hour_yesterday_looks_further_back_where_yesterday_is_missing() -> None:
    values = np.concatenate([DAY, DAY + 100])
    values[30:40] = np.nan
    mean = SeasonalNaive().predict(history(values)).mean[:24]
    np.testing.assert_allclose(mean[6:16], DAY[6:16])
    np.testing.assert_allclose(mean[:6], DAY[:6] + 100)


def test_same_hour_yesterday_refuses_hours_never_seen() -> None:
    values = np.full(24 * 10, np.nan)
    values[::24] = 1.0
    with pytest.raises(NotEnoughHistoryError, match="23 of the 24 hours"):
        SeasonalNaive().predict(history(values))


def test_the_naive_band_is_made_of_the_rules_own_errors_by_day_ahead() -> None:
    trend = 24 * 28
    prediction = SeasonalNaive().predict(history(np.arange(trend, dtype=float)))
    for day in (1, 2, 3):
        hours = slice(24 * (day - 1), 24 * day)
        np.testing.assert_allclose((prediction.bands["p90"] - prediction.mean)[hours], 24.0 * day)


def test_the_naive_band_covers_what_it_says_on_noise() -> None:
    random = np.random.default_rng(7)
    inside = []
    for _ in range(40):
        values = 100 + 10 * np.tile(np.sin(np.arange(24) / 24 * 2 * np.pi), 14) + random.normal(0, 3, 14 * 24)
        past, future = values[: 11 * 24], values[11 * 24 :]
        prediction = SeasonalNaive().predict(history(past))
        inside.append(((future >= prediction.bands["p10"]) & (future <= prediction.bands["p90"])).mean())
    assert 0.75 < np.mean(inside) < 0.87


def test_one_day_of_history_has_a_wide_band_and_no_narrower_one_further_ahead() -> None:
    prediction = SeasonalNaive().predict(history(DAY))
    width = prediction.bands["p90"] - prediction.bands["p10"]
    assert width.min() > 10
    assert (np.diff(width) >= 0).all()


@pytest.mark.parametrize("model", [ProphetModel(), ProphetMap()], ids=lambda model: model.name)
def test_prophet_finds_a_trend_with_a_daily_shape_and_skips_what_is_missing(model: Model) -> None:
    hours = np.arange(24 * 17)
    series = 50 + 0.05 * hours + 8 * np.sin(hours / 24 * 2 * np.pi)
    random = np.random.default_rng(1)
    past = series[: 24 * 14] + random.normal(0, 0.5, 24 * 14)
    past[100:140] = np.nan
    prediction = model.predict(history(past))
    np.testing.assert_allclose(prediction.mean, series[24 * 14 :], atol=2.5)
    assert (prediction.bands["p2.5"] <= prediction.bands["p10"]).all()
    inside = (series[24 * 14 :] > prediction.bands["p2.5"]) & (series[24 * 14 :] < prediction.bands["p97.5"])
    assert inside.mean() > 0.9
    again = model.predict(history(past))
    np.testing.assert_array_equal(prediction.mean, again.mean)
    np.testing.assert_array_equal(prediction.bands["p90"], again.bands["p90"])


def test_prophet_speaks_to_nobody() -> None:
    code = (
        "import numpy as np\nfrom forecast.models.prophet import ProphetModel\n"
        "from tests.support.hourly import history\n"
        "ProphetModel().predict(history(np.sin(np.arange(200.0))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("model", [SeasonalNaive(), ProphetModel(), ProphetMap()], ids=lambda model: model.name)
def test_a_constant_stays_constant(model: Model) -> None:
    prediction = model.predict(history(np.full(24 * 9, 42.0))).tidy(Bounds())
    np.testing.assert_allclose(prediction.mean, 42.0, rtol=1e-6)
    np.testing.assert_allclose(prediction.bands["p97.5"], 42.0, rtol=1e-3)


def test_tidy_clips_and_orders() -> None:
    flat = np.zeros(72)
    edges = {"p2.5": flat - 1, "p10": flat + 0.7, "p90": flat + 0.4, "p97.5": flat + 9}
    tidy = Prediction(flat + 0.5, edges).tidy(Bounds(0.0, 1.0))
    assert [tidy.bands[name][0] for name in edges] == [0.0, 0.5, 0.5, 1.0]
    with pytest.raises(ModelError, match="not finite"):
        Prediction(flat + np.inf, edges).tidy(Bounds())


def test_bounds_come_from_the_unit_and_the_past() -> None:
    assert bounds_of(history([0.1, 0.9]), "ratio") == Bounds(0.0, 1.0)
    assert bounds_of(history([0.1, 1.2]), "ratio") == Bounds(0.0)
    assert bounds_of(history([-1.0, 2.0]), "") == Bounds()
    assert bounds_of(history([1.0, 2.0]), "bytes", ceiling=3.0) == Bounds(0.0, 3.0)
    assert bounds_of(history([1.0, 4.0]), "bytes", ceiling=3.0) == Bounds(0.0)
    assert bounds_of(history([20.0, 30.0]), "celsius") == Bounds()


def test_which_model_is_tried() -> None:
    def names(choice: str, hours: float) -> list[str]:
        return [model.name for model in candidates(choice, hours)[0]]

    assert names("auto", 500.0) == ["snaive24"]
    assert names("prophet", 100.0) == ["snaive24"]
    assert names("prophet", 168.0) == ["prophet", "prophet_map", "snaive24"]
    assert names("prophet_map", 500.0) == ["prophet_map", "snaive24"]
    assert names("snaive24", 500.0) == ["snaive24"]


def test_each_kind_has_its_rule_and_what_fills_speaks_soonest() -> None:
    rules = {kind: method("auto", kind) for kind in ("gauge", "saturated", "allocation", "fill")}
    assert rules == {"gauge": "combiner", "saturated": "demand", "allocation": "combiner", "fill": "fill"}
    assert method("prophet", "gauge") is None
    assert fewest_hours("auto", "fill") == 6
    assert fewest_hours("auto", "gauge") == fewest_hours("snaive24", "fill") == 24


def test_without_the_extra_the_reason_names_it() -> None:
    code = (
        "import sys; sys.modules['prophet'] = None  # as if it were not there\n"
        "from forecast.models import candidates\n"
        "models, note = candidates('prophet', 500.0)\n"
        "print([model.name for model in models], note)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.startswith(
        "['prophet_map', 'snaive24'] prophet is not installed (pip install 'forewarn[forecast]')"
    )
