"""Series to be stored: the shipped generator's GPUs at one-second steps, or those of a file."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from collector.series import SeriesKey, labels_of
from forewarn.base.clock import DAY, HOUR, SECOND
from forewarn.simulate import Node

_GPU = "forewarn_gpu_"


@dataclass(frozen=True)
class Column:
    """One series of a workload."""

    key: SeriesKey
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    counter: bool = False


def generated(end_ms: int, hours: float) -> list[Column]:
    """Eight simulated GPUs, second by second, up to a moment: all of a series' values are made at once."""
    times = np.arange(end_ms - int(hours * HOUR), end_ms, SECOND, dtype=np.int64)
    series = (one for one in Node(end_ms).series if one.key.name.startswith(_GPU))
    return [Column(one.key, times, one.at(times), one.counter) for one in series]


def from_file(path: Path, end_ms: int) -> list[Column]:
    """The series of a CSV file (``series,timestamp,value``, RFC 3339, gzip or not), as they are, moved in time.

    They end within the day before ``end_ms``; the steps between their samples stay what they were.
    """
    rows: dict[str, list[tuple[int, float]]] = {}
    with _opened(path) as file:
        for row in csv.DictReader(file):
            time_ms = round(datetime.fromisoformat(row["timestamp"]).timestamp() * 1000)
            rows.setdefault(row["series"], []).append((time_ms, float(row["value"])))
    last = max(time_ms for found in rows.values() for time_ms, _ in found)
    shift = (end_ms - last) // DAY * DAY
    return [_column(name, found, shift) for name, found in sorted(rows.items())]


def scrapes_of(columns: Sequence[Column]) -> Iterator[tuple[int, list[float]]]:
    """The rows of columns that share their times: a time and every series' value."""
    table = np.array([column.values for column in columns]).T
    for time_ms, row in zip(columns[0].times.tolist(), table, strict=True):
        yield time_ms, row.tolist()


def _column(name: str, found: list[tuple[int, float]], shift: int) -> Column:
    family, _, device = name.partition("/")
    times, values = zip(*sorted(found), strict=True)
    key = SeriesKey(family, labels_of({"device": device}))
    return Column(key, np.array(times, np.int64) + shift, np.array(values, np.float64))


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")
