"""Series with known answers, and real ones."""

import csv
import gzip
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from collector.series import SeriesKey
from tests.support.memory_series import MemoryReader

HOUR_MS = 3_600_000
SERIES = Path(__file__).parent.parent / "data" / "series"


@pytest.fixture
def reader() -> MemoryReader:
    return MemoryReader()


@pytest.fixture(scope="session")
def real_series() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Times in milliseconds and values by name, of NAB and Helios."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(SERIES.glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                time = round(datetime.fromisoformat(row["timestamp"]).timestamp() * 1000)
                found.setdefault(row["series"], []).append((time, float(row["value"])))
    return {
        name: (np.array([time for time, _ in rows], dtype=np.int64), np.array([value for _, value in rows]))
        for name, rows in found.items()
    }


@pytest.fixture
def real_reader(reader: MemoryReader, real_series: dict[str, tuple[np.ndarray, np.ndarray]]) -> MemoryReader:
    for name, (times, values) in real_series.items():
        reader.add(SeriesKey.of("forewarn_imported_value", series=name), times, values)
    return reader
