import numpy as np
import pytest

from forecast.models.base import Prediction
from forecast.outlook import Breach, Limits, curve_of, find_breach
from forecast.sources import Floats
from forewarn.base import words
from tests.support.hourly import BEGIN_MS, HOUR_MS, history

RISING = np.arange(72.0)
PAST = history(np.zeros(48))
START_MS = PAST.end_ms


def prediction(mean: Floats, half: float = 5.0) -> Prediction:
    offsets = {"p2.5": -2 * half, "p10": -half, "p90": half, "p97.5": 2 * half}
    return Prediction(mean, {name: mean + offset for name, offset in offsets.items()})


def curve(top: float) -> Floats:
    return np.linspace(0.01, top, 72)


def test_times_are_those_of_one_half_and_one_tenth() -> None:
    found = find_breach(PAST, prediction(RISING), Limits(30.0, below=False, unit=""), curve(0.72))
    assert (found.expected_ms, found.early_ms) == (START_MS + 49 * HOUR_MS, START_MS + 9 * HOUR_MS)
    assert found.chance is not None
    assert (found.chance.p72, found.chance.crossed_lately, found.reason) == (0.72, False, "")


def test_why_there_is_none() -> None:
    far = find_breach(PAST, prediction(RISING * 1e9), Limits(81e9, below=False, unit="bytes"), curve(0.12))
    assert (far.expected_ms, far.early_ms) == (None, START_MS + 59 * HOUR_MS)
    assert far.reason == (
        "a breach within 72 h has a chance of 12 %:"
        f" highest expected 66.1 GiB of 75.4 GiB on {words.moment(START_MS + 71 * HOUR_MS)}"
    )
    full = history(np.full(48, 100.0))
    low = find_breach(full, prediction(80 - RISING), Limits(5.0, below=True, unit=""), curve(0.3))
    assert f"lowest expected 9 against 5 on {words.moment(START_MS + 71 * HOUR_MS)}" in low.reason
    assert find_breach(PAST, prediction(RISING), Limits(None, below=False, unit=""), None) == Breach(
        reason="no limit is set"
    )


def test_already_over_the_limit_since_when() -> None:
    values = np.zeros(48)
    values[10:12] = 50
    values[40:46] = 50
    values[46:] = np.nan
    found = find_breach(history(values), prediction(RISING), Limits(50.0, below=False, unit="ratio"), curve(1.0))
    assert found.expected_ms == found.early_ms == BEGIN_MS + 40 * HOUR_MS
    assert found.reason == f"already over the limit of 5000 % since {words.moment(BEGIN_MS + 40 * HOUR_MS)}"
    assert found.chance is None


@pytest.mark.parametrize(("ago", "lately"), [(2, True), (71, True), (73, False)])
def test_the_plain_rule_looks_back_72_hours(ago: int, *, lately: bool) -> None:
    values = np.zeros(100)
    values[-ago] = 50
    found = find_breach(history(values), prediction(RISING), Limits(50.0, below=False, unit=""), curve(0.2))
    assert found.chance is not None
    assert found.chance.crossed_lately is lately


def test_bands_alone_speak_for_the_single_models() -> None:
    filling = curve_of("fill", PAST, prediction(RISING), Limits(30.0, below=False, unit=""))
    assert filling is not None
    assert filling[30] == pytest.approx(0.5, abs=0.01)
    emptying = curve_of("fill", PAST, prediction(-RISING), Limits(-30.0, below=True, unit=""))
    assert emptying is not None
    np.testing.assert_allclose(emptying, filling, atol=1e-9)
    gauge = curve_of("gauge", PAST, prediction(np.zeros(72)), Limits(9.0, below=False, unit=""))
    assert gauge is not None
    assert gauge[0] < gauge[71]
    turned = curve_of("gauge", PAST, prediction(np.zeros(72)), Limits(-9.0, below=True, unit=""))
    assert turned is not None
    np.testing.assert_allclose(turned, gauge, atol=0.05)  # the paths come in pairs, a path and its mirror image
    assert curve_of("gauge", PAST, prediction(RISING), Limits(None, below=False, unit="")) is None
