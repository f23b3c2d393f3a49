"""Which series of a server are forecast, and where their capacities end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collector.catalogue import CATALOGUE, Kind, Metric
from collector.history.prometheus import Prometheus, conditions_of
from collector.series import Matcher, SeriesKey, parse_selector
from forecast.settings import TargetSettings
from forewarn.base.clock import HOUR, MINUTE
from forewarn.base.errors import UsageError

_RUNNING_TOTALS = ("_total", "_sum", "_count", "_bucket")
LIMIT_LOOKBACK_MS = HOUR
_STEP_MS = 5 * MINUTE


@dataclass(frozen=True, slots=True)
class Wanted:
    """Series that are forecast alike.

    Attributes:
        matchers: which they are.
        kind: how the capacity is used up; None for what the catalogue says, and gauge where it says nothing.
        limit: where it ends; None where ``limit_query`` says it, or nothing does.
        limit_query: PromQL whose values are the limits, each of the series that have its labels.
        share: of those values, what counts as full.
        below: whether the capacity runs out at the lower end.
        rate: whether they are running totals, forecast as growth a second; None to tell by the name.
        declared: whether somebody asked for them, so that finding none is an error.
    """

    matchers: tuple[Matcher, ...]
    kind: Kind | None = None
    limit: float | None = None
    limit_query: str = ""
    share: float = 1.0
    below: bool = False
    rate: bool | None = None
    declared: bool = True

    @property
    def selector(self) -> str:
        """As PromQL has it."""
        return f"{{{conditions_of(self.matchers)}}}"

    def kind_of(self, name: str) -> Kind:
        """How what this name measures is used up."""
        metric = CATALOGUE.get(name)
        return self.kind or (metric.kind if metric is not None else None) or "gauge"

    def is_rate(self, name: str) -> bool:
        """Whether what has this name is a running total."""
        if self.rate is not None:
            return self.rate
        metric = CATALOGUE.get(name)
        return metric.type == "counter" if metric is not None else name.endswith(_RUNNING_TOTALS)


def of_rows(rows: Sequence[TargetSettings]) -> list[Wanted]:
    """What ``[[target]]`` tables declare."""
    return [Wanted(parse_selector(row.match), row.kind, row.limit, below=row.below) for row in rows]


def of_catalogue() -> list[Wanted]:
    """The capacities that every Forewarn knows of its own node."""
    return [_of_metric(metric) for metric in CATALOGUE.values() if metric.kind is not None]


def _of_metric(metric: Metric) -> Wanted:
    matchers, limit = (Matcher("__name__", "=", metric.name),), metric.limit
    if limit is None:
        return Wanted(matchers, metric.kind, declared=False)
    if limit.metric is not None:
        return Wanted(matchers, metric.kind, None, limit.metric, limit.share, below=limit.below, declared=False)
    end = None if limit.value is None else limit.value * limit.share
    return Wanted(matchers, metric.kind, end, below=limit.below, declared=False)


class Limits:
    """Values joined to series by labels: the value with the most labels of those whose labels a series all has."""

    def __init__(self, found: Sequence[tuple[Mapping[str, str], float]]) -> None:
        self._values: dict[tuple[str, ...], dict[tuple[str, ...], float]] = {}
        for labels, value in found:
            names = tuple(sorted(labels))
            self._values.setdefault(names, {})[tuple(labels[name] for name in names)] = value
        self._names = sorted(self._values, key=len, reverse=True)

    @classmethod
    def ask(cls, server: Prometheus, query: str, at_ms: int) -> "Limits":
        """What a query answered last, at a moment or within the hour before.

        Raises:
            UsageError: nothing.
            PrometheusError: there is no answer.
        """
        lines = server.range(query, at_ms - LIMIT_LOOKBACK_MS, at_ms, _STEP_MS)
        known = [(line.labels, line.values[np.isfinite(line.values)]) for line in lines]
        found = [(labels, float(values[-1])) for labels, values in known if values.size]
        if not found:
            raise UsageError(f"{server.url} answers {query} with nothing", hint="is it recorded?")
        return cls(found)

    def of(self, key: SeriesKey) -> float | None:
        """The value that belongs to a series; None where none does."""
        labels = dict(key.labels)
        for names in self._names:
            value = self._values[names].get(tuple(labels.get(name, "") for name in names))
            if value is not None:
                return value
        return None
