"""Importing a plan: chunk by chunk from the newest to the oldest, each stored before the next is asked for.

History is only ever added in front of what a series has. So samples of the daemon's own and imported ones never lie
between each other (a counter that is read late would look as if it had begun again), and an import that was cut off
goes on where it stopped, for what it has stored is what tells it where that was.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from collector.backfill import HistorySink, batches
from collector.history.plan import Job, Plan, Query
from collector.history.prometheus import MAX_POINTS, Line, Prometheus, TooMuchError
from collector.history.translate import Target
from collector.series import Matcher, SeriesKey
from collector.store import History, Rollup, Series, Times, Values
from collector.store.schema import WINDOW_MS
from forewarn.base.clock import HOUR

LEAST_STEP_MS: Final = 60_000
"""Finer than this nothing looks back: five-minute windows of it are what is kept for longer than a week."""

_CHUNK_SAMPLES: Final = 400_000
_PRECISE: Final = 2**53 / 1e6
"""Up to here a float still tells millionths apart."""


Progress = Callable[[float, int], None]
"""Called with how many metrics are done, parts of one among them, and how many there are."""


class Recorded(Protocol):
    """What is there already, as ``StoreReader`` tells it."""

    def series(self, *matchers: Matcher) -> list[Series]:
        """The series."""
        ...

    def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int) -> Rollup:
        """Windows that hold samples."""
        ...

    def samples(self, series_id: int, start_ms: int, end_ms: int) -> tuple[Times, Values]:
        """Single samples."""
        ...


@dataclass(frozen=True, slots=True)
class Span:
    """What is to be imported: times in milliseconds, and the step between two samples (None: by the scrapes)."""

    start_ms: int
    end_ms: int
    step_ms: int | None = None


@dataclass(slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        samples: samples found for times that had none.
        new: those that are new in the store.
        series: series of ours that got some.
        oldest_ms: time of the oldest of them; None without any.
        newest_ms: time of the newest.
        interval_ms: milliseconds between two scrapes, by exporter's names.
        steps_ms: the steps that were used.
    """

    samples: int = 0
    new: int = 0
    series: set[SeriesKey] = field(default_factory=set)
    oldest_ms: int | None = None
    newest_ms: int | None = None
    interval_ms: dict[str, int] = field(default_factory=dict)
    steps_ms: set[int] = field(default_factory=set)


def oldest_samples(recorded: Recorded, keys: Iterable[SeriesKey], span: Span) -> dict[SeriesKey, int]:
    """When the record of each series begins, of those that have one.

    Raises:
        StoreError: the store cannot be read.
    """
    wanted = set(keys)
    found: dict[SeriesKey, int] = {}
    for series in recorded.series():
        if series.key not in wanted:
            continue
        hours = recorded.rollup(series.id, span.start_ms, span.end_ms, HOUR).times
        if len(hours):
            first = int(hours[0])
            times, _ = recorded.samples(series.id, first, first + HOUR)
            found[series.key] = int(times[0]) if len(times) else first
    return found


def load_plan(
    server: Prometheus,
    plan: Plan,
    sink: HistorySink,
    *,
    span: Span,
    oldest: Mapping[SeriesKey, int],
    progress: Progress,
) -> ImportReport:
    """Import everything that a plan names.

    Args:
        server: where it comes from.
        plan: what to ask, and what becomes of it.
        sink: where it goes.
        span: from when to when.
        oldest: when the record of each series begins; only what lies before is taken.
        progress: hears how far it is.

    Raises:
        PrometheusError: the server does not answer; doing it again goes on from there.
        StoreError: the samples cannot be stored; doing it again goes on from there.
    """
    report = ImportReport()
    span = replace(span, start_ms=max(span.start_ms, sink.horizon_ms()))
    intervals = _Intervals(server, span, report.interval_ms)
    for number, job in enumerate(plan.jobs):
        step_ms = span.step_ms or intervals.step(job)
        report.steps_ms.add(step_ms)
        for done in _Import(server, sink, job, intervals, step_ms=step_ms, oldest=oldest, report=report).run(span):
            progress(number + done, len(plan.jobs))
    return report


