import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue import metric_of_sample
from collector.samplers.network.connects import Outcome, connect_all
from collector.samplers.network.latency import Latency
from collector.samplers.network.probes import MIN_PROBES, Probes
from collector.samplers.network.resolver import Resolver, literal
from collector.settings import NetworkSettings
from forewarn.base.clock import SystemClock
from forewarn.base.lane import StuckError
from tests.support.page_server import full_listener
from tests.support.ports import free_port

V4 = socket.AF_INET


async def measured(*targets: str, patience: float = 2.0, rounds: int = 1) -> dict[str, dict[str, float]]:
    """By target: values by the ends of their names, and failures by code."""
    source = Latency(NetworkSettings(targets=targets, timeout=5), patience, SystemClock())
    found: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        found = {target: {} for target in targets}
        for sample in await source.collect():
            metric = metric_of_sample(sample.key.name)
            assert metric is not None
            assert sample.counter == (metric.type == "counter")
            what = sample.key.name.removeprefix("forewarn_network_")
            found[sample.key.label("target")][sample.key.label("code") or what] = sample.value
    await source.close()
    return found


@pytest.mark.timed
async def test_a_listener_has_a_latency_and_no_failures() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        found = (await measured(target, rounds=2))[target]
    assert 0 < found.pop("latency_seconds") < 0.1
    assert 0 < found["latency_min_seconds"] <= found["latency_mean_seconds"] <= found["latency_max_seconds"] < 0.1
    assert 0 <= found["jitter_seconds"] < 0.1
    assert "loss_ratio" not in found
    assert "resolve_duration_seconds" not in found
    assert {code: found[code] for code in ("dns", "timeout", "refused", "unreachable", "error")} == dict.fromkeys(
        ("dns", "timeout", "refused", "unreachable", "error"), 0
    )


@pytest.mark.timed
async def test_failures_are_counted_by_reason_and_stop_no_other_target() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, full_listener() as full:
        good, refused = f"localhost:{listener.getsockname()[1]}", f"127.0.0.1:{free_port()}"
        silent, nameless = f"127.0.0.1:{full}", "a..b:80"
        started = time.monotonic()
        found = await measured(good, refused, silent, nameless, patience=0.3, rounds=2)
        assert time.monotonic() - started < 3
    assert found[good]["latency_seconds"] > 0
    assert 0 < found[good]["resolve_duration_seconds"] < 2
    for target, code, times in ((refused, "refused", 2), (silent, "timeout", 2), (nameless, "dns", 1)):
        assert "latency_seconds" not in found[target]
        assert {name for name, count in found[target].items() if count} == {code}
        assert found[target][code] == times  # a name that is not known is not looked up every round


@pytest.mark.timed
async def test_many_targets_take_one_thread_and_one_that_is_silent_no_time_of_the_others() -> None:
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(60)]
        full = stack.enter_context(full_listener())
        targets = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
        before = threading.active_count()
        started = time.monotonic()
        source = Latency(NetworkSettings(targets=(*targets, f"127.0.0.1:{full}"), timeout=5), 0.5, SystemClock())
        samples = await source.collect()
        assert time.monotonic() - started < 1.2
        assert threading.active_count() - before <= 1
        await source.close()
    answered = {sample.key.label("target") for sample in samples if sample.key.name.endswith("network_latency_seconds")}
    assert answered == set(targets)


@pytest.mark.timed
def test_a_silent_first_address_leaves_time_for_the_second_and_does_not_count() -> None:
    clock = SystemClock()
    with socket.create_server(("127.0.0.1", 0)) as listener, full_listener() as full:
        silent, good = (V4, ("127.0.0.1", full)), (V4, listener.getsockname())
        started = time.monotonic()
        outcome = connect_all({"t": [silent, good]}, 1.0, clock)["t"]
        assert outcome.code == ""
        assert outcome.seconds is not None
        assert outcome.seconds < 0.3
        assert time.monotonic() - started > 0.4
        assert connect_all({"t": [silent]}, 0.1, clock)["t"] == Outcome(code="timeout")
    assert connect_all({"t": []}, 0.1, clock)["t"].seconds is None


def test_the_kernels_time_is_told_not_the_interpreters() -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            sum(range(10_000))

    threads = [threading.Thread(target=busy, daemon=True) for _ in range(4)]
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        for thread in threads:
            thread.start()
        address = [(V4, listener.getsockname())]
        found = [connect_all({"t": address}, 5.0, SystemClock())["t"].seconds for _ in range(10)]
        stop.set()
    # Four threads that never wait hold a fifth one up for 20 ms a turn.
    assert all(seconds is not None for seconds in found)
    assert sorted(seconds or 0 for seconds in found)[5] < 0.005


