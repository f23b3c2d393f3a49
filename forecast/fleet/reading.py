"""Hourly means and extremes of a server's series, a part of them after the other.

The server reckons them, by range queries with a step of an hour. Hours are those of the store: from the full hour to a
millisecond before the next. Series are taken in parts of at most 64, each asked for by the labels that it has, so
that neither the server nor we hold many at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from collector.history.prometheus import MAX_POINTS, Prometheus, TooMuchError, conditions_of, exactly
from collector.series import Matcher, SeriesKey, labels_of
from forecast.fleet.hourly import HourlyReader
from forecast.fleet.wanted import Limits, Wanted
from forecast.settings import Statistic
from forecast.sources import Floats, Gauge
from forecast.targets import Target, unit_of
from forewarn.base.clock import DAY, HOUR, rfc3339
from forewarn.base.errors import UsageError

ALIVE_MS = DAY + HOUR
"""Series without a sample for so long get no forecast, and are not even asked for."""
PART_SERIES = 64
PART_POINTS = 100_000
"""Points in one answer: about 16 MB while it is read."""
OURS = "forewarn_forecast_"
"""What is written back is not forecast in its turn."""

_WINDOW = "{series}[1h] offset 1ms"
_QUERIES = {
    False: {name: f"{name}_over_time({_WINDOW})" for name in ("avg", "max", "min")},
    True: {
        "avg": f"rate({_WINDOW})",
        "max": "max_over_time(rate({series}[5m])[59m:5m])",
        "min": "min_over_time(rate({series}[5m])[59m:5m])",
    },
}
"""By whether they are rates: the mean, the highest and the lowest value of the hour before a moment; of rates the
fastest and the slowest of its twelve windows of 5 minutes."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some series with their hours, and the targets that they are.

    Attributes:
        reader: gives each target's hours.
        targets: two statistics of each series that has hours.
        asked: how many series were asked for.
    """

    reader: HourlyReader
    targets: list[Target]
    asked: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Series of one name that are wanted alike and not read yet."""

    wanted: Wanted
    name: str
    keys: Sequence[SeriesKey]


