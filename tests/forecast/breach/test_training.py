"""The breach's training from end to end on little."""

import json
from pathlib import Path

import numpy as np
import pytest

from forecast.breach import net
from forecast.breach.turned import KNOTS
from forecast.combiner import weights
from forecast.train.__main__ import main
from forecast.train.breach.questions import ask, measured, synthetic
from forecast.train.series import read_sets

SERIES = Path(__file__).parents[2] / "data" / "series"


def test_questions_know_only_what_came_before_the_origin() -> None:
    windows = synthetic(12, np.random.default_rng(3))
    before = ask(windows, np.random.default_rng(4))
    windows.values[:, -72:] = 1e6
    after = ask(windows, np.random.default_rng(4))
    np.testing.assert_array_equal(before.series, after.series)
    np.testing.assert_array_equal(before.inputs, after.inputs)
    rising = after.source[after.asked < 12]
    assert rising.size
    assert after.crossed[after.asked < 12].all()
    assert not after.crossed[after.asked >= 12].any()  # nothing falls to what it was


def test_measured_windows_are_known_whole_after_their_origin() -> None:
    sets = read_sets(SERIES, ["helios", "nab"])
    found = measured(sets, "max", np.random.default_rng(1))
    assert found.extreme
    assert np.isfinite(found.values[:, -72:]).all()
    assert np.unique(found.source).size == len(sets)
    asked = ask(found.rows(slice(0, 20)), np.random.default_rng(2))
    assert asked.inputs.shape[1] == KNOTS.size
    assert (np.diff(asked.crossed.astype(int), axis=1) >= 0).all()


def test_platt_finds_what_was_too_bold() -> None:
    pytest.importorskip("torch")
    from forecast.train.breach.fitting import platt

    random = np.random.default_rng(1)
    said = random.normal(0, 2, 40_000)
    came = random.random(said.size) < 1 / (1 + np.exp(-(0.5 * said - 0.7)))
    slope, offset = platt(said, came, np.ones(said.size))
    assert slope == pytest.approx(0.5, abs=0.03)
    assert offset == pytest.approx(-0.7, abs=0.03)


def test_weights_are_made_read_and_say_in_numpy_what_they_say_in_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from forecast.train.breach.fitting import Recipe, Share, fit, logits
    from forecast.train.breach.making import make

    sets = read_sets(SERIES, ["helios", "nab"])
    for name in ("one", "two"):
        make(sets, tmp_path / name, seed=5, count=40, recipe=Recipe(steps=6, batch=32), most=4)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes(), "the same seed, the same weights"
    tensors, about = weights.read((tmp_path / "one").read_bytes())
    assert about["trained_on"] == "synthetic,helios,nab"
    assert np.isfinite(np.concatenate([tensor.ravel() for tensor in tensors.values()])).all()

    torch.set_num_threads(1)
    asked = ask(synthetic(6, np.random.default_rng(1)), np.random.default_rng(2))
    network = fit([Share(asked, 1.0)], 1, Recipe(steps=4, batch=16))
    found = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    told = net.probabilities(found, asked.series, asked.asked, asked.inputs)
    torch_says = logits(network, asked.series, asked.asked, asked.inputs)
    np.testing.assert_allclose(told, 1 / (1 + np.exp(-np.clip(torch_says, -9, 9))), atol=1e-4)


def test_figures_are_read_through_what_serves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    assert main(["evaluate-breach", "--data", str(SERIES), "--origins", "3", "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert json.loads(capsys.readouterr().out) == found
    everything = found["mean"]["all"]
    assert 0.1 < everything["crossed"] < 0.6
    ours, lately = everything["said"]["ours"], everything["said"]["it crossed in the last 72 h"]
    assert ours["brier"] < lately["brier"]
    assert sum(row[2] for row in everything["reliability"]) == everything["questions"]
