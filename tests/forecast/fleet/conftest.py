"""Two real servers with the same fleet, and the store of the same samples."""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from collector.store import History, Store, StoreReader, StoreSettings
from forewarn.base.clock import DAY, HOUR, MINUTE, SystemClock
from tests.support.fleet_servers import BOTH, STALE, fleet_server
from tests.support.history_servers import Recorded, series
from tests.support.receivers import Receiver

NOW_MS = time.time_ns() // 1_000_000 // HOUR * HOUR
DAYS = 9


def node(number: int) -> dict[str, str]:
    return {"instance": f"10.0.0.{number}:9100", "job": "node"}


def daily(times: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 2, len(times))
    return np.round(50 + 10 * np.sin(times / DAY * 2 * np.pi + seed) + noise, 3)


@pytest.fixture(scope="session")
def recorded() -> Recorded:
    """Gauges of two nodes with the same name, one with a gap; what fills; a counter that begins again."""
    times = np.arange(NOW_MS - DAYS * DAY, NOW_MS, 5 * MINUTE, dtype=np.int64) + 7_000
    found: Recorded = {}
    for number in (1, 2):
        found[series("queue_length", node(number))] = times, daily(times, number)
        disk = {**node(number), "mountpoint": "/data"}
        size = 200e9 + number
        free = size - 15e9 * (times - times[0]) / DAY - 1e9 * daily(times, number + 2) / 100
        found[series("node_filesystem_avail_bytes", disk)] = times, np.round(free)
        found[series("node_filesystem_size_bytes", disk)] = times, np.full(len(times), size)
    gap = (times < NOW_MS - 60 * HOUR) | (times >= NOW_MS - 50 * HOUR)
    found[series("queue_length", node(3))] = times[gap], daily(times, 3)[gap]
    minutes = np.arange(NOW_MS - DAYS * DAY, NOW_MS, MINUTE, dtype=np.int64) + 7_000
    grown = np.cumsum(np.round(100 * daily(minutes, 4)))
    grown[5000:] -= grown[5000]
    found[series("requests_total", node(1))] = minutes, grown
    return found


@pytest.fixture(scope="session", params=BOTH)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, recorded: Recorded
) -> Iterator[Receiver]:
    with fleet_server(request.param, tmp_path_factory.mktemp("fleet"), recorded | odd()) as found:
        yield found


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, recorded: Recorded) -> Iterator[StoreReader]:
    path = tmp_path_factory.mktemp("store") / "metrics.db"
    writer = Store.open(path, StoreSettings(), SystemClock())
    writer.append_histories(
        [History(key, times, values, key.name.endswith("_total")) for key, (times, values) in recorded.items()]
    )
    reader = StoreReader(path)
    yield reader
    reader.close()
    writer.close()


def odd() -> Recorded:
    """Series with NaN, infinities and an end, one that is young, one that is long gone, and what was written back."""
    times = np.arange(NOW_MS - DAYS * DAY, NOW_MS, 10 * MINUTE, dtype=np.int64) + 7_000
    broken = daily(times, 5)
    broken[-30] = np.nan
    broken[-40] = np.inf
    ended = daily(times, 6)
    ended[-6:] = STALE
    young = times[times >= NOW_MS - 3 * HOUR]
    gone = times[times < NOW_MS - 3 * DAY]
    return {
        series("odd", {"case": "broken"}): (times, broken),
        series("odd", {"case": "ended"}): (times, ended),
        series("odd", {"case": "young"}): (young, daily(young, 7)),
        series("odd", {"case": "gone"}): (gone, daily(gone, 8)),
        series("odd", {"case": "very young"}): (np.array([NOW_MS + 1000]), np.array([1.0])),
        series("forewarn_forecast_value", {"case": "written back"}): (times, daily(times, 9)),
    }
