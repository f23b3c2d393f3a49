"""How good forecasts are: windows of measured series, and the figures read from them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from forecast.combiner.features import Features, Looks, features, scale_of
from forecast.combiner.net import LEVELS
from forecast.grid import GRID_HOURS, Flags, Grid
from forecast.members.past import Past
from forecast.members.statistics import mean
from forecast.models.prophet_map import fit_many
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats
from forecast.train.pool import CHUNK, joined
from forecast.train.series import SHORTEST_HOURS, Hourly

EVERY_HOURS = 36
LARGEST_MASE = 20.0
_LEVELS = np.array(LEVELS)
_Z = np.array([-1.959964, -1.281552, 0.0, 1.281552, 1.959964])
Names = np.ndarray[tuple[int, ...], np.dtype[np.str_]]


@dataclass(frozen=True)
class Windows:
    """Windows of 72 hours, what came in them and what peers said.

    Attributes:
        grid: [n, 672] what was known.
        actual: [n, 72].
        features: the combiner's inputs.
        scale: [n] of MASE.
        prophet: [n, 72, 5] quantiles of Prophet's model by its exact MAP; the middle one is yhat.
        yesterday: [n, 72] same hour yesterday.
        last: [n] the last value.
        source: [n] set.
        series: [n] set and name.
    """

    grid: Grid
    actual: Floats
    features: Features
    scale: Floats
    prophet: Floats
    yesterday: Floats
    last: Floats
    source: Names
    series: Names

    def rows(self, rows: Flags) -> "Windows":
        """Some of the windows."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        kept = {name: part[rows] for name, part in parts.items() if isinstance(part, np.ndarray)}
        return Windows(grid=self.grid.take(rows), features=self.features.rows(rows), **kept)

    @property
    def chosen(self) -> Flags:
        """Windows of the half of the series that choices are made on; the other half is for reading."""
        halves = {name: hashlib.sha256(name.encode()).digest()[0] % 2 == 0 for name in set(self.series.tolist())}
        return np.array([halves[name] for name in self.series.tolist()])


def windows(sets: Sequence[Hourly], statistic: str, most: int) -> Windows:
    """Up to ``most`` windows a series, the last first, with ten days of history at least."""
    pasts, futures, names = [], [], []
    for one in sets:
        values = one.of(statistic)
        for origin in range(values.size - HORIZON_HOURS, SHORTEST_HOURS - 1, -EVERY_HOURS)[:most]:
            before, future = values[max(0, origin - GRID_HOURS) : origin], values[origin : origin + HORIZON_HOURS]
            known = np.isfinite(before)
            if np.isfinite(future).mean() >= 0.9 and known.sum() >= 0.8 * SHORTEST_HOURS and known[-1]:
                pasts.append(before)
                futures.append(future)
                names.append((one.source, f"{one.source}/{one.name}"))
    grid = Grid.of(0, pasts)
    past = Past.of(grid)
    fits = fit_many(grid)
    source, series = (np.array(column) for column in zip(*names, strict=True))
    parts = [features(Looks(grid.take(slice(begin, begin + CHUNK)))) for begin in range(0, len(pasts), CHUNK)]
    return Windows(
        grid,
        np.stack(futures),
        joined(parts),
        scale_of(past),
        fits.forecast[..., None] + _Z * fits.spread[..., None],
        past.repeated(past.day),
        past.last,
        source,
        series,
    )


def mase(found: Floats, of: Windows) -> Floats:
    """Mean absolute scaled error of each window, 20 at most."""
    return np.minimum(mean(np.abs(found - of.actual)) / of.scale, LARGEST_MASE)


def quantile_score(found: Floats, of: Windows) -> Floats:
    """Mean pinball loss over the five quantiles in units of the scale, twice, [n]."""
    error = of.actual[..., None] - found
    pinball = np.maximum(_LEVELS * error, (_LEVELS - 1) * error)
    return np.minimum(2 * mean(mean(pinball)) / of.scale, LARGEST_MASE)


def coverage(found: Floats, actual: Floats, low: int, high: int) -> Floats:
    """Share of each window's hours between two quantiles, [n]."""
    inside = (actual >= found[..., low]) & (actual <= found[..., high])
    return mean(np.where(np.isfinite(actual), inside, np.nan))


def series_weights(of: Windows, rows: Flags) -> Floats:
    """How much each of some windows counts: each series the same in all."""
    _, which = np.unique(of.series[rows], return_inverse=True)
    return np.asarray(1 / np.bincount(which)[which])


def figures(found: Floats, of: Windows, rows: Flags) -> dict[str, float]:
    """What the table of results shows, over some windows, each series weighing the same.

    Args:
        found: [n, 72, 5] quantiles.
        of: the windows.
        rows: which windows.
    """
    weight = series_weights(of, rows)

    def average(values: Floats | Flags) -> float:
        return float(np.average(values[rows], weights=weight))

    ours, prophet, yesterday = mase(found[..., 2], of), mase(of.prophet[..., 2], of), mase(of.yesterday, of)
    last = mase(np.repeat(of.last[:, None], HORIZON_HOURS, axis=1), of)
    ratio = np.log((ours + 0.02) / (prophet + 0.02))
    return {
        "windows": float(rows.sum()),
        "series": float(np.unique(of.series[rows]).size),
        "mase": average(ours),
        "mase_to_prophet": average(ours) / average(prophet),
        "mase_to_prophet_geometric": float(np.exp(average(ratio))),
        "mase_to_yesterday": average(ours) / average(yesterday),
        "mase_to_better_naive": average(ours) / min(average(yesterday), average(last)),
        "better_than_prophet": average(ours < prophet),
        "better_than_yesterday": average(ours < yesterday),
        "coverage_80": average(coverage(found, of.actual, 1, 3)),
        "coverage_95": average(coverage(found, of.actual, 0, 4)),
        "quantile_score_to_prophet": average(quantile_score(found, of)) / average(quantile_score(of.prophet, of)),
    }
