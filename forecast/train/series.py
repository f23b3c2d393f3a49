"""Measured series for training and for reading results, as hours."""

import csv
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from forecast.sources import Floats
from forewarn.base.errors import ForewarnError

OPEN_SETS = ("nab", "msft_cloud", "helios")
"""Sets whose licences allow what is made from them to ship: MIT, MIT, CC BY 4.0; intervals are calibrated on them."""
UNSEEN_SETS = ("alibaba_gpu", "bitbrains", "gentd26_requests")
"""Sets for reading results only; nothing that ships has seen them."""
SHORTEST_HOURS = 240
COARSEST_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Hourly:
    """One series by the hour, NaN where an hour has no value.

    Attributes:
        source: the set it comes from.
        name: its name within the set.
        mean: hourly means.
        max: hourly maxima.
    """

    source: str
    name: str
    mean: Floats
    max: Floats

    def of(self, statistic: str) -> Floats:
        """The means or the maxima."""
        return self.max if statistic == "max" else self.mean


def read_sets(directory: Path, names: Iterable[str]) -> list[Hourly]:
    """The series of ``<name>.csv.gz`` (columns series, timestamp, value) with ten days of values at least.

    Raises:
        ForewarnError: a file is not there.
    """
    found = []
    for name in names:
        path = directory / f"{name}.csv.gz"
        if not path.is_file():
            raise ForewarnError(f"{path} is not there", hint="docs/forecast-model.md says where the series come from")
        for series, (seconds, values) in _columns(path).items():
            hourly = _hourly(name, series, np.array(seconds), np.array(values))
            if hourly is not None:
                found.append(hourly)
    return found


def _columns(path: Path) -> dict[str, tuple[list[float], list[float]]]:
    columns: dict[str, tuple[list[float], list[float]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["value"]:
                seconds, values = columns.setdefault(row["series"], ([], []))
                seconds.append(datetime.fromisoformat(row["timestamp"]).timestamp())
                values.append(float(row["value"]))
    return columns


def _hourly(source: str, name: str, seconds: Floats, values: Floats) -> Hourly | None:
    usable = np.isfinite(values)
    seconds, values = seconds[usable], values[usable]
    if values.size < SHORTEST_HOURS or np.median(np.diff(np.sort(seconds))) > COARSEST_SECONDS:
        return None
    hour = (seconds // 3600).astype(np.int64)
    place, size = hour - hour.min(), int(np.ptp(hour)) + 1
    count = np.bincount(place, minlength=size)
    mean = np.where(count > 0, np.bincount(place, values, size) / np.maximum(count, 1), np.nan)
    high = np.full(size, -np.inf)
    np.maximum.at(high, place, values)
    return (
        Hourly(source, name, mean, np.where(count > 0, high, np.nan)) if (count > 0).sum() >= SHORTEST_HOURS else None
    )
