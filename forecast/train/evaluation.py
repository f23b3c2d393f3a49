"""How good the forecasts of the installed weights are, read through the code that serves them."""

from collections.abc import Sequence
from time import process_time
from typing import Any

import numpy as np

from forecast.combiner import Combination, combine
from forecast.grid import GRID_HOURS, Grid
from forecast.members.past import Past
from forecast.models.prophet_map import fit_many
from forecast.train.reading import Windows, figures, mase, windows
from forecast.train.series import OPEN_SETS, Hourly

COLD_HOURS = (24, 48, 72, 168, 336, 672)
CHUNK = 500


def evaluate(sets: Sequence[Hourly], origins: int) -> dict[str, Any]:
    """Figures by statistic and group of series, of cold starts, and of cost.

    The net has seen none of the series; its intervals were calibrated on those of the open sets.
    """
    result: dict[str, Any] = {}
    for statistic in ("mean", "max"):
        found = windows(sets, statistic, origins)
        begin = process_time()
        quantiles = _combined(found.grid, statistic)
        cost = 1000 * (process_time() - begin) / len(found.actual)
        result[statistic] = {
            "groups": {name: figures(quantiles, found, rows) for name, rows in _groups(found).items()},
            "cold_start": _cold(found, statistic),
            "cpu_milliseconds_a_series": cost,
        }
    return result


def _groups(of: Windows) -> dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"]:
    seen = np.isin(of.source, OPEN_SETS)
    groups = {
        "all": np.ones(seen.size, dtype=np.bool_),
        "sources calibrated on": seen,
        "sources never seen": ~seen,
        "sources never seen, half for choices": ~seen & of.chosen,
        "sources never seen, half for reading": ~seen & ~of.chosen,
    }
    groups |= {str(name): of.source == name for name in np.unique(of.source)}
    return {name: rows for name, rows in groups.items() if rows.any()}


def _combined(grid: Grid, statistic: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    count = grid.values.shape[0]
    parts: list[Combination] = []
    for begin in range(0, count, CHUNK):
        some = grid.take(slice(begin, begin + CHUNK))
        parts.append(combine(some, "max" if statistic == "max" else "mean", fit_many(some)))
    return np.concatenate([part.quantiles for part in parts])


def _cold(of: Windows, statistic: str) -> dict[str, dict[str, float | None]]:
    """MASE with so many hours of history and no more, beside same hour yesterday's and Prophet's.

    None where it has nothing to say of some series.
    """
    old = of.grid.length >= max(COLD_HOURS[:-1])
    result: dict[str, dict[str, float | None]] = {}
    for hours in COLD_HOURS:
        values = of.grid.values[old].copy()
        values[:, : GRID_HOURS - hours] = np.nan
        young = Grid(of.grid.end_ms, values)
        some = of.rows(old)
        prophet = fit_many(young).forecast
        yesterday = Past.of(young)
        result[str(hours)] = {
            "mase": float(mase(_combined(young, statistic)[..., 2], some).mean()),
            "yesterday": float(mase(yesterday.repeated(yesterday.day), some).mean()),
            "prophet": float(mase(prophet, some).mean()) if np.isfinite(prophet).all() else None,
        }
    return result
