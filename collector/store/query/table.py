"""Many series in windows of one grid, as matrices."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from collector.store.buckets import Buckets, growth, widen
from collector.store.model import Series, Times, Values
from collector.store.query.forms import Forms
from collector.store.schema import TIERS
from forewarn.base.clock import MINUTE

GAUGE_COLUMNS = ("count", "min", "max", "mean", "sum", "last")
COUNTER_COLUMNS = ("count", "last", "increase", "rate")
COLUMNS = ("count", "min", "max", "mean", "sum", "last", "increase", "rate")
_LOOKBACK_MS = 10 * MINUTE


class Grid(NamedTuple):
    """Windows of ``step_ms`` in [start, end), which are multiples of it."""

    start_ms: int
    end_ms: int
    step_ms: int

    @classmethod
    def over(cls, start_ms: int, end_ms: int, step_ms: int) -> "Grid":
        """The windows that overlap [start, end).

        Raises:
            ValueError: the step is not positive.
        """
        if step_ms <= 0:
            raise ValueError(f"a step of {step_ms} ms is not positive")
        return cls(start_ms // step_ms * step_ms, -(-end_ms // step_ms) * step_ms, step_ms)

    @property
    def lookback_ms(self) -> int:
        """Where to look for the last sample before the start first: mostly there is one, near."""
        return self.start_ms - max(self.step_ms, _LOOKBACK_MS) // self.step_ms * self.step_ms


@dataclass(frozen=True, slots=True)
class Table:
    """Series in windows: line i of every matrix is series i, column j the window that begins at ``times[j]``.

    Attributes:
        series: the series, in the order of the lines.
        times: starts of the windows, every ``step_ms``, without gaps.
        step_ms: length of a window.
        columns: matrices by name. NaN stands where a window has no samples (``count`` is 0 there) and where a column
            does not apply. Gauges have count, min, max, mean, sum, last; counters have

            - ``count`` and ``last``,
            - ``increase``: growth since the last sample before the window, resets corrected as Prometheus does it (a
              smaller value means that the counter began again at 0). Nothing is extrapolated, and nothing is lost
              between windows: the increases of neighbours add up.
            - ``rate``: the increase per second, over the time since the window before that has samples, so that
              growth over a gap belongs to the whole gap. NaN in a series' very first window: over how long it grew is
              not known.
    """

    series: list[Series]
    times: Times
    step_ms: int
    columns: Mapping[str, Values]

    def __getitem__(self, name: str) -> Values:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.series)


def make_table(forms: Forms, series: list[Series], grid: Grid, columns: Collection[str]) -> Table:
    """The table of these columns, of ``COLUMNS``."""
    times = np.arange(grid.start_ms, grid.end_ms, grid.step_ms, dtype=np.int64)
    shape = (len(series), len(times))
    filled = {name: np.full(shape, 0.0 if name == "count" else np.nan) for name in columns}
    for line, one in enumerate(series):
        windows, previous = windows_of(forms, one, grid)
        places = (windows["time"] - grid.start_ms) // grid.step_ms
        for name, values in _columns(windows, previous, grid.step_ms, columns, counter=one.counter):
            filled[name][line, places] = values
    return Table(series, times, grid.step_ms, filled)


def windows_of(forms: Forms, series: Series, grid: Grid) -> tuple[Buckets, tuple[int, float] | None]:
    """Windows of one series, and for counters the time and value of the last sample before the first one."""
    tier = next((tier for tier in reversed(TIERS) if grid.step_ms % tier.step_ms == 0), None)
    wanted = grid._replace(start_ms=grid.lookback_ms) if series.counter else grid
    windows = widen(forms.buckets(series.id, tier, *wanted), grid.step_ms)
    first = int(np.searchsorted(windows["time"], grid.start_ms))
    if not series.counter or first == len(windows):
        return windows[first:], None
    if first:
        return windows[first:], (int(windows["time"][first - 1]), float(windows["last"][first - 1]))
    return windows, forms.before(series.id, wanted.start_ms)


@np.errstate(over="ignore")  # as in buckets
def increases(windows: Buckets, previous: tuple[int, float] | None) -> Values:
    """Growth of a counter in each window, since the last sample before it."""
    if not len(windows):
        return np.empty(0)
    before = windows["first"][0] if previous is None else previous[1]
    return np.asarray(windows["inner"] + growth(np.concatenate(([before], windows["last"][:-1])), windows["first"]))


def _columns(
    windows: Buckets, previous: tuple[int, float] | None, step_ms: int, columns: Collection[str], *, counter: bool
) -> Iterator[tuple[str, Values]]:
    increase = increases(windows, previous) if counter else np.empty(0)
    for name in columns:
        if name not in (COUNTER_COLUMNS if counter else GAUGE_COLUMNS):
            continue
        if name == "increase":
            yield name, increase
        elif name == "rate":
            yield name, increase / _seconds(windows, previous, step_ms)
        elif name == "mean":
            yield name, windows["sum"] / windows["count"]
        else:
            yield name, windows[name]


def _seconds(windows: Buckets, previous: tuple[int, float] | None, step_ms: int) -> Values:
    """From the window before, which has samples, to each window."""
    before = np.nan if previous is None else previous[0] // step_ms * step_ms
    return np.diff(windows["time"].astype(np.float64), prepend=before) / 1000
