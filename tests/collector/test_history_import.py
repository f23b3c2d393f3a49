"""History of real servers becomes our own series: the right ones, at the right times, once."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from collector.history.load import ImportReport, Span, load_plan, oldest_samples
from collector.history.plan import Node, Plan, make_plan
from collector.history.prometheus import Prometheus, PrometheusError
from collector.series import Matcher, SeriesKey
from collector.settings import EndpointSettings, HostSettings
from collector.store import History, Store, StoreSettings
from forewarn.base.clock import DAY, SystemClock
from forewarn.base.errors import StoreError, UsageError
from tests.support.fleet import MIB, UUIDS, fleet
from tests.support.history_servers import (
    FilledPrometheus,
    FilledVictoria,
    HistoryServer,
    Recorded,
    history_server,
    series,
)

pytestmark = pytest.mark.prometheus

LATER = 53_000
"""Scrapes are 7 s after the minute; the grid's next minute is the first that sees them."""
INFERENCE = {"endpoint": "llama", "model_name": "llama", "server": "vllm"}
NODE = Node(
    names=("gpu-a.example.org",),
    instances=(),
    gpus={uuid: str(gpu) for gpu, uuid in enumerate(UUIDS["gpu-a"])},
    endpoints=(EndpointSettings(url="http://127.0.0.1:8000/metrics", name="llama"),),
    host=HostSettings(),
)
Samples = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


@pytest.fixture(scope="module")
def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def recorded(now_ms: int) -> Recorded:
    return fleet(now_ms - 60_000, 1.5)


@pytest.fixture(scope="module", params=["prometheus", "victoria-metrics"])
def server(
    request: pytest.FixtureRequest, recorded: Recorded, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HistoryServer]:
    with history_server(request.param, tmp_path_factory.mktemp(request.param), recorded) as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "metrics.db", StoreSettings(), SystemClock())
    yield opened
    opened.close()


def span_of(now_ms: int, **more: int) -> Span:
    return Span(**{"start_ms": now_ms - 30 * DAY, "end_ms": now_ms - 60_000, **more})


def planned(server: HistoryServer, now_ms: int, node: Node = NODE, *matchers: Matcher) -> Plan:
    return make_plan(Prometheus(server.url), node, matchers, now_ms - 30 * DAY, now_ms)


def load(server: HistoryServer, plan: Plan, store: Store, span: Span, **more: object) -> ImportReport:
    oldest = oldest_samples(store, {key for job in plan.jobs for key in job.keys}, span)
    asked = Prometheus(server.url, sleep=lambda _: None)
    arguments = {"sink": store, "span": span, "oldest": oldest, "progress": lambda _, __: None, **more}
    return load_plan(asked, plan, **arguments)  # type: ignore[arg-type]


def stored(store: Store) -> dict[SeriesKey, Samples]:
    return {one.key: store.samples(one.id, 0, 2**62) for one in store.series()}


def joined(recorded: Recorded, *keys: SeriesKey) -> Samples:
    """What was recorded under several names, one after the other."""
    return np.concatenate([recorded[key][0] for key in keys]), np.concatenate([recorded[key][1] for key in keys])


def dcgm(recorded: Recorded, name: str, gpu: int) -> Samples:
    """What node gpu-a recorded of one GPU, under the old name and label and the new ones."""
    uuid = UUIDS["gpu-a"][gpu]
    keys = [key for key in recorded if key.name.startswith(name) and key.label("UUID") == uuid]
    return joined(recorded, *sorted(keys, key=lambda key: int(recorded[key][0][0])))


def gpu_key(name: str, gpu: int, **labels: str) -> SeriesKey:
    return series(f"forewarn_gpu_{name}", {"gpu": str(gpu), "uuid": UUIDS["gpu-a"][gpu], **labels})


