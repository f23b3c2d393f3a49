"""What the store takes and what it answers with."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.series import SeriesKey

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """A stored series; the id never names another one in this file."""

    id: int
    key: SeriesKey
    counter: bool


class History(NamedTuple):
    """Samples of one series that are stored at once: times in milliseconds, in any order."""

    key: SeriesKey
    times_ms: Times
    values: Values
    counter: bool = False


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest value of a series."""

    key: SeriesKey
    time_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Rollup:
    """Windows of one series, only those that hold samples.

    Attributes:
        times: starts of the windows, milliseconds.
        min: smallest value of a window; NaN for counters, as ``max`` and ``sum`` are.
        max: largest value.
        sum: sum of the values.
        count: number of samples.
        first: value of the first sample.
        last: value of the last sample.
        increase: growth of a counter since the last sample before the window, resets corrected as Prometheus does it
            (a smaller value means that the counter began again at 0). NaN for gauges.
    """

    times: Times
    min: Values
    max: Values
    sum: Values
    count: Times
    first: Values
    last: Values
    increase: Values

    @property
    def mean(self) -> Values:
        """Mean of the values of each window; NaN for counters."""
        return self.sum / self.count

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class StoreStats:
    """The store's own health.

    Attributes:
        series: series known.
        max_series: series allowed.
        refused_series: distinct series refused since the start because there were too many.
        refused_names: the first few of them.
        refused_samples: samples of refused series since the start.
        not_finite_samples: NaN and infinities dropped since the start.
        late_samples: samples dropped since the start: older than every tier, or in a window whose raw samples are gone.
        pending_rows: scrapes not yet moved into chunks.
        used_bytes: bytes of metrics.db in use.
        file_bytes: size of metrics.db and its write-ahead log.
        max_bytes: bytes allowed.
        newest_ms: time of the newest scrape since the start or of the rows found at the start; None without any.
    """

    series: int
    max_series: int
    refused_series: int
    refused_names: tuple[str, ...]
    refused_samples: int
    not_finite_samples: int
    late_samples: int
    pending_rows: int
    used_bytes: int
    file_bytes: int
    max_bytes: int
    newest_ms: int | None
