import numpy as np
import pytest

from forecast.grid import GRID_HOURS, Grid
from forecast.members import NAMES, forecasts
from forecast.members.smoothing import ALPHAS, smoothed_level

HOURS = np.arange(GRID_HOURS + 72)
DAY = 10 + 4 * np.sin(HOURS / 24 * 2 * np.pi)
WEEK = DAY + np.where(HOURS // 24 % 7 < 2, -3.0, 0.0)


def told(values: np.ndarray) -> dict[str, np.ndarray]:
    found = forecasts(Grid.of(0, [values]))
    assert found.shape == (1, len(NAMES), 72)
    return dict(zip(NAMES, found[0], strict=True))


FLAT = {"level", "resting", "middle", "recent_middle", "last", "drift"}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FLAT])
def test_a_day_that_repeats_is_foreseen(name: str) -> None:
    expected = DAY[GRID_HOURS:]
    np.testing.assert_allclose(told(DAY[:GRID_HOURS])[name], expected, atol=0.5)


@pytest.mark.parametrize("name", ["last_week", "weekly_profile", "week_at_level", "prophet"])
def test_a_week_that_repeats_is_foreseen(name: str) -> None:
    found = told(WEEK[: GRID_HOURS - 48])[name]
    np.testing.assert_allclose(found, WEEK[GRID_HOURS - 48 : GRID_HOURS + 24], atol=2.0 if name == "prophet" else 1e-6)


def test_levels_trends_and_what_is_just_now() -> None:
    values = DAY[:500].copy()
    values[-1] = 13.0
    found = told(values)
    np.testing.assert_allclose(found["last"], 13.0)
    np.testing.assert_allclose(found["level"], values[-24:].mean())
    np.testing.assert_allclose(found["middle"], np.median(values[-168:]))
    np.testing.assert_allclose(found["recent_middle"], np.median(values[-72:]))
    assert found["returning"][0] > found["profile"][0]
    assert abs(found["returning"][71] - found["profile"][71]) < 0.2
    rising = told(np.linspace(0, 600, 601))
    assert 600 < rising["drift"][0] < rising["drift"][71] < 600 + 72
    assert rising["theta"][71] > rising["smoothed"][71] + 24


@pytest.mark.parametrize(("hours", "missing"), [(24, 6), (47, 6), (48, 4), (96, 2), (400, 0)])
def test_members_that_need_more_history_are_not_there(hours: int, missing: int) -> None:
    found = told(DAY[:hours])
    absent = {name for name, path in found.items() if np.isnan(path).any()}
    assert all(np.isnan(found[name]).all() for name in absent)
    assert {"yesterday", "last", "level", "smoothed"}.isdisjoint(absent)
    assert {name for name in ("profile", "three_days", "returning") if name in absent} == (
        {"profile", "three_days", "returning"} if hours < 48 else set()
    )
    assert ("prophet" in absent) == (hours < 72)
    assert ("monthly_profile" in absent) == (hours < 96)
    assert ("last_week" in absent) == (hours < 168)
    assert ("weekly_profile" in absent) == (hours < 336)
    assert len(absent) >= missing


def test_nothing_far_beyond_what_was_seen() -> None:
    steep = np.concatenate([np.zeros(500), np.exp(np.linspace(0, 12, 100))])
    for path in told(steep).values():
        assert path.min() >= 0
        assert path.max() <= 2 * steep.max()


def test_smoothing_is_the_recursion_by_its_best_alpha() -> None:
    random = np.random.default_rng(3)
    values = np.cumsum(random.normal(0, 1, (5, 336)), axis=1)
    values[2, :200] = np.nan
    for row in range(5):
        known = values[row][np.isfinite(values[row])]
        errors, levels = [], []
        for alpha in ALPHAS:
            level, path = known[0], []
            for value in known:
                level += alpha * (value - level)
                path.append(level)
            errors.append(np.abs(known[24:] - np.array(path)[:-24]).mean())
            levels.append(level)
        assert smoothed_level(values[row : row + 1])[0] == pytest.approx(levels[int(np.argmin(errors))])
