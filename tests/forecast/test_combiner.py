"""The combiner: its net in NumPy against torch, its file against the library, its answers against what is known."""

import dataclasses
import math
from pathlib import Path
from time import process_time

import numpy as np
import pytest

from forecast.combiner import combine, conformal, net, plain, weights
from forecast.combiner.features import Features, Looks, features
from forecast.grid import GRID_HOURS, Grid
from forecast.members import NAMES, PROPHET_STEPS
from forecast.members.past import Past
from forecast.models.prophet_map import fit_many

HOURS = np.arange(GRID_HOURS + 72)


@pytest.fixture(scope="module")
def grid() -> Grid:
    """Series of every length, with holes, walks and days."""
    random = np.random.default_rng(8)
    values = np.cumsum(random.normal(0, 1, (40, GRID_HOURS)), axis=1)
    values[:20] += 10 * np.sin(HOURS[:GRID_HOURS] / 24 * 2 * np.pi)
    for row, hours in enumerate((24, 30, 48, 96, 168, 200, 350, 600)):
        values[row, : GRID_HOURS - hours] = np.nan
    values[20, 100:120] = np.nan
    values[21, -10:] = np.nan
    return Grid(0, values)


def rows_of(told: Features, rows: slice) -> list[np.ndarray]:
    return [getattr(told, field.name)[rows] for field in dataclasses.fields(told)]


def test_the_activation_is_x_times_its_logistic() -> None:
    x = np.linspace(-200, 200, 4001, dtype=np.float32)
    logistic = [math.exp(min(value, 0)) / (1 + math.exp(-abs(value))) for value in x.tolist()]
    np.testing.assert_allclose(net.silu(x), x * np.array(logistic), atol=1e-5)


def test_the_net_says_what_torch_says(grid: Grid) -> None:
    torch = pytest.importorskip("torch")
    from forecast.train.network import Network, apply

    told = features(Looks(grid))
    torch.manual_seed(3)
    network = Network(told.windows.shape[1], told.hours.shape[2], len(NAMES))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    network.mean.copy_(torch.from_numpy(told.windows.mean(axis=0)))
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    reference = apply(network, told)
    found = net.quantiles(tensors, told)
    np.testing.assert_allclose(found, reference, rtol=1e-4, atol=1e-5)
    assert (np.diff(found, axis=2) >= 0).all()


