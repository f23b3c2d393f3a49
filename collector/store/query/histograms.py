"""Quantiles of histograms from the growth of their buckets, as Prometheus' ``histogram_quantile`` defines them.

The rules are those of Prometheus 2.42 (promql/quantile.go): without a ``+Inf`` bucket, with fewer than two buckets or
without observations the answer is NaN; a quantile that lies in the ``+Inf`` bucket is the highest finite bound; in the
lowest bucket, where its bound is positive, 0 is the lower end; counts that fall with the bound are raised to the one
below; a quantile under 0 is -Inf, over 1 +Inf.
"""

from collections.abc import Iterator

import numpy as np

from collector.series import SeriesKey
from collector.store.model import Series, Values
from collector.store.query.table import Table

BOUND = "le"
_SUFFIX = "_bucket"


def quantiles(table: Table, quantile: float) -> list[tuple[SeriesKey, Values]]:
    """A quantile of each histogram in each window, by the histogram's name and labels without ``le``.

    A bucket without samples in a window is left out there, as a series that is not there is in Prometheus. Increases
    are exact over every tier, and so is the quantile.

    Args:
        table: series named ``..._bucket`` with their ``increase``; others are left out.
        quantile: of the observations in a window, 0 to 1.
    """
    return [
        (key, _estimate(quantile, np.array(bounds), table["increase"][lines]))
        for key, bounds, lines in _histograms(table.series)
    ]


def _histograms(series: list[Series]) -> Iterator[tuple[SeriesKey, list[float], list[int]]]:
    """Histograms: key, bounds in rising order, lines of their buckets."""
    found: dict[SeriesKey, list[tuple[float, int]]] = {}
    for line, one in enumerate(series):
        bound = _bound(one)
        if bound is not None:
            labels = tuple(pair for pair in one.key.labels if pair[0] != BOUND)
            key = SeriesKey(one.key.name.removesuffix(_SUFFIX), labels)
            found.setdefault(key, []).append((bound, line))
    for key, buckets in found.items():
        bounds, lines = zip(*sorted(buckets), strict=True)
        yield key, list(bounds), list(lines)


def _bound(series: Series) -> float | None:
    try:
        bound = float(series.key.label(BOUND))
    except ValueError:  # no bucket: no bound, or one that is no number
        return None
    return bound if series.key.name.endswith(_SUFFIX) and not np.isnan(bound) else None


def _estimate(quantile: float, bounds: Values, counts: Values) -> Values:
    """The quantile in each column of counts, which has a line a bound."""
    answer = np.full(counts.shape[1], np.nan)
    there = np.isfinite(counts)
    patterns, places = np.unique(there, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        columns = np.flatnonzero(places.ravel() == number)
        answer[columns] = _of_buckets(quantile, bounds[pattern], counts[np.ix_(pattern, columns)])
    return answer


def _of_buckets(quantile: float, bounds: Values, counts: Values) -> Values:
    """As ``_estimate``, where every bucket has a count in every column."""
    bounds, counts = _one_a_bound(bounds, counts)
    nothing = np.full(counts.shape[1], np.nan)
    if not len(bounds) or np.isnan(quantile):
        return nothing
    if not 0 <= quantile <= 1:
        return np.full(counts.shape[1], np.copysign(np.inf, quantile))
    if len(bounds) < 2 or not np.isposinf(bounds[-1]):
        return nothing
    counts = np.maximum.accumulate(counts, axis=0)
    seen = counts[-1] > 0
    rank = quantile * counts[-1]
    bucket = np.minimum(np.count_nonzero(counts[:-1] < rank, axis=0), len(bounds) - 1)
    below = np.concatenate((np.zeros((1, counts.shape[1])), counts))[bucket, np.arange(counts.shape[1])]
    inside = counts[bucket, np.arange(counts.shape[1])] - below
    lower = np.concatenate(([0.0], bounds))[bucket]
    highest = bucket == len(bounds) - 1
    upper = np.where(highest, bounds[-2], bounds[bucket])
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 where nothing was observed: NaN is the answer
        between = lower + (upper - lower) * ((rank - below) / inside)
    flat = highest | ((bucket == 0) & (bounds[0] <= 0))
    return np.where(seen, np.where(flat, upper, between), nothing)


def _one_a_bound(bounds: Values, counts: Values) -> tuple[Values, Values]:
    """Bounds that are written in two ways, 1 and 1.0, are one bucket."""
    starts = np.flatnonzero(np.concatenate((np.ones(min(1, len(bounds)), np.bool_), bounds[1:] != bounds[:-1])))
    return (bounds, counts) if len(starts) == len(bounds) else (bounds[starts], np.add.reduceat(counts, starts, axis=0))
