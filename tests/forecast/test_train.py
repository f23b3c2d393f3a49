"""Training from end to end on little, and the series that it is made of."""

import json
from pathlib import Path

import numpy as np
import pytest

from forecast.combiner import weights
from forecast.train.__main__ import main
from forecast.train.pool import build
from forecast.train.series import read_sets
from forecast.train.synthetic import KINDS, drift, series
from forewarn.base.errors import ForewarnError

SERIES = Path(__file__).parent.parent / "data" / "series"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.strip("_"))
def test_every_kind_of_series_is_finite_and_mostly_moves(kind: object) -> None:
    made = [kind(np.random.default_rng(seed), 744) for seed in range(40)]  # type: ignore[operator]
    assert all(values.shape == (744,) and np.isfinite(values).all() for values in made)
    assert np.mean([values.std() > 0 for values in made]) > 0.9


def test_series_are_finite_and_the_same_for_the_same_seed() -> None:
    for seed in range(150):
        values = series(np.random.default_rng(seed), 744)
        assert np.isfinite(values).all()
        if seed < 5:
            np.testing.assert_array_equal(values, series(np.random.default_rng(seed), 744))


def test_a_drift_forgets_as_it_says() -> None:
    values = drift(np.random.default_rng(1), 40_000, 20.0)
    assert values.std() == pytest.approx(1, abs=0.1)
    assert np.corrcoef(values[20:], values[:-20])[0, 1] == pytest.approx(np.exp(-1), abs=0.08)


def test_windows_know_only_what_came_before_the_origin() -> None:
    pool = build(60, np.random.default_rng(3))
    assert pool.target.shape == (60, 72)
    assert np.isfinite(pool.target).all()
    for part in (pool.features.windows, pool.features.hours, pool.features.members):
        assert np.isfinite(part).all()
    again = build(60, np.random.default_rng(3))
    np.testing.assert_array_equal(pool.features.windows, again.features.windows)
    np.testing.assert_array_equal(pool.target, again.target)


def test_hours_of_measured_series() -> None:
    sets = read_sets(SERIES, ["helios", "nab"])
    assert {one.source for one in sets} == {"helios", "nab"}
    for one in sets:
        known = np.isfinite(one.mean)
        assert known.sum() >= 240
        assert (one.max[known] >= one.mean[known] - 1e-9).all()
    with pytest.raises(ForewarnError, match=r"elsewhere\.csv\.gz is not there"):
        read_sets(SERIES, ["elsewhere"])


def test_weights_are_made_and_read(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from forecast.train.fitting import Recipe
    from forecast.train.making import make

    sets = read_sets(SERIES, ["helios", "nab"])
    for name in ("one", "two"):
        make(sets, tmp_path / name, seed=5, count=300, recipe=Recipe(steps=12, batch=64))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes(), "the same seed, the same weights"
    tensors, about = weights.read((tmp_path / "one").read_bytes())
    assert about["calibrated_on"] == "helios,nab"
    assert np.isfinite(np.concatenate([tensor.ravel() for tensor in tensors.values()])).all()


def test_figures_are_read_through_what_serves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    arguments = ["evaluate", "--data", str(SERIES), "--origins", "2", "--out", str(out)]
    assert main(arguments) == 0
    found = json.loads(out.read_text())
    assert json.loads(capsys.readouterr().out) == found
    everything = found["mean"]["groups"]["all"]
    assert everything["series"] == 5
    assert 0.2 < everything["mase_to_prophet"] < 1.5
    assert 0.5 < everything["coverage_95"] <= 1
    assert set(found["max"]["cold_start"]) == {"24", "48", "72", "168", "336", "672"}
