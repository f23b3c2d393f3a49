"""The reader in memory that tests use answers as the store does."""

from pathlib import Path

import numpy as np
import pytest

from collector.series import SeriesKey, parse_selector
from collector.store import Store, StoreReader, StoreSettings
from forewarn.base.clock import SystemClock
from tests.support.memory_series import MemoryReader

HOUR_MS = 3_600_000
FIELDS = ("times", "min", "max", "sum", "count", "first", "last", "increase", "mean")


@pytest.mark.parametrize("counter", [False, True], ids=["gauge", "counter"])
@pytest.mark.parametrize("step_ms", [300_000, HOUR_MS])
def test_windows_agree(tmp_path: Path, reader: MemoryReader, *, counter: bool, step_ms: int) -> None:
    now_ms = SystemClock().now_ms() // HOUR_MS * HOUR_MS
    random = np.random.default_rng(5)
    times = now_ms - 48 * HOUR_MS + np.cumsum(random.integers(1_000, 400_000, 800))
    values = random.normal(10, 2, 800)
    if counter:
        values = np.abs(values).cumsum()
        values[400:] -= values[400]
    key = SeriesKey.of("x_total", a="b")
    store = Store.open(tmp_path / "metrics.db", StoreSettings(), SystemClock())
    store.append_history(key, times.astype(np.int64), values, counter=counter)
    while store.compact():
        pass
    store.close()
    reader.add(key, times, values, counter=counter)
    real = StoreReader(tmp_path / "metrics.db")
    (series,) = real.series(*parse_selector('{a="b"}'))
    (same,) = reader.series(*parse_selector('{a="b"}'))
    assert (series.key, series.counter) == (same.key, same.counter)
    window = (now_ms - 30 * HOUR_MS, now_ms, step_ms)
    ours, theirs = reader.rollup(same.id, *window), real.rollup(series.id, *window)
    real.close()
    for field in FIELDS:
        np.testing.assert_allclose(getattr(ours, field), getattr(theirs, field), rtol=1e-9, err_msg=field)
