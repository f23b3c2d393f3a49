"""CSV files of samples for back-tests."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from forewarn.base.clock import HOUR, rfc3339

BEGIN_HOUR = 480_000  # 2024-10-04T00:00:00Z
HALF_HOUR = HOUR // 2


def write_samples(path: Path, series: Mapping[str, np.ndarray], *, begin_hour: int = BEGIN_HOUR) -> Path:
    """Half-hourly samples, all series side by side; NaN are left out."""
    lines = ["series,timestamp,value"]
    for row in range(max(values.size for values in series.values())):
        at = rfc3339(begin_hour * HOUR + row * HALF_HOUR)
        known = [(name, float(values[row])) for name, values in series.items() if row < values.size]
        lines += [f"{name},{at},{value!r}" for name, value in known if np.isfinite(value)]
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def daily(hours: int, seed: int = 1, *, level: float = 50.0) -> np.ndarray:
    """A day's wave and noise, half-hourly."""
    at = np.arange(2 * hours) / 2
    noise = np.random.default_rng(seed).normal(0, 2, at.size)
    return np.round(level + 20 * np.sin(2 * np.pi * at / 24) + noise, 3)
