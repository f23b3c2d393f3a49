"""What load a resource allows, where the truth is known."""

import numpy as np
import pytest

from forecast.plan.relation import FARTHEST, Relation, rising

HOURS = np.arange(28 * 24)


def relate(load: np.ndarray, level: np.ndarray) -> Relation:
    found = Relation.of(load, level, np.random.default_rng(1))
    assert isinstance(found, Relation), found
    return found


@pytest.fixture
def load(random: np.random.Generator) -> np.ndarray:
    return 100 * (1 + 0.5 * np.sin(2 * np.pi * HOURS / 24)) + random.normal(0, 5, HOURS.size)


def test_pooled_neighbours_never_fall() -> None:
    assert rising(np.array([1.0, 3.0, 2.0, 2.0, 5.0])) == pytest.approx([1, 7 / 3, 7 / 3, 7 / 3, 5])


def test_the_load_of_a_line_with_noise(load: np.ndarray, random: np.random.Generator) -> None:
    level = 0.005 * load + random.normal(0, 0.02, load.size)
    found = relate(load, level)
    assert found.explained > 0.95
    exact = (0.95 - 1.645 * 0.02) / 0.005  # where a normal's 95th percentile is at .95
    assert found.load_at(0.95, 0.05, load.max()) == pytest.approx(exact, rel=0.04)


def test_a_bend_is_followed(load: np.ndarray) -> None:
    level = np.maximum(load - 100, 0) ** 2 / 2_000
    found = relate(load, level)
    assert found.load_at(0.8, 0.5, load.max()) == pytest.approx(140, rel=0.03)


def test_outliers_do_not_turn_it(load: np.ndarray, random: np.random.Generator) -> None:
    level = 0.005 * load
    level[random.choice(load.size, 12, replace=False)] = 0.0
    assert relate(load, level).load_at(0.7, 0.5, load.max()) == pytest.approx(140, rel=0.05)


def test_what_the_load_does_not_explain(load: np.ndarray, random: np.random.Generator) -> None:
    assert relate(load, random.normal(0, 1, load.size)).explained < 0.1
    assert relate(load, -load).explained < 0.1


def test_nothing_is_said_far_beyond_the_highest_load(load: np.ndarray) -> None:
    assert relate(load, 0.001 * load).load_at(0.95, 0.05, load.max()) is None
    assert FARTHEST == 1.5


@pytest.mark.parametrize(
    ("load", "level", "reason"),
    [
        (np.full(400, 5.0), np.arange(400.0), "varies too little"),
        (np.zeros(400), np.arange(400.0), "varies too little"),
        (np.arange(400.0), np.ones(400), "the resource does not move"),
        (np.arange(40.0), np.arange(40.0), "40 hours have both, 72 on 4 days are needed"),
        (np.full(400, np.nan), np.arange(400.0), "0 hours have both, 72 on 4 days are needed"),
    ],
)
def test_why_nothing_can_be_said(load: np.ndarray, level: np.ndarray, reason: str) -> None:
    assert Relation.of(load, level, np.random.default_rng(1)) == reason
