import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from forecast.models import Model, candidates, combined
from forecast.models.base import Bounds, ModelError, NotEnoughHistoryError, Prediction, bounds_of
from forecast.models.fill import Fill, find_cleanups
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


def test_fill_integrates_the_rate_by_hour_of_day() -> None:
    rate = np.where(np.arange(24) < 8, 0.0, 3.0)
    steps = np.tile(rate, 9)
    values = 100 + np.concatenate([[0.0], np.cumsum(steps)])
    prediction = Fill().predict(history(values[:150]))
    np.testing.assert_allclose(prediction.mean, values[150 : 150 + 66].tolist() + prediction.mean[66:].tolist())
    np.testing.assert_allclose(prediction.mean[71] - values[149], 3 * rate.sum())


def test_fill_goes_on_from_the_last_value_over_a_silent_end() -> None:
    values = np.arange(100, dtype=float)
    values[97:] = np.nan
    prediction = Fill().predict(history(values))
    np.testing.assert_allclose(prediction.mean, np.arange(100, 172))


@pytest.mark.parametrize("falling", [False, True])
def test_cleanups_do_not_slow_the_filling(falling: bool) -> None:  # noqa: FBT001
    steps = np.full(24 * 8, 2.0)
    steps[[30, 31, 100]] = -120.0
    sign = -1.0 if falling else 1.0
    values = 1000 + sign * np.cumsum(steps)
    assert np.flatnonzero(find_cleanups(np.diff(values), falling=falling)).tolist() == [29, 30, 99]
    prediction = Fill(falling=falling).predict(history(values))
    np.testing.assert_allclose(np.diff(prediction.mean), sign * 2.0, atol=1e-9)
    toward_empty = prediction.bands["p97.5" if falling else "p2.5"]
    assert abs(toward_empty[71] - prediction.mean[71]) > 100, "that clean-ups happen is part of the band"


def test_a_random_walk_does_not_look_like_something_that_fills() -> None:
    random = np.random.default_rng(3)
    steps = random.normal(0, 1, 24 * 7)
    drift = Fill().predict(history(np.cumsum(steps))).mean[-1] - steps.sum()
    assert abs(drift - 72 * steps.mean()) < 5


def test_fill_needs_half_a_day_of_steps() -> None:
    values = np.full(48, np.nan)
    values[[0, 20, 40, 47]] = 1.0
    with pytest.raises(NotEnoughHistoryError, match="hourly steps"):
        Fill().predict(history(values))


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


@pytest.mark.parametrize("model", [SeasonalNaive(), Fill(), ProphetModel(), ProphetMap()], ids=lambda model: model.name)
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
    def names(*arguments: object) -> list[str]:
        return [model.name for model in candidates(*arguments, below=False)[0]]  # type: ignore[arg-type]

    assert names("auto", "gauge", 500.0) == ["snaive24"]
    assert names("auto", "fill", 24.0) == ["fill"]
    assert names("prophet", "gauge", 100.0) == ["snaive24"]
    assert names("prophet", "gauge", 168.0) == ["prophet", "prophet_map", "snaive24"]
    assert names("prophet", "fill", 500.0) == ["prophet", "prophet_map", "snaive24"]
    assert names("prophet_map", "gauge", 500.0) == ["prophet_map", "snaive24"]
    assert names("snaive24", "fill", 500.0) == ["snaive24"]


def test_the_combiner_answers_for_all_but_what_fills() -> None:
    assert [combined("auto", kind) for kind in ("gauge", "saturated", "allocation", "fill")] == [
        True,
        True,
        True,
        False,
    ]
    assert not combined("prophet", "gauge")


def test_without_the_extra_the_reason_names_it() -> None:
    code = (
        "import sys; sys.modules['prophet'] = None  # as if it were not there\n"
        "from forecast.models import candidates\n"
        "models, note = candidates('prophet', 'gauge', 500.0, below=False)\n"
        "print([model.name for model in models], note)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.startswith(
        "['prophet_map', 'snaive24'] prophet is not installed (pip install 'forewarn[forecast]')"
    )
