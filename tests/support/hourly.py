"""Hourly histories and forecasts for tests of models and of what uses forecasts."""

import numpy as np
from numpy.typing import ArrayLike

from collector.series import SeriesKey
from forecast.chance import Chance
from forecast.prepare import History
from forecast.results import POINT_NAMES, Forecast

HOUR_MS = 3_600_000
BEGIN_MS = 1_760_000_400_000  # a whole hour


def history(values: ArrayLike) -> History:
    """An hourly history that starts at BEGIN_MS."""
    array = np.asarray(values, dtype=np.float64)
    return History(BEGIN_MS, array, float(array.size))


def forecast(key: str = "x", **changes: object) -> Forecast:
    """A forecast of 72 hours around 1 to 3.5, with anything else that the test names."""
    fields: dict[str, object] = {
        "target": SeriesKey.parse(key),
        "statistic": "mean",
        "kind": "gauge",
        "unit": "ratio",
        "made_ms": BEGIN_MS + 1234,
        "as_of_ms": BEGIN_MS + 1000,
        "model": "snaive24",
        "status": "ok",
        "reason": "",
        "history_hours": 100.5,
        "step_ms": HOUR_MS,
        "start_ms": BEGIN_MS,
        "points": {name: [1.0 + place + hour / 48 for hour in range(72)] for place, name in enumerate(POINT_NAMES)},
        "limit": 2.0,
    }
    return Forecast(**{**fields, **changes})  # type: ignore[arg-type]


def chance(steps: dict[int, float], *, crossed_lately: bool = False) -> Chance:
    """A chance that rises at the ends of some hours: ``{6: 0.2, 48: 0.7}`` is 20 % within 6 h, 70 % within 48 h."""
    curve = [max((share for hours, share in steps.items() if hours <= hour + 1), default=0.0) for hour in range(72)]
    return Chance.of(curve, crossed_lately=crossed_lately)