class FleetReader:
    """What is wanted of a server, as of a moment.

    Args:
        server: where the series are.
        wanted: what is wanted; a series that several rows match belongs to the first.
        as_of_ms: nothing later is looked at.
        history_ms: how far back.

    Attributes:
        as_of_ms: that moment.
        batches: the series that are there.
        unlimited: how many of the series read so far have none of the limits that their query gives.

    Raises:
        UsageError: there is none.
        PrometheusError: the server does not answer.
    """

    def __init__(self, server: Prometheus, wanted: Sequence[Wanted], as_of_ms: int, history_ms: int) -> None:
        self._server = server
        self.as_of_ms = as_of_ms
        self._end_ms = as_of_ms - as_of_ms % HOUR
        self._start_ms = self._end_ms - history_ms + history_ms % HOUR
        self.unlimited = 0
        self._limits: dict[str, Limits | None] = {}
        self.batches = list(self._find(wanted))
        if not self.batches:
            raise UsageError(
                f"no node's Forewarn writes to {server.url}", hint="--match names series of other exporters"
            )

    @property
    def count(self) -> int:
        """How many series there are."""
        return sum(len(batch.keys) for batch in self.batches)

    def parts(self) -> Iterator[Part]:
        """The series with their hours, in order of their rows and names.

        Raises:
            UsageError: a limit's query answers nothing.
            PrometheusError: the server does not answer.
        """
        for batch in self.batches:
            yield self._read(batch)

    def _find(self, wanted: Sequence[Wanted]) -> Iterator[Batch]:
        taken: set[SeriesKey] = set()
        for row in wanted:
            label_sets = self._server.series([row.selector], self.as_of_ms - ALIVE_MS, self.as_of_ms)
            found = {_key(labels) for labels in label_sets if not labels["__name__"].startswith(OURS)}
            if row.declared and not found:
                raise UsageError(
                    f"{self._server.url} has no series like {row.selector} with samples on the day before"
                    f" {rfc3339(self.as_of_ms)}",
                    hint="try the same selector in the server's own page",
                )
            keys = sorted(found - taken)
            taken |= found
            for name in sorted({key.name for key in keys}):
                named = [key for key in keys if key.name == name]
                for begin in range(0, len(named), PART_SERIES):
                    yield Batch(row, name, named[begin : begin + PART_SERIES])

    def _read(self, batch: Batch) -> Part:
        queries = _QUERIES[batch.wanted.is_rate(batch.name)]
        mean = self._hours(batch, queries["avg"])
        extreme = self._hours(batch, queries["min" if batch.wanted.below else "max"])
        extreme = np.where(np.isfinite(extreme), extreme, mean)
        low, high = (np.fmin(mean, extreme), mean) if batch.wanted.below else (mean, np.fmax(mean, extreme))
        reader = HourlyReader(batch.keys, self._start_ms, mean, low, high)
        return Part(reader, list(self._targets(batch, mean)), len(batch.keys))

    def _hours(self, batch: Batch, query: str) -> Floats:
        """An expression's value at the end of every hour, [series, hours]."""
        rows = {key: row for row, key in enumerate(batch.keys)}
        narrow = [one for one in batch.wanted.matchers if one.label != "__name__"]
        narrow += exactly([dict(key.labels) for key in batch.keys], at_most=PART_SERIES)
        series = f"{{{conditions_of([Matcher('__name__', '=', batch.name), *narrow])}}}"
        values = np.full((len(rows), (self._end_ms - self._start_ms) // HOUR), np.nan)
        size = max(1, min(MAX_POINTS, PART_POINTS // len(rows)))
        begin = 0
        while begin < values.shape[1]:
            stop = min(begin + size, values.shape[1])
            first_ms, last_ms = (self._start_ms + hour * HOUR for hour in (begin + 1, stop))
            try:
                lines = self._server.range(query.format(series=series), first_ms, last_ms, HOUR)
            except TooMuchError:
                if size == 1:
                    raise
                size = max(1, size // 2)
                continue
            for line in lines:
                row = rows.get(SeriesKey(batch.name, labels_of(line.labels)))
                if row is not None:
                    values[row, (line.times_ms - self._start_ms) // HOUR - 1] = line.values
            begin = stop
        return np.where(np.isfinite(values), values, np.nan)

    def _targets(self, batch: Batch, mean: Floats) -> Iterator[Target]:
        wanted, name = batch.wanted, batch.name
        unit = f"{unit_of(name)}/s" if wanted.is_rate(name) else unit_of(name)
        statistics: tuple[Statistic, Statistic] = ("mean", "min" if wanted.below else "max")
        for row, key in enumerate(batch.keys):
            if not np.isfinite(mean[row]).any():
                continue
            limit, ceiling = self._limit(wanted, key)
            for statistic in statistics:
                yield Target(
                    key, statistic, wanted.kind_of(name), limit, wanted.below, unit, Gauge(row), declared=True,
                    ceiling=ceiling,
                )  # fmt: skip

    def _limit(self, wanted: Wanted, key: SeriesKey) -> tuple[float | None, float | None]:
        """Where a series' capacity ends, and what it cannot exceed."""
        if not wanted.limit_query:
            return wanted.limit, None
        limits = self._limits_of(wanted)
        whole = limits.of(key) if limits is not None else None
        if whole is None:
            self.unlimited += 1
            return None, None
        return whole * wanted.share, None if wanted.declared else whole

    def _limits_of(self, wanted: Wanted) -> Limits | None:
        query = wanted.limit_query
        if query not in self._limits:
            try:
                self._limits[query] = Limits.ask(self._server, query, self.as_of_ms)
            except UsageError:
                if wanted.declared:
                    raise
                self._limits[query] = None
        return self._limits[query]


def _key(labels: dict[str, str]) -> SeriesKey:
    return SeriesKey(labels["__name__"], labels_of({name: labels[name] for name in labels if name != "__name__"}))