def test_the_file_is_what_the_library_reads_and_writes(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    random = np.random.default_rng(1)
    tensors = {"a.weight": random.random((7, 3), dtype=np.float32), "b": random.random(5, dtype=np.float32)}
    weights.write(tmp_path / "ours", tensors, {"seed": "1"})
    theirs = library.load_file(tmp_path / "ours")
    library.save_file(tensors, tmp_path / "theirs")
    ours, _ = weights.read((tmp_path / "theirs").read_bytes())
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(theirs[name], tensor)
        np.testing.assert_array_equal(ours[name], tensor)
    assert weights.read((tmp_path / "ours").read_bytes())[1] == {"seed": "1"}


@pytest.mark.parametrize(
    "data", [b"", b"\x05\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]", b"\x0d\0\0\0\0\0\0\0" + b'{"a":{"x":1}}']
)
def test_a_broken_file_is_named(data: bytes) -> None:
    with pytest.raises(weights.WeightsError, match="not a safetensors file"):
        weights.read(data)


def test_what_ships_is_small_and_fits_the_features(grid: Grid) -> None:
    found = weights.shipped("combiner")
    assert found is not None
    tensors, about = found
    assert sum(tensor.nbytes for tensor in tensors.values()) < 1_000_000
    assert about["trained_on"] == "synthetic"
    assert set(about["calibrated_on"].split(",")) <= {"nab", "msft_cloud", "helios"}, "what may ship"
    told = features(Looks(grid))
    assert tensors["first.weight"].shape[1] == told.windows.shape[1]
    assert tensors["hour.weight"].shape[1] == told.hours.shape[2]
    for statistic in ("mean", "max"):
        factors = tensors[f"factors.{statistic}"]
        assert factors.shape == (conformal.GROUPS, 2)
        assert (factors > 0.3).all()


def test_features_know_nothing_of_unit_and_place(grid: Grid) -> None:
    one, other = features(Looks(grid)), features(Looks(grid.within(np.full(40, 1e-3))))
    for name in ("hours", "members", "plain", "tolerance"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=2e-3)
    np.testing.assert_allclose(one.windows, other.windows, atol=2e-3)


def test_series_do_not_touch_each_other(grid: Grid) -> None:
    together = combine(grid).quantiles
    for row in (0, 3, 20, 39):
        alone = combine(grid.take(slice(row, row + 1))).quantiles[0]
        np.testing.assert_allclose(alone, together[row], rtol=1e-4, atol=1e-4)


def test_an_earlier_look_is_the_look_of_then(grid: Grid) -> None:
    rows = np.arange(22, 40)
    looks = Looks(grid)
    now = features(looks, 72, rows)
    earlier = grid.before(72).take(rows)
    then = features(Looks(earlier, fit_many(earlier, PROPHET_STEPS)))
    for ours, theirs in zip(rows_of(now, slice(None)), rows_of(then, slice(None)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("trained", [True, False])
def test_quantiles_are_monotone_and_finite(grid: Grid, trained: bool) -> None:  # noqa: FBT001
    told = combine(grid, trained=trained)
    assert told.trained == trained
    assert told.quantiles.shape == (40, 72, 5)
    assert np.isfinite(told.quantiles).all()
    assert (np.diff(told.quantiles, axis=2) >= 0).all()
    assert (told.quantiles[..., 4] > told.quantiles[..., 0]).all()


def test_a_minimum_is_a_maximum_turned_over(grid: Grid) -> None:
    low = combine(grid, "min").quantiles
    high = combine(Grid(0, -grid.values), "max").quantiles
    np.testing.assert_allclose(low, -high[..., ::-1], rtol=1e-6, atol=1e-6)


def test_a_day_and_a_week_are_foreseen_and_a_constant_stays() -> None:
    day = 50 + 20 * np.sin(HOURS / 24 * 2 * np.pi)
    week = day - np.where(HOURS // 24 % 7 >= 5, 15.0, 0.0)
    noise = np.random.default_rng(2).normal(0, 1, (2, HOURS.size))
    values = np.stack([day + noise[0], week + noise[1], np.full(HOURS.size, 7.0)])
    told = combine(Grid(0, values[:, :GRID_HOURS])).quantiles
    assert np.abs(told[0, :, 2] - day[GRID_HOURS:]).mean() < 1.5
    assert np.abs(told[1, :, 2] - week[GRID_HOURS:]).mean() < 3
    np.testing.assert_array_equal(told[2], 7.0)
    inside = (values[:2, GRID_HOURS:] >= told[:2, :, 0]) & (values[:2, GRID_HOURS:] <= told[:2, :, 4])
    assert inside.mean() > 0.85


def test_what_is_less_sure_is_wider() -> None:
    random = np.random.default_rng(4)
    walk = np.cumsum(random.normal(0, 1, (30, GRID_HOURS)), axis=1)
    told = combine(Grid(0, walk)).quantiles
    width = (told[..., 3] - told[..., 1]).mean(axis=0)
    assert width[71] > 1.5 * width[2], "a walk is less known in three days than in three hours"


def test_one_hour_of_history_has_an_answer() -> None:
    told = combine(Grid.of(0, [np.array([3.0]), np.arange(5.0)])).quantiles
    assert np.isfinite(told).all()


def test_the_plain_combination_prefers_who_came_near() -> None:
    members = np.broadcast_to(np.arange(float(len(NAMES)))[None, :, None], (2, len(NAMES), 72)).copy()
    members[:, 3] = np.nan
    errors = np.full((2, len(NAMES)), 2.0)
    errors[0, 5] = 0.1
    errors[1] = np.nan
    told = plain.combine(members, errors)
    np.testing.assert_allclose(told.weights.sum(axis=1), 1)
    assert told.weights[0, 5] > 0.99
    assert told.path[0, 0] == pytest.approx(5, abs=0.1)
    assert told.weights[1, 3] == 0
    assert np.count_nonzero(told.weights[1]) == 3, "where nobody was judged, the first ones share"


def test_factors_bring_intervals_to_what_they_say() -> None:
    random = np.random.default_rng(6)
    loud = np.arange(900) % 3 == 0
    actual = random.normal(0, 1, (900, 72)) * np.where(loud, 3.0, 1.0)[:, None]
    edges = np.array([-1.96, -1.28, 0.0, 1.28, 1.96])
    quantiles = np.broadcast_to(edges, (900, 72, 5))
    groups = np.where(loud, 3, 1)
    table = conformal.learned(quantiles, actual, groups, np.ones(900))
    held = conformal.widened(np.array(quantiles), table[groups])
    for low, high, level in ((0, 4, 0.95), (1, 3, 0.8)):
        inside = (actual >= held[..., low]) & (actual <= held[..., high])
        for rows in (loud, ~loud):
            assert inside[rows].mean() == pytest.approx(level, abs=0.01)
    np.testing.assert_allclose(table[3], 3, rtol=0.1)
    np.testing.assert_allclose(table[1], 1, rtol=0.1)
    np.testing.assert_allclose(table[0], table[4], err_msg="groups without windows take the factors of all")


def test_what_wanders_is_told_from_what_comes_back() -> None:
    random = np.random.default_rng(9)
    steps = random.normal(0, 1, (50, GRID_HOURS))
    assert conformal.wander(Past.of(Grid(0, np.cumsum(steps, axis=1)))).mean() > 1.7
    assert conformal.wander(Past.of(Grid(0, steps))).mean() == pytest.approx(1, abs=0.03)
    odd = conformal.wander(Past.of(Grid.of(0, [np.full(GRID_HOURS, 3.0), steps[0, :150]])))
    assert odd[0] == 1
    assert np.isnan(odd[1])
    assert conformal.group_of(np.array([0.9, 1.2, 1.5, 2.6, np.nan])).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.timed
@pytest.mark.alone
def test_a_batch_costs_little() -> None:
    """A bound of three times what is measured, for machines that are busy."""
    random = np.random.default_rng(6)
    grid = Grid(0, np.cumsum(random.normal(0, 1, (200, GRID_HOURS)), axis=1))
    begin = process_time()
    combine(grid)
    assert process_time() - begin < 200 * 7e-3
