"""What the benchmark of forecasts is made of, where it needs no peer's library."""

import subprocess
from pathlib import Path

import numpy as np
import orjson
import pytest

from bench import document
from bench.forecasting import accuracy, breaching, cold, costs, exactness, ours, windows
from bench.forecasting.accuracy import OURS, PROPHET, Method, Reading
from bench.forecasting.breaching import Verdict
from bench.forecasting.filling import SHARES, Fills
from bench.forecasting.goals import GOALS, Measured, figures
from bench.peers import plain
from bench.report import Figure, Report, Table, Within
from forecast.train.reading import Windows as TrainingWindows
from forecast.train.series import OPEN_SETS, UNSEEN_SETS
from tests.support.samples import daily, write_samples

MACHINE = {
    "cpu": "a CPU",
    "cores": 2,
    "memory_mib": 2048,
    "kernel": "6.1",
    "disk": {"device": "/dev/sda", "model": "a disk", "filesystem": "ext4"},
    "load_at_start": 0.1,
    "versions": {"python": "3.11"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("series")
    write_samples(path / "nab.csv.gz", {"busy": daily(900, 1), "calm": daily(900, 2, level=30), "short": daily(100)})
    return path


@pytest.fixture(scope="module")
def of(folder: Path) -> windows.Windows:
    return windows.windows(windows.read(folder, ("nab", "helios")), 3)


def test_windows_lie_evenly_and_short_series_have_none(of: windows.Windows) -> None:
    assert np.unique(of.series).tolist() == ["busy", "calm"]
    assert np.diff(of.hour[of.series == "busy"]).tolist() == [294, 294]
    assert of.past.shape == (6, 672)
    assert np.isfinite(of.actual).all()
    assert not of.unseen.any()


def test_origins_of_short_series_keep_a_day_apart(tmp_path: Path) -> None:
    write_samples(tmp_path / "nab.csv.gz", {"a": daily(240 + 72 + 49)})
    found = windows.windows(windows.read(tmp_path, ("nab",)), 8)
    assert np.diff(found.hour).tolist() == [24, 25]


def test_the_split_is_that_of_training() -> None:
    names = np.array([f"nab/{place}" for place in range(200)])
    training = TrainingWindows.chosen.fget(type("Named", (), {"series": names}))  # type: ignore[attr-defined]
    assert [windows.for_choices(name) for name in names.tolist()] == training.tolist()
    assert 60 < training.sum() < 140
    assert (windows.OPEN_SETS, windows.UNSEEN_SETS) == (OPEN_SETS, UNSEEN_SETS)


def test_forewarn_answers_through_its_command_line(folder: Path, of: windows.Windows, tmp_path: Path) -> None:
    asked = breaching.thresholds(of)
    found = ours.backtest(folder, of, tmp_path, asked)
    assert np.isfinite(found.quantiles).all()
    assert (np.diff(found.quantiles, axis=2) >= 0).all()
    within = found.chances[..., :3]
    assert (np.isfinite(within) == np.isfinite(asked)[..., None]).all()
    said = breaching.questions(of, asked)
    verdict = Verdict(found.chances[said.window, said.column, 2], 0.5, probability=True).criteria(said.crossed)
    assert (verdict["AUC"] or 0) > 0.8, "a day's wave is no riddle"

    reading = Reading(of, {OURS: Method(found.quantiles[..., 2], found.quantiles)} | accuracy.plain_methods(of))
    every = np.ones(len(of), dtype=np.bool_)
    assert reading.ratio("last value", every) < 0.3
    assert reading.to_better_naive(every) == pytest.approx(reading.ratio("same hour yesterday", every))
    reading.methods = reading.methods | {PROPHET: reading.methods[OURS]}  # type: ignore[operator]
    reading.__post_init__()
    assert reading.ratio(PROPHET, every) == reading.loss_ratio(every) == 1
    assert reading.interval(every) == (1, 1)
    assert [row[0] for row in accuracy.by_method(reading).rows][:2] == [OURS, "same hour yesterday"]
    assert len(accuracy.by_part(reading, "x").rows) == len(accuracy.parts(of)) >= 3


def test_cut_histories_are_answered_too(of: windows.Windows, tmp_path: Path) -> None:
    old = cold.old_windows(of)
    assert len(old) == 4
    found = cold.read(old, tmp_path, {})
    assert set(found) == {24, 72, 168}
    assert found[168]["Forewarn"] < found[24]["same hour yesterday"]
    assert cold.by_hours(old, found).rows[0][-1] == "-"


def test_what_fills_up_fills_in_half_of_the_questions(of: windows.Windows, tmp_path: Path) -> None:
    fills = Fills(of)
    assert np.isfinite(fills.full).mean() == 0.5
    assert fills.capacities.shape == (4, SHARES.size)
    found = fills.methods(tmp_path, None)
    assert fills.criteria(fills.full) == (1, 0, 0)
    for name in (OURS, "hour-of-day rate over 7 d, integrated"):
        f1, median, _ = fills.criteria(found[name])
        assert f1 > 0.9
        assert median <= 1


def test_thresholds_below_the_last_hours_are_not_asked(of: windows.Windows) -> None:
    found = breaching.thresholds(of)
    now = of.past[:, -3:].max(axis=1)
    assert (found > now[:, None])[np.isfinite(found)].all()
    week = of.past[:, -168:]
    np.testing.assert_allclose(found[:, 2], week.max(axis=1))


def test_predict_linear_is_that_of_prometheus(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 100, 200).astype(float)
    values[[170, 190]] = np.nan
    said = plain.predict_linear(values[None], 24)[0].tolist()
    series = " ".join("_" if np.isnan(value) else f"{value:g}" for value in values)
    questions = [
        {  # half a minute after the last sample, so that the range holds 24 of them at either kind of edge
            "expr": f"abs(predict_linear(m[24h], {hour * 3600 - 30}) - {said[hour - 1]!r}) < bool 1e-6",
            "eval_time": f"{199 * 60}m30s",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for hour in (1, 24, 72)
    ]
    tests = {"interval": "1h", "input_series": [{"series": "m", "values": series}], "promql_expr_test": questions}
    file = tmp_path / "test.json"
    file.write_bytes(orjson.dumps({"rule_files": [], "evaluation_interval": "1m", "tests": [tests]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_plain_peers() -> None:
    bridged = np.tile(np.arange(24.0), (2, 20))
    assert plain.yesterday(bridged)[0].tolist() == list(range(24)) * 3
    assert set(plain.last(bridged)[1].tolist()) == {23.0}
    levels = np.cumsum(bridged, axis=1)
    expected = levels[:, -1:] + np.cumsum(np.tile(np.arange(24.0), (2, 3)), axis=1)
    np.testing.assert_allclose(plain.rate_by_hour_of_day(levels), expected)


def test_a_peer_is_cut_to_what_is_possible(of: windows.Windows) -> None:
    wild = np.full((len(of), 72), 1e9)
    high, low = of.past.copy(), np.nanmin(of.past, axis=1)
    top = np.nanmax(high, axis=1)
    np.testing.assert_allclose(accuracy.bounded(wild, of)[:, 0], top + 3 * (top - low))
    assert accuracy.bounded(-wild, of).max() == 0


def test_our_maximum_in_their_order_is_the_same_maximum(of: windows.Windows) -> None:
    from forecast.grid import Grid
    from forecast.models.prophet_map import SLOPES, fit_many

    grid = Grid(exactness.END_MS, of.past)
    fits = fit_many(grid)
    theta = fits.theta[0]
    more = {
        "parameter_m": theta[:1],
        "parameter_k": theta[1:2],
        "parameter_delta": theta[SLOPES],
        "parameter_beta": theta[SLOPES.stop :],
        "parameter_sigma_obs": fits.sigma[:1],
    }
    found, sigma = exactness._theta(more)
    np.testing.assert_array_equal(found, theta)
    assert exactness._objective(fits, grid, 0, found, sigma) == exactness._objective(fits, grid, 0)
    worse = exactness._objective(fits, grid, 0, found * 1.01, sigma)
    assert worse > exactness._objective(fits, grid, 0)


def test_a_refresh_is_weighed(of: windows.Windows, tmp_path: Path) -> None:
    found = costs.refresh(of, 3, tmp_path)
    assert (found.forecasts, found.answered, found.scored) == (6, 6, 6)
    assert found.imported == []
    assert 30 < found.mib < 200
    cost = costs.batches(of.past, np.nanmax(of.past, axis=1))
    assert 0 < cost["fit"] < 500
    assert 0 < cost["answer"] < 500


def test_goals_reach_stretch_or_miss() -> None:
    assert Within(78, 82).holds(80)
    assert not Within(78, 82).holds(None)
    assert Within(least=91).words("%") == ">= 91 %"
    assert Within(78, 82).words("%") == "78 to 82 %"
    rows = figures({"mase": Measured(0.59, "", 1.0), "cover_80": Measured(83.0), "auc": Measured(0.87)})
    assert [(row.reached, row.stretched) for row in rows] == [(True, True), (False, False), (True, False)]
    assert len({goal.name for goal in GOALS.values()}) >= 25


def test_the_page_shows_goals_tables_and_pictures(tmp_path: Path) -> None:
    report = Report("forecast", MACHINE, quick=False)
    report.add(Figure("a share", 0.5, "", Within(most=0.6), "a note", Within(most=0.4), {"Prophet here": "1"}))
    report.tables.append(Table("More", ["", "MASE"], [["Forewarn", "1.2"]]))
    report.raw["pictures"] = {"A picture": "a.svg"}
    report.finish(tmp_path)
    page = document.filled(document.PAGE.read_text(), tmp_path)
    assert "| figure | measured | reach | stretch | Prophet here | reached | remark |" in page
    assert "| a share | 0.5 | <= 0.6 | <= 0.4 | 1 | yes | a note |" in page
    assert "More:\n\n|  | MASE |\n|---|---|\n| Forewarn | 1.2 |" in page
    assert "![A picture](../bench/results/a.svg)" in page
