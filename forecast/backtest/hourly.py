"""A file of samples as hourly series: mean, maximum and last level of every hour that has samples."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from collector.csv_history import Block, CsvHistory
from forecast.sources import Floats, Times
from forewarn.base.clock import HOUR
from forewarn.base.errors import UsageError

Value = Literal["mean", "max", "end"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class HourlySeries:
    """One series of the file.

    Attributes:
        hours: hours since the epoch, rising, those that have samples.
        mean: of each hour's samples.
        max: of each hour's samples.
        end: the hour's last sample.
    """

    hours: Times
    mean: Floats
    max: Floats
    end: Floats

    def between(self, begin: int, end: int, value: Value) -> Floats:
        """One value an hour of [begin, end), NaN where the hour has no samples."""
        found = np.full(end - begin, np.nan)
        rows = slice(*np.searchsorted(self.hours, (begin, end)).tolist())
        values: Floats = getattr(self, value)
        found[self.hours[rows] - begin] = values[rows]
        return found


def read_hourly(path: Path, progress: Progress | None = None) -> dict[str, HourlySeries]:
    """Every series of a CSV file, in the order in which they appear; samples may come in any order.

    Several samples of one time all count, and the later line is the hour's last. A value that is empty or not finite
    counts as none.

    Raises:
        UsageError: the file cannot be read, or a line is no sample; the message names the line.
    """
    file = CsvHistory(path)
    places: dict[str, int] = {}
    parts = []
    for block in file.blocks():
        _check(path, block)
        for name in dict.fromkeys(block.series):
            places.setdefault(name, len(places))
        ids = np.fromiter((places[name] for name in block.series), dtype=np.int64, count=len(block.series))
        values = block.values
        part = _Parts(ids, block.times_ms // HOUR, values, np.ones(ids.size), values, block.times_ms, values)
        parts.append(part.gathered())
        if progress is not None:
            progress(block.read_bytes, file.size)
    if not places:
        raise UsageError(f"{path} holds no samples")
    return dict(zip(places, _Parts.joined(parts).gathered().series(len(places)), strict=True))


def _check(path: Path, block: Block) -> None:
    unknown = set(block.unknown)
    for line, reason in block.malformed:
        if line not in unknown:
            raise UsageError(f"{path}:{line}: {reason}", hint="mend or remove the line; the columns' names stay first")


@dataclass(frozen=True, slots=True)
class _Parts:
    """Sums over samples, of one hour of one series each; an hour may lie in several rows until they are gathered."""

    series_id: Times
    hour: Times
    total: Floats
    count: Floats
    max: Floats
    last_ms: Times
    last: Floats

    @classmethod
    def joined(cls, parts: "list[_Parts]") -> "_Parts":
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def gathered(self) -> "_Parts":
        """One row an hour of a series, sorted; the order of rows decides which of two last samples is the later."""
        if not self.hour.size:
            return self
        order = np.lexsort((self.last_ms, self.hour, self.series_id))
        series_id, hour = self.series_id[order], self.hour[order]
        changed = (np.diff(series_id) != 0) | (np.diff(hour) != 0)
        first = np.flatnonzero(np.append(True, changed))
        last = np.append(first[1:], order.size) - 1
        return _Parts(
            series_id[first],
            hour[first],
            np.add.reduceat(self.total[order], first),
            np.add.reduceat(self.count[order], first),
            np.maximum.reduceat(self.max[order], first),
            self.last_ms[order][last],
            self.last[order][last],
        )

    def series(self, count: int) -> list[HourlySeries]:
        edges = np.searchsorted(self.series_id, np.arange(count + 1))
        found = []
        for begin, end in pairwise(edges.tolist()):
            rows = slice(begin, end)
            mean = self.total[rows] / self.count[rows]
            found.append(HourlySeries(self.hour[rows], mean, self.max[rows], self.last[rows]))
        return found