def expected(recorded: Recorded) -> dict[SeriesKey, Samples]:
    """Our series of what the fixture recorded, computed by hand."""
    found: dict[SeriesKey, Samples] = {}
    for gpu in range(2):
        for name, key, factor in (
            ("DCGM_FI_DEV_FB_USED", gpu_key("memory_used_bytes", gpu), MIB),
            ("DCGM_FI_DEV_GPU_TEMP", gpu_key("temperature_celsius", gpu, sensor="core"), 1.0),
            ("DCGM_FI_DEV_SM_CLOCK", gpu_key("clock_hertz", gpu, domain="sm"), 1e6),
        ):
            times, values = dcgm(recorded, name, gpu)
            found[key] = times, values * factor
        for name, key, divisor in (
            ("DCGM_FI_DEV_GPU_UTIL", gpu_key("utilization_ratio", gpu), 100),
            ("DCGM_FI_DEV_TOTAL_ENERGY", gpu_key("energy_joules_total", gpu), 1000),
        ):
            times, values = dcgm(recorded, name, gpu)
            found[key] = times, values / divisor
    host = {"instance": "10.0.0.1:9100", "job": "node"}
    found[series("forewarn_node_load1", {})] = recorded[series("node_load1", host)]
    available = recorded[series("node_memory_MemAvailable_bytes", host)]
    found[series("forewarn_node_memory_available_bytes", {})] = available
    disk = {**host, "mountpoint": "/data", "fstype": "ext4", "device": "/dev/nvme0n1"}
    room = recorded[series("node_filesystem_avail_bytes", disk)]
    found[series("forewarn_node_filesystem_avail_bytes", {"mountpoint": "/data"})] = room
    bytes_in = recorded[series("node_network_receive_bytes_total", {**host, "device": "eth0"})]
    found[series("forewarn_node_network_receive_bytes_total", {"device": "eth0"})] = bytes_in
    times = room[0]
    found[series("forewarn_node_cpus", {})] = times, np.full(len(times), 2.0)
    dropped = [recorded[series("node_softnet_dropped_total", {**host, "cpu": str(cpu)})][1] for cpu in range(2)]
    found[series("forewarn_node_softnet_dropped_total", {})] = times, dropped[0] + dropped[1]
    engines = [{"instance": "10.0.0.1:8000", "job": "vllm", "model_name": "llama", "engine": str(n)} for n in range(2)]
    for theirs, ours, combine in (
        ("vllm:num_requests_waiting", "requests_waiting", np.add),
        ("vllm:kv_cache_usage_perc", "kv_cache_usage_ratio", np.maximum),
        ("vllm:time_to_first_token_seconds_count", "time_to_first_token_seconds_count", np.add),
        ("vllm:time_to_first_token_seconds_sum", "time_to_first_token_seconds_sum", np.add),
    ):
        one, other = (recorded[series(theirs, labels)][1] for labels in engines)
        found[series(f"forewarn_inference_{ours}", INFERENCE)] = times, combine(one, other)
    for bound in ("0.1", "1.0", "+Inf"):
        one, other = (
            recorded[series("vllm:time_to_first_token_seconds_bucket", {**labels, "le": bound})][1]
            for labels in engines
        )
        key = series("forewarn_inference_time_to_first_token_seconds_bucket", {**INFERENCE, "le": bound})
        found[key] = times, one + other
    return found


def check(store: Store, recorded: Recorded) -> None:
    found = stored(store)
    for key, (times, values) in expected(recorded).items():
        got_times, got = found[key]
        np.testing.assert_array_equal(got_times, times + LATER, str(key))
        np.testing.assert_allclose(got, values, rtol=1e-12, err_msg=str(key))
    assert not any("bbbb" in str(key) or key.label("mountpoint") == "/run" for key in found)


