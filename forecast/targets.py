"""Capacity targets: which of the store's series are forecast, and where their capacity ends.

The catalogue declares kinds of capacity and their limits; a ``[[target]]`` row declares any other series, and wins
where both speak of the same one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector.catalogue import CATALOGUE, Kind, Limit, Metric
from collector.series import Matcher, SeriesKey, parse_selector
from collector.store import Series
from forecast.settings import Statistic, TargetSettings
from forecast.sources import WINDOW, Gauge, Mean, Rate, Reader, Source
from forewarn.base.clock import DAY, HOUR

LIMIT_LOOKBACK = 7 * DAY

_UNIT_SUFFIXES = ("bytes", "seconds", "ratio", "celsius", "watts", "joules", "hertz")


@dataclass(frozen=True, slots=True)
class Target:
    """One statistic of one capacity.

    Attributes:
        key: the series; for a histogram its family's name.
        statistic: hourly mean, or hourly maximum (minimum where the capacity runs out at the lower end).
        kind: how the capacity is used up.
        limit: where it ends, in ``unit``; None where there is no end.
        below: whether it runs out at the lower end.
        unit: base unit, ``bytes/s`` and the like for rates of counters, empty for plain numbers.
        source: how to read it.
        declared: whether a ``[[target]]`` row names it.
        ceiling: what it cannot exceed (a GPU's whole memory); None where nothing is known.
    """

    key: SeriesKey
    statistic: Statistic
    kind: Kind
    limit: float | None
    below: bool
    unit: str
    source: Source
    declared: bool = False
    ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class _Capacity:
    kind: Kind
    limit: float | None
    below: bool
    declared: bool
    ceiling: float | None = None


def find_targets(reader: Reader, rows: Sequence[TargetSettings], as_of_ms: int) -> list[Target]:
    """Two targets for every capacity among the store's series, sorted by series; limits as of ``as_of_ms``."""
    stored = {series.key: series for series in reader.series()}
    chosen = [(parse_selector(row.match), row) for row in rows]
    limits = _Limits(reader, stored, as_of_ms)
    targets: list[Target] = []
    for key, source, unit in sorted(_candidates(stored), key=lambda candidate: candidate[0]):
        capacity = _declared(key, chosen) or _catalogued(key, limits)
        if capacity is None:
            continue
        extreme: Statistic = "min" if capacity.below else "max"
        targets.extend(
            Target(
                key,
                statistic,
                capacity.kind,
                capacity.limit,
                capacity.below,
                unit,
                source,
                capacity.declared,
                capacity.ceiling,
            )
            for statistic in ("mean", extreme)
        )
    return targets


def unit_of(name: str) -> str:
    """A metric's base unit: what the catalogue says, else what its name ends in."""
    metric = CATALOGUE.get(name)
    if metric is not None:
        return metric.unit
    stem = name.removesuffix("_total")
    return next((unit for unit in _UNIT_SUFFIXES if stem == unit or stem.endswith(f"_{unit}")), "")


def _candidates(stored: Mapping[SeriesKey, Series]) -> Iterator[tuple[SeriesKey, Source, str]]:
    """Everything that could be a target: gauges, counters as rates, means of histograms and summaries."""
    for key, series in stored.items():
        if not series.counter:
            yield key, Gauge(series.id), unit_of(key.name)
            continue
        yield key, Rate(series.id), f"{unit_of(key.name)}/s"
        family = key.name.removesuffix("_sum")
        count = stored.get(SeriesKey(f"{family}_count", key.labels))
        if family != key.name and count is not None:
            yield SeriesKey(family, key.labels), Mean(series.id, count.id), unit_of(family)


def _declared(key: SeriesKey, rows: Iterable[tuple[Sequence[Matcher], TargetSettings]]) -> _Capacity | None:
    """What the first row that matches says."""
    for matchers, row in rows:
        if all(matcher.matches(key) for matcher in matchers):
            return _Capacity(row.kind, row.limit, row.below, declared=True)
    return None


def _catalogued(key: SeriesKey, limits: "_Limits") -> _Capacity | None:
    metric: Metric | None = CATALOGUE.get(key.name)
    if metric is None or metric.kind is None:
        return None
    limit = metric.limit
    if limit is None:
        return _Capacity(metric.kind, None, below=False, declared=False)
    whole = limits.whole(key, limit)
    end = None if whole is None else whole * limit.share
    ceiling = whole if limit.metric is not None else None
    return _Capacity(metric.kind, end, limit.below, declared=False, ceiling=ceiling)


class _Limits:
    """Limits that hang on another metric's last value."""

    def __init__(self, reader: Reader, stored: Mapping[SeriesKey, Series], as_of_ms: int) -> None:
        self._reader = reader
        self._stored = stored
        self._as_of_ms = as_of_ms

    def whole(self, key: SeriesKey, limit: Limit) -> float | None:
        """The whole of the capacity, of which the limit is a share; from windows that ended by ``as_of_ms``."""
        if limit.value is not None:
            return limit.value
        held = self._stored.get(SeriesKey(limit.metric, key.labels)) if limit.metric is not None else None
        if held is None:
            return None
        hour_ms, window_ms = (self._as_of_ms - self._as_of_ms % step for step in (HOUR, WINDOW))
        found = self._reader.rollup(held.id, hour_ms, window_ms, WINDOW)
        if not found.times.size:
            found = self._reader.rollup(held.id, hour_ms - LIMIT_LOOKBACK, hour_ms, HOUR)
        return float(found.last[-1]) if found.times.size else None
