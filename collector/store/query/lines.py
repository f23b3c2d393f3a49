"""A table line by line, without empty windows: what the API and the command line show."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np

from collector.series import Matcher, SeriesKey
from collector.store.model import Times, Values
from collector.store.query.histograms import quantiles
from collector.store.query.table import Table

Function = Literal["rate", "increase", "quantile"]
_OF_GAUGES = ("min", "max", "mean")
_OF_COUNTERS = ("last", "increase")


class Tables(Protocol):
    """What is asked of the store, the writer or a reader."""

    def select(self, *matchers: Matcher, start_ms: int, end_ms: int, step_ms: int, columns: Sequence[str]) -> Table:
        """Matching series in windows."""
        ...


class Line(NamedTuple):
    """One series, or one histogram: the windows that hold something, and their columns by name."""

    key: SeriesKey
    counter: bool
    times: Times
    columns: dict[str, Values]


def lines(
    store: Tables,
    matchers: Sequence[Matcher],
    span: tuple[int, int, int],
    function: Function | None = None,
    quantile: float = 0.95,
) -> list[Line]:
    """Matching series in windows; series without any are left out.

    Args:
        store: where they are.
        matchers: conditions on name and labels.
        span: start, end and step in milliseconds, as ``StoreReader.select`` takes them.
        function: ``rate`` or ``increase`` of counters, or the ``quantile`` of histograms; without one, ``min``,
            ``max`` and ``mean`` of gauges, ``last`` and ``increase`` of counters.
        quantile: which one, 0 to 1.

    Raises:
        StoreError: the store cannot be read.
    """
    wanted: tuple[str, ...] = {
        None: (*_OF_GAUGES, *_OF_COUNTERS),
        "rate": ("rate",),
        "increase": ("increase",),
        "quantile": ("increase",),
    }[function]
    start_ms, end_ms, step_ms = span
    table = store.select(*matchers, start_ms=start_ms, end_ms=end_ms, step_ms=step_ms, columns=wanted)
    found = _quantiles(table, quantile) if function == "quantile" else _series(table, function)
    return [line for line in found if len(line.times)]


def _series(table: Table, function: Function | None) -> Iterator[Line]:
    for place, series in enumerate(table.series):
        if function is None:
            names: tuple[str, ...] = _OF_COUNTERS if series.counter else _OF_GAUGES
        else:
            names = (function,)
        there = np.isfinite(table[names[0]][place])
        columns = {name: table[name][place][there] for name in names}
        yield Line(series.key, series.counter, table.times[there], columns)


def _quantiles(table: Table, quantile: float) -> Iterator[Line]:
    for key, values in quantiles(table, quantile):
        there = ~np.isnan(values)
        yield Line(key, False, table.times[there], {"quantile": values[there]})