def test_every_series_is_ours_and_right(server: HistoryServer, recorded: Recorded, store: Store, now_ms: int) -> None:
    plan = planned(server, now_ms)
    report = load(server, plan, store, span_of(now_ms))
    check(store, recorded)
    busy, idle = stored(store)[series("forewarn_node_cpu_utilization_ratio", {})], 0.7
    assert len(busy[0]) > 2000
    np.testing.assert_allclose(busy[1], 1 - idle, atol=1e-6)
    _, disk = stored(store)[series("forewarn_node_disk_utilization_ratio", {"device": "nvme0n1"})]
    np.testing.assert_allclose(disk[4:-1], 0.25, atol=1e-6)  # where a series begins or ends, rate() is cautious
    counters = {one.key.name for one in store.series() if one.counter}
    assert {"forewarn_gpu_energy_joules_total", "forewarn_node_network_receive_bytes_total"} <= counters
    assert "forewarn_inference_time_to_first_token_seconds_bucket" in counters
    assert "forewarn_gpu_utilization_ratio" not in counters
    assert report.new == report.samples == sum(len(times) for times, _ in stored(store).values())
    assert report.interval_ms == {"DCGM": 60_000, "node": 60_000, "vllm": 60_000}
    assert plan.instances == ("10.0.0.1:8000", "10.0.0.1:9100", "10.0.0.1:9400")
    assert [other.name for other in plan.others] == ["gpu-b"]
    reasons = {one.name: one.reason for one in plan.left_out}
    assert "last code" in reasons["DCGM_FI_DEV_XID_ERRORS"]


def test_doing_it_again_changes_nothing(server: HistoryServer, store: Store, now_ms: int) -> None:
    plan = planned(server, now_ms)
    load(server, plan, store, span_of(now_ms))
    before = stored(store)
    again = load(server, plan, store, span_of(now_ms))
    assert (again.samples, again.new) == (0, 0)
    after = stored(store)
    assert before.keys() == after.keys()
    for key, (times, values) in before.items():
        np.testing.assert_array_equal(after[key], (times, values))


class CutOff:
    """A sink whose far side goes away after some calls: the last one was stored, its answer is lost."""

    def __init__(self, store: Store, calls: int) -> None:
        self._store = store
        self._calls = calls

    def horizon_ms(self) -> int:
        return self._store.horizon_ms()

    def append_histories(self, items: Sequence[History]) -> int:
        new = self._store.append_histories(items)
        self._calls -= 1
        if self._calls < 0:
            raise StoreError("the connection is lost")
        return new


@pytest.mark.parametrize("calls", [0, 7])
def test_one_that_was_cut_off_goes_on(
    server: HistoryServer, recorded: Recorded, store: Store, now_ms: int, calls: int
) -> None:
    plan, span = planned(server, now_ms), span_of(now_ms)
    with pytest.raises(StoreError, match="lost"):
        load(server, plan, store, span, sink=CutOff(store, calls))
    first = sum(len(times) for times, _ in stored(store).values())
    second = load(server, plan, store, span)
    check(store, recorded)
    assert first > 0
    assert second.new == second.samples == sum(len(times) for times, _ in stored(store).values()) - first


def test_an_outage_of_the_server_in_the_middle(
    server: HistoryServer, recorded: Recorded, store: Store, now_ms: int
) -> None:
    plan, span = planned(server, now_ms), span_of(now_ms)

    def go_away(done: float, total: int) -> None:
        if done > total / 3:
            server.stop()

    try:
        with pytest.raises(PrometheusError, match="refused") as caught:
            load(server, plan, store, span, progress=go_away)
        assert "goes on" in (caught.value.hint or "")
        half = sum(len(times) for times, _ in stored(store).values())
        assert half > 0
    finally:
        server.start()
    second = load(server, plan, store, span)
    check(store, recorded)
    assert second.new == second.samples == sum(len(times) for times, _ in stored(store).values()) - half


def test_only_what_lies_before_our_own_record_is_taken(server: HistoryServer, store: Store, now_ms: int) -> None:
    own = gpu_key("energy_joules_total", 0)
    start = now_ms - DAY // 2
    times = np.arange(start, now_ms - 600_000, 5_000, dtype=np.int64)
    store.append_history(own, times, np.arange(len(times), dtype=np.float64) + 1e15, counter=True)
    load(server, planned(server, now_ms), store, span_of(now_ms))
    found = stored(store)[own][0]
    assert found[found >= start].tolist() == times.tolist()
    assert len(found) > len(times) + 1000
    assert stored(store)[gpu_key("energy_joules_total", 1)][0][-1] > now_ms - 300_000


