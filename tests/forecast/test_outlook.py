import numpy as np

from forecast.models.base import Prediction
from forecast.outlook import Breach, Limits, find_breach
from forewarn.base import words
from tests.support.hourly import BEGIN_MS, HOUR_MS, history

RISING = np.arange(72.0)
PAST = history(np.zeros(48))
START_MS = PAST.end_ms


def prediction(mean: np.ndarray, half: float = 5.0) -> Prediction:
    offsets = {"p2.5": -2 * half, "p10": -half, "p90": half, "p97.5": 2 * half}
    return Prediction(mean, {name: mean + offset for name, offset in offsets.items()})


def test_the_first_hour_at_the_limit_counts_and_the_band_gets_there_earlier() -> None:
    found = find_breach(PAST, prediction(RISING), Limits(30.0, below=False, unit=""))
    assert found == Breach(START_MS + 30 * HOUR_MS, START_MS + 25 * HOUR_MS)


def test_a_limit_below() -> None:
    past = history(np.full(48, 100.0))
    found = find_breach(past, prediction(80 - RISING), Limits(20.0, below=True, unit="bytes"))
    assert found == Breach(START_MS + 60 * HOUR_MS, START_MS + 55 * HOUR_MS)


def test_why_there_is_none() -> None:
    far = find_breach(PAST, prediction(RISING * 1e9), Limits(81e9, below=False, unit="bytes"))
    assert far.expected_ms is None
    assert far.reason == (
        f"stays below: highest expected 66.1 GiB of 75.4 GiB on {words.moment(START_MS + 71 * HOUR_MS)};"
        " the 80 % band stays below it for 72 h"
    )
    near = find_breach(PAST, prediction(RISING), Limits(74.0, below=False, unit=""))
    assert (near.expected_ms, near.early_ms) == (None, START_MS + 69 * HOUR_MS)
    assert "the edge of the 80 % band reaches it on" in near.reason
    assert find_breach(PAST, prediction(RISING), Limits(None, below=False, unit="")).reason == "no limit is set"


def test_already_over_the_limit_since_when() -> None:
    values = np.zeros(48)
    values[10:12] = 50
    values[40:46] = 50
    values[46:] = np.nan
    found = find_breach(history(values), prediction(RISING), Limits(50.0, below=False, unit="ratio"))
    assert found.expected_ms == found.early_ms == BEGIN_MS + 40 * HOUR_MS
    assert found.reason == f"already over the limit of 5000 % since {words.moment(BEGIN_MS + 40 * HOUR_MS)}"