def test_a_family_that_this_host_does_not_have_is_a_failure_and_the_next_address_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        unknown = (socket.AF_ROSE, ("address",))
        assert connect_all({"t": [unknown]}, 1.0, SystemClock())["t"] == Outcome(code="error")
        assert connect_all({"t": [unknown, (V4, listener.getsockname())]}, 1.0, SystemClock())["t"].code == ""


def probes(*outcomes: Outcome, window: float = 300, step: float = 1.0) -> Probes:
    probes = Probes(window)
    for number, outcome in enumerate(outcomes):
        probes.add(number * step, outcome)
    return probes


def test_jitter_is_the_smoothed_change_of_the_latency() -> None:
    found = probes(Outcome(0.010), Outcome(0.026), Outcome(code="timeout"), Outcome(0.026)).summary()
    first = 0.016 / 16
    assert found["jitter_seconds"] == pytest.approx(first + (0 - first) / 16)
    assert "jitter_seconds" not in probes(Outcome(0.01)).summary()


def test_loss_counts_what_found_no_answer_and_what_had_to_be_repeated() -> None:
    outcomes = [Outcome(0.01)] * 6 + [
        Outcome(code="refused"),
        Outcome(code="timeout"),
        Outcome(code="unreachable"),
        Outcome(1.02, repeated=True),
    ]
    assert probes(*outcomes).summary()["loss_ratio"] == pytest.approx(0.3)
    assert "loss_ratio" not in probes(*outcomes[: MIN_PROBES - 1]).summary()


@given(st.lists(st.one_of(st.none(), st.floats(0, 10)), min_size=1, max_size=60), st.integers(1, 40))
def test_the_window_forgets_what_is_older(latencies: list[float | None], window: int) -> None:
    found = probes(
        *(Outcome(code="timeout") if each is None else Outcome(each) for each in latencies), window=window
    ).summary()
    recent = latencies[-window:]
    heard = [each for each in recent if each is not None]
    assert found.get("latency_min_seconds") == (min(heard) if heard else None)
    assert found.get("latency_max_seconds") == (max(heard) if heard else None)
    if len(recent) >= MIN_PROBES:
        assert found["loss_ratio"] == pytest.approx(recent.count(None) / len(recent))
    else:
        assert "loss_ratio" not in found


def test_an_address_needs_no_name_server() -> None:
    assert literal("127.0.0.1", 80) == [(V4, ("127.0.0.1", 80))]
    assert literal("::1", 80)[0][0] == socket.AF_INET6
    assert literal("localhost", 80) == []


class Slow(Resolver):
    """Names that begin with ``silent`` are never answered."""

    gate = threading.Event()

    def _ask(self, host: str, port: int) -> tuple[list[tuple[socket.AddressFamily, tuple[object, ...]]], float]:
        if host.startswith("silent"):
            self.gate.wait()
        return [(V4, (host, port))], 0.0


@pytest.fixture
def slow() -> Iterator[Slow]:
    Slow.gate = threading.Event()
    resolver = Slow(SystemClock(), 0.1, size=2)
    yield resolver
    Slow.gate.set()
    resolver.close()


@pytest.mark.timed
async def test_a_name_whose_server_is_silent_keeps_one_thread_and_the_others_go_on(slow: Slow) -> None:
    for _ in range(3):
        with pytest.raises(StuckError):
            await slow.resolve("silent", 1)
    found = await asyncio.gather(*(slow.resolve(f"name{number}", 1) for number in range(8)))
    assert [addresses[0][1][0] for addresses, _ in found] == [f"name{number}" for number in range(8)]
    slow.gate.set()
    end = time.monotonic() + 60
    while slow._away["silent"].stuck:
        assert time.monotonic() < end
        await asyncio.sleep(0.005)
    assert (await slow.resolve("silent", 1))[0] == [(V4, ("silent", 1))]


@pytest.mark.timed
async def test_when_no_thread_is_left_a_name_fails_in_time(slow: Slow) -> None:
    started = time.monotonic()
    with pytest.raises(StuckError):
        await slow.resolve("silent1", 1)
    with pytest.raises(StuckError):
        await slow.resolve("silent2", 1)
    with pytest.raises(StuckError):
        await slow.resolve("good", 1)
    assert time.monotonic() - started < 1