def test_a_longer_look_back_adds_what_is_older(server: HistoryServer, store: Store, now_ms: int) -> None:
    plan = planned(server, now_ms)
    late = load(server, plan, store, span_of(now_ms, start_ms=now_ms - DAY // 4, step_ms=300_000))
    early = load(server, plan, store, span_of(now_ms, step_ms=300_000))
    times, _ = stored(store)[gpu_key("memory_used_bytes", 0)]
    assert set(np.diff(times).tolist()) == {300_000}
    assert late.oldest_ms is not None
    assert early.newest_ms == late.oldest_ms - 300_000


def test_matchers_narrow_it(server: HistoryServer, now_ms: int) -> None:
    plan = planned(server, now_ms, NODE, Matcher("job", "=", "dcgm"))
    assert {query.source.partition("_")[0] for job in plan.jobs for query in job.queries} == {"DCGM"}


def test_a_node_that_is_not_there_is_told_which_are(server: HistoryServer, now_ms: int) -> None:
    stranger = Node(("elsewhere",), (), {}, (), HostSettings())
    with pytest.raises(
        UsageError, match=r"(?s)elsewhere.*gpu-a: 10\.0\.0\.1:8000, 10\.0\.0\.1:9100.*gpu-b: .*2 GPUs"
    ) as caught:
        planned(server, now_ms, stranger)
    assert caught.value.exit_code == 2
    assert "--hostname" in (caught.value.hint or "")
    named = planned(server, now_ms, Node(("elsewhere",), ("10.0.0.2",), {}, (), HostSettings(), named=True))
    assert named.instances == ("10.0.0.2:8000", "10.0.0.2:9100", "10.0.0.2:9400")
    assert {key.label("uuid") for job in named.jobs for key in job.keys} - {""} == set(UUIDS["gpu-b"])
    with pytest.raises(UsageError, match="has nothing of dcgm-exporter"):
        planned(server, now_ms, NODE, Matcher("job", "=", "another"))


def test_a_fleet_larger_than_one_answer(tmp_path: Path, now_ms: int) -> None:
    recorded = fleet(now_ms - 60_000, 0.05)
    times, values = next(iter(recorded.values()))
    for number in range(300):
        recorded[series("node_load1", {"instance": f"10.1.{number // 250}.{number % 250}:9100"})] = times, values
    server = FilledVictoria(tmp_path)
    server.fill(recorded)
    server.flags = ("-search.maxSeries=150",)
    server.start()
    try:
        for node in (NODE, replace(NODE, gpus={}), replace(NODE, names=("x",), instances=("10.0.0.1",), gpus={})):
            plan = planned(server, now_ms, node)
            assert plan.instances == ("10.0.0.1:8000", "10.0.0.1:9100", "10.0.0.1:9400"), node
            assert {key.label("uuid") for job in plan.jobs for key in job.keys} - {""} == set(UUIDS["gpu-a"])
        with pytest.raises(UsageError, match="nothing of dcgm-exporter"):
            planned(server, now_ms, Node(("elsewhere",), (), {}, (), HostSettings()))
    finally:
        server.stop()


def test_what_is_too_much_for_the_server_is_asked_for_in_smaller_pieces(
    tmp_path: Path, recorded: Recorded, store: Store, now_ms: int
) -> None:
    server = FilledPrometheus(tmp_path / "prometheus")
    server.fill({key: samples for key, samples in recorded.items() if key.name.startswith("DCGM_FI_DEV_FB_USED")})
    server.flags = ("--query.max-samples=700",)
    server.start()
    try:
        load(server, planned(server, now_ms), store, span_of(now_ms))
        for gpu in range(2):
            times, values = dcgm(recorded, "DCGM_FI_DEV_FB_USED", gpu)
            got_times, got = stored(store)[gpu_key("memory_used_bytes", gpu)]
            np.testing.assert_array_equal(got_times, times + LATER)
            np.testing.assert_array_equal(got, values * MIB)
        server.stop()
        server.flags = ("--query.max-samples=1",)
        server.start()
        with pytest.raises(PrometheusError, match="too many samples") as caught:
            load(server, planned(server, now_ms), store, span_of(now_ms), oldest={})
        assert "--step" in (caught.value.hint or "")
    finally:
        server.stop()


@pytest.mark.parametrize("kind", ["prometheus", "victoria-metrics"])
def test_nvidia_gpu_exporter_and_a_gap_that_stays_one(tmp_path: Path, store: Store, now_ms: int, kind: str) -> None:
    first = (now_ms - DAY // 2) // 60_000 * 60_000 + 7_000
    times = np.arange(first, now_ms - 120_000, 15_000, dtype=np.int64)
    gone = (times > first + 3_600_000) & (times < first + 3 * 3_600_000)
    times = times[~gone]
    uuid = UUIDS["gpu-a"][1]
    labels = {"uuid": uuid.removeprefix("GPU-"), "instance": "gpu-a:9835", "job": "smi"}
    used = np.arange(len(times)) * 1e6
    recorded = {
        series("nvidia_smi_gpu_info", {**labels, "index": "4", "name": "H100"}): (times, np.ones(len(times))),
        series("nvidia_smi_memory_used_bytes", labels): (times, used),
        series("nvidia_smi_xid_errors_total", {**labels, "xid": "48"}): (times, np.floor(used / 1e8)),
    }
    with history_server(kind, tmp_path / kind, recorded) as server:
        plan = planned(server, now_ms, replace(NODE, gpus={}))
        report = load(server, plan, store, span_of(now_ms))
    assert report.interval_ms == {"nvidia": 15_000}
    assert report.steps_ms == {60_000}
    found = stored(store)
    assert set(found) == {
        series("forewarn_gpu_memory_used_bytes", {"gpu": "4", "uuid": uuid}),
        series("forewarn_gpu_xid_errors_total", {"gpu": "4", "uuid": uuid, "xid": "48"}),
    }
    got_times, got = found[series("forewarn_gpu_memory_used_bytes", {"gpu": "4", "uuid": uuid})]
    newest = np.searchsorted(times, got_times, side="right") - 1
    np.testing.assert_array_equal(got, used[newest])
    assert (got_times - times[newest]).max() < 60_000
    assert np.diff(got_times).max() >= 2 * 3_600_000 - 60_000


def test_what_two_servers_recorded_alike_counts_once(tmp_path: Path, now_ms: int) -> None:
    once = fleet(now_ms - 60_000, 0.05)
    twice = {
        SeriesKey.of(key.name, **dict(key.labels), prometheus_replica=name): samples
        for key, samples in once.items()
        for name in ("a", "b")
    }
    found: dict[str, dict[SeriesKey, Samples]] = {}
    for name, recorded in (("once", once), ("twice", twice)):
        opened = Store.open(tmp_path / f"{name}.db", StoreSettings(), SystemClock())
        with history_server("prometheus", tmp_path / name, recorded) as server:
            load(server, planned(server, now_ms), opened, span_of(now_ms))
        found[name] = stored(opened)
        opened.close()
    assert found["twice"].keys() == found["once"].keys()
    summed = {"forewarn_inference_requests_waiting", "forewarn_node_cpu_seconds_total", "forewarn_node_cpus"}
    assert summed <= {key.name for key in found["once"]}
    for key, (times, values) in found["once"].items():
        np.testing.assert_array_equal(found["twice"][key][0], times, err_msg=str(key))
        np.testing.assert_allclose(found["twice"][key][1], values, rtol=1e-12, err_msg=str(key))
