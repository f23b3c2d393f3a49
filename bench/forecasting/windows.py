"""The windows that all are asked about: what was known before each origin, and what came in the 72 hours after it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecast.backtest.hourly import HourlySeries, Value, read_hourly
from forecast.backtest.origins import LONG_HOURS, Origin, rolling
from forecast.backtest.windows import Windows as Answered
from forecast.grid import Grid
from forecast.scores import mase_scale
from forecast.settings import HORIZON_HOURS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
Names = NDArray[np.str_]

OPEN_SETS = ("nab", "msft_cloud", "helios")
"""Sets whose licences allow training and calibration on them."""
UNSEEN_SETS = ("alibaba_gpu", "bitbrains", "gentd26_requests")
"""Sets that nothing that ships has seen."""
APART_HOURS = 24
"""Origins of a series lie no nearer than this."""
KNOWN_BEFORE, KNOWN_AFTER = 0.8, 0.9
"""The share of hours that a window must know of its first ten days and of the 72 hours after it."""


@dataclass(frozen=True)
class Windows:
    """Windows of 72 hours, with up to 28 days before each.

    Attributes:
        source: [n] the set.
        series: [n] the name within it.
        hour: [n] the origin, hours since the epoch.
        past: [n, 672] hourly values before it, NaN where missing.
        actual: [n, 72] what came.
    """

    source: Names
    series: Names
    hour: Ints
    past: Floats
    actual: Floats

    def __len__(self) -> int:
        return self.hour.size

    def rows(self, rows: Flags | Ints) -> "Windows":
        """Some of the windows."""
        return Windows(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def grid(self) -> Grid:
        """The past as the product's models take it; nothing hangs on the calendar."""
        return Grid(0, self.past)

    @property
    def scale(self) -> Floats:
        """Of MASE, [n]: the error of same hour yesterday within the past, gaps bridged."""
        return mase_scale(self.grid.bridged)

    @property
    def names(self) -> Names:
        """Set and series, [n]."""
        return np.array([f"{source}/{name}" for source, name in zip(self.source, self.series, strict=True)])

    @property
    def chosen(self) -> Flags:
        """Windows of series that choices are made on, [n]; the others are only read."""
        return np.array([for_choices(name) for name in self.names.tolist()], dtype=np.bool_)

    @property
    def unseen(self) -> Flags:
        """Windows of sets that training never saw, [n]."""
        return np.isin(self.source, UNSEEN_SETS)


def for_choices(name: str) -> bool:
    """Whether a series (set/name) is of the half that choices are made on: by a hash, as in training."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def read(folder: Path, sets: Sequence[str]) -> dict[str, dict[str, HourlySeries]]:
    """The hourly series of each set that has a file."""
    paths = {name: folder / f"{name}.csv.gz" for name in sets}
    return {name: read_hourly(path) for name, path in paths.items() if path.exists()}


def windows(sets: Mapping[str, Mapping[str, HourlySeries]], origins: int, value: Value = "mean") -> Windows:
    """Up to so many windows a series, evenly apart, with ten days before each and most hours measured after it."""
    parts = [_of_set(source, series, origins, value) for source, series in sets.items()]
    return Windows(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Windows)))


def _of_set(source: str, series: Mapping[str, HourlySeries], origins: int, value: Value) -> Windows:
    asked: list[Origin] = []
    for name, one in series.items():
        room = int(np.ptp(one.hours)) + 1 - LONG_HOURS - HORIZON_HOURS
        asked += rolling({name: one}, min(origins, 1 + room // APART_HOURS)) if room >= 0 else []
    if not asked:
        nothing = np.array([], dtype=np.str_)
        return Windows(nothing, nothing, np.array([], np.int64), np.empty((0, 672)), np.empty((0, HORIZON_HOURS)))
    found = Answered.of(series, asked, value)
    known = found.grid.known.sum(axis=1) >= KNOWN_BEFORE * LONG_HOURS
    usable = known & (np.isfinite(found.actual).mean(axis=1) >= KNOWN_AFTER)
    every = Windows(
        np.full(len(asked), source),
        np.array([one.series for one in asked]),
        np.array([one.hour for one in asked]),
        found.grid.values,
        found.actual,
    )
    return every.rows(usable)