class _Intervals:
    """How often each exporter was scraped, asked once for each."""

    def __init__(self, server: Prometheus, span: Span, found: dict[str, int]) -> None:
        self._server = server
        self._span = span
        self._found = found

    def of(self, query: Query) -> int:
        """Milliseconds between two scrapes; a minute where there are too few samples to tell."""
        exporter = query.source.replace(":", "_").partition("_")[0]
        if exporter not in self._found:
            most = self._most_an_hour(query)
            self._found[exporter] = round(HOUR / most / 1000) * 1000 if most > 1 else LEAST_STEP_MS
        return max(self._found[exporter], 1000)

    def _most_an_hour(self, query: Query) -> float:
        """Samples of one series in the fullest hour; 0 where the server will not count that many."""
        counted = f"max(count_over_time({query.source}{{{query.conditions}}}[1h]))"
        step_ms = max(HOUR, -(-(self._span.end_ms - self._span.start_ms) // 1000))
        try:
            lines = self._server.range(counted, self._span.start_ms, self._span.end_ms, step_ms)
        except TooMuchError:
            return 0.0
        return max((float(line.values.max()) for line in lines), default=0.0)

    def step(self, job: Job) -> int:
        """The step that loses nothing that would be kept."""
        return max(LEAST_STEP_MS, *(self.of(query) for query in job.queries))


@dataclass(frozen=True, slots=True)
class _Import:
    """One job: its chunks from the newest to the oldest."""

    server: Prometheus
    sink: HistorySink
    job: Job
    intervals: _Intervals
    step_ms: int
    oldest: Mapping[SeriesKey, int]
    report: ImportReport

    def run(self, span: Span) -> Iterator[float]:
        """Import chunk by chunk, and tell after each which part of the job is done."""
        step = self.step_ms
        start = -(-span.start_ms // step) * step
        newest = end = min(span.end_ms, max(self.oldest.get(key, span.end_ms) for key in self.job.keys)) // step * step
        lines = sum(len(query.routes) for query in self.job.queries)
        points = max(1, min(MAX_POINTS, _CHUNK_SAMPLES // lines))
        while end >= start:
            first = self._first(start, end - (points - 1) * step, end)
            try:
                grid = self._ask(first, end)
            except TooMuchError:
                if points == 1:
                    raise
                points //= 2
                continue
            for batch in batches(grid.histories(self.oldest)):
                self._store(batch)
            end = first - step
            yield min((newest - end) / (newest - start + step), 1.0)
        yield 1.0

    def _first(self, start_ms: int, wanted_ms: int, end_ms: int) -> int:
        """Where a chunk begins: where the store's windows do, so that an import cut off leaves none half filled."""
        window = -(-wanted_ms // WINDOW_MS) * WINDOW_MS
        aligned = -(-window // self.step_ms) * self.step_ms
        return max(start_ms, aligned if aligned <= end_ms else wanted_ms)

    def _ask(self, start_ms: int, end_ms: int) -> "_Grid":
        grid = _Grid(start_ms, end_ms, self.step_ms)
        for query in self.job.queries:
            interval = self.intervals.of(query)
            window = max(self.step_ms, interval + interval // 4)  # scrapes come a little early or late
            expression = query.expression(window, max(self.step_ms, 4 * interval))
            for line in self.server.range(expression, start_ms, end_ms, self.step_ms):
                for target in query.targets(line.labels):
                    grid.add(target, line)
        return grid

    def _store(self, batch: Sequence[History]) -> None:
        report = self.report
        report.new += self.sink.append_histories(batch)
        for history in batch:
            report.samples += len(history.values)
            report.series.add(history.key)
            first, last = int(history.times_ms[0]), int(history.times_ms[-1])
            report.oldest_ms = first if report.oldest_ms is None else min(first, report.oldest_ms)
            report.newest_ms = last if report.newest_ms is None else max(last, report.newest_ms)


class _Grid:
    """Values of one chunk by target and rank, on the times that all of its series share."""

    def __init__(self, start_ms: int, end_ms: int, step_ms: int) -> None:
        self._times = np.arange(start_ms, end_ms + 1, step_ms, dtype=np.int64)
        self._step_ms = step_ms
        self._parts: dict[tuple[SeriesKey, int], dict[str, Values]] = {}
        self._targets: dict[SeriesKey, Target] = {}

    def add(self, target: Target, line: Line) -> None:
        """Put a series of theirs beside, or onto, those that come to the same series of ours."""
        values = np.full(len(self._times), np.nan)
        places = (line.times_ms - self._times[0]) // self._step_ms
        good = np.isfinite(line.values) & (places >= 0) & (places < len(values))
        values[places[good]] = line.values[good] * target.times / target.over
        self._targets[target.key] = target
        parts = self._parts.setdefault((target.key, target.rank), {})
        known = parts.get(target.part)
        if known is not None:
            values = _added(known, values) if target.add and not target.part else np.fmax(known, values)
        parts[target.part] = values

    def histories(self, oldest: Mapping[SeriesKey, int]) -> Iterator[History]:
        """The series of ours, each with what lies before its record."""
        whole = {
            (key, rank): reduce(_added if self._targets[key].add else np.fmax, parts.values())
            for (key, rank), parts in self._parts.items()
        }
        for (key, rank), values in whole.items():
            wanted = ~np.isnan(values) & ~self._covered(whole, key, rank)
            wanted &= self._times < oldest.get(key, np.iinfo(np.int64).max)
            if wanted.any():
                counter = self._targets[key].counter
                yield History(key, self._times[wanted], _exact(values[wanted]) if counter else values[wanted], counter)

    def _covered(
        self, whole: Mapping[tuple[SeriesKey, int], Values], key: SeriesKey, rank: int
    ) -> npt.NDArray[np.bool_]:
        """The times at which a better name of the same scope has values."""
        scope = self._targets[key].scope
        covered = np.zeros(len(self._times), np.bool_)
        for (other, lower), values in whole.items():
            if lower < rank and self._targets[other].scope == scope:
                covered |= ~np.isnan(values)
        return covered


def _exact(values: Values) -> Values:
    """Counters without the noise of other programs' arithmetic, at most a millionth where they are not whole.

    node_exporter multiplies milliseconds by 0.001 and a server adds up processors; what we read divides whole numbers
    once. A last bit more at the end of the history would look as if the counter had begun again in our own record.
    """
    broken = (values != np.floor(values)) & (np.abs(values) < _PRECISE)
    return np.where(broken, np.round(values, 6), values)


def _added(one: Values, other: Values) -> Values:
    """The sum, where one of them is not there the other."""
    return np.where(np.isnan(one), other, np.where(np.isnan(other), one, one + other))
