"""Five-minute series for tests of what watches them."""

import csv
import gzip
from pathlib import Path

import numpy as np

from forewarn.base.clock import DAY, MINUTE, parse_time

BEGIN_MS = 1_760_054_400_000  # a midnight
WINDOW = 5 * MINUTE
A_DAY = DAY // WINDOW
SERIES = Path(__file__).parents[1] / "data" / "series"


def daily(days: float, *, seed: int = 1, noise: float = 2.0) -> np.ndarray:
    """A daily shape between 60 and 140 with noise."""
    place = np.arange(round(days * A_DAY))
    draw = np.random.default_rng(seed)
    return 100 - 40 * np.cos(2 * np.pi * place / A_DAY) + noise * draw.standard_normal(place.size)


def times(values: np.ndarray) -> np.ndarray:
    """A sample in the middle of each window."""
    return BEGIN_MS + np.arange(values.size) * WINDOW + WINDOW // 2


def recorded(file: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Times and values of a real series of the test data."""
    with gzip.open(SERIES / file, "rt", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["series"] == name]
    return (
        np.array([parse_time(row["timestamp"]) for row in rows]),
        np.array([float(row["value"]) for row in rows]),
    )
