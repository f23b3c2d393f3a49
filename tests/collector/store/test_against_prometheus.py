"""Increases, rates and quantiles are those of a real Prometheus where both mean the same.

Samples lie a millisecond before the ends of windows. So Prometheus' range, closed at both ends, begins and ends with a
sample, and it has nothing to extrapolate.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import urllib3

from collector.series import Matcher, SeriesKey
from collector.store import History, Store, StoreSettings, Table, quantiles
from forewarn.base.clock import DAY, HOUR, MINUTE, SystemClock
from tests.support.history_servers import HistoryServer, Recorded, history_server
from tests.support.set_clock import SetClock

pytestmark = pytest.mark.prometheus
EVERY = 15_000
START = SystemClock().now_ms() // DAY * DAY - 30 * DAY
END = START + DAY
COUNTER = SeriesKey("jobs_total")
BUCKETS = [SeriesKey.of("wait_seconds_bucket", le=bound) for bound in ("0.1", "0.5", "2.5", "10", "+Inf")]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """A day: a counter with three resets, and a histogram that is reset once, all at the same time."""
    random = np.random.default_rng(11)
    times = np.arange(START, END, EVERY) + EVERY - 1
    jobs = np.cumsum(random.integers(0, 20, len(times)))
    for reset in (900, 2345, 5000):
        jobs[reset:] -= jobs[reset] - 3
    observed = np.cumsum(np.cumsum(random.integers(0, 4, (len(BUCKETS), len(times))), axis=1), axis=0)
    observed[:, 3000:] -= observed[:, 3000:3001]
    return {
        COUNTER: (times, jobs.astype(np.float64)),
        **{key: (times, line.astype(np.float64)) for key, line in zip(BUCKETS, observed, strict=True)},
    }


@pytest.fixture(scope="module")
def server(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryServer]:
    with history_server("prometheus", tmp_path_factory.mktemp("prometheus"), recorded) as server:
        yield server


@pytest.fixture(params=["raw", "5 minutes", "hours"])
def store(request: pytest.FixtureRequest, recorded: Recorded, tmp_path: Path) -> Iterator[Store]:
    """The store with single samples, with roll-ups only, with hours only."""
    clock = SetClock(END)
    kept = StoreSettings(raw_retention="1d", five_minute_retention="10d", hourly_retention="300d")
    store = Store.open(tmp_path / "metrics.db", kept, clock)
    store.append_histories([History(key, times, values, True) for key, (times, values) in recorded.items()])
    clock.pass_time({"raw": 0, "5 minutes": 3 * 86_400, "hours": 20 * 86_400}[request.param])
    while store.compact():
        pass
    assert bool(len(store.samples(1, START, END)[0])) == (request.param == "raw")
    yield store
    store.close()


def asked(server: HistoryServer, expression: str, step: int) -> np.ndarray:
    """The values at the ends of all windows but the first."""
    fields = {"query": expression, "start": (START + 2 * step - 1) / 1000, "end": (END - 1) / 1000, "step": step / 1000}
    answer = urllib3.request("GET", f"{server.url}/api/v1/query_range", fields=fields).json()
    [series] = answer["data"]["result"]
    return np.array([float(value) for _, value in series["values"]])


def table(store: Store, name: str, step: int) -> Table:
    return store.select(Matcher("__name__", "=", name), start_ms=START, end_ms=END, step_ms=step)


def steps(store: Store) -> list[int]:
    """Those that the store answers exactly."""
    if len(store.samples(1, START, END)[0]):
        return [MINUTE, 5 * MINUTE, HOUR]
    fine = table(store, COUNTER.name, 5 * MINUTE)["count"]
    return [10 * MINUTE, HOUR] if fine[:, 1].any() else [HOUR, 6 * HOUR]


def test_increases_and_rates(store: Store, server: HistoryServer) -> None:
    for step in steps(store):
        found = table(store, COUNTER.name, step)
        window = f"{COUNTER}[{step // 1000}s]"
        np.testing.assert_allclose(found["increase"][0, 1:], asked(server, f"increase({window})", step), rtol=1e-12)
        np.testing.assert_allclose(found["rate"][0, 1:], asked(server, f"rate({window})", step), rtol=1e-12)


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.95, 1.0])
def test_quantiles(store: Store, server: HistoryServer, quantile: float) -> None:
    for step in steps(store):
        [(key, found)] = quantiles(table(store, "wait_seconds_bucket", step), quantile)
        assert key == SeriesKey("wait_seconds")
        grown = f"increase(wait_seconds_bucket[{step // 1000}s])"
        expected = asked(server, f"histogram_quantile({quantile}, {grown})", step)
        np.testing.assert_allclose(found[1:], expected, rtol=1e-9)
