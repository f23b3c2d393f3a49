import socket
import time

import pytest

from collector.samplers.latency import Latency, connect_seconds
from collector.settings import NetworkSettings
from forewarn.base.clock import SystemClock
from tests.support.page_server import free_port, full_listener


async def measured(*targets: str, patience: float = 2.0, rounds: int = 1) -> dict[str, dict[str, float]]:
    """By target: ``latency``, and failures by code."""
    source = Latency(NetworkSettings(targets=targets, timeout=5), patience, SystemClock())
    found: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        found = {target: {} for target in targets}
        for sample in await source.collect():
            found[sample.key.label("target")][sample.key.label("code") or "latency"] = sample.value
    await source.close()
    return found


async def test_a_listener_has_a_latency_and_no_failures() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        found = (await measured(target))[target]
    assert 0 < found.pop("latency") < 1
    assert found == {"dns": 0, "timeout": 0, "refused": 0, "unreachable": 0, "error": 0}


async def test_failures_are_counted_by_reason_and_stop_no_other_target() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, full_listener() as full:
        good, refused = f"localhost:{listener.getsockname()[1]}", f"127.0.0.1:{free_port()}"
        silent, nameless = f"127.0.0.1:{full}", "a..b:80"
        started = time.monotonic()
        found = await measured(good, refused, silent, nameless, patience=0.3, rounds=2)
        assert time.monotonic() - started < 3
    assert found[good]["latency"] > 0
    for target, code in ((refused, "refused"), (silent, "timeout"), (nameless, "dns")):
        assert "latency" not in found[target]
        assert {name for name, count in found[target].items() if count} == {code}
        assert found[target][code] == 2


def test_a_silent_first_address_leaves_time_for_the_second_and_does_not_count() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, full_listener() as full:
        addresses = [(socket.AF_INET, ("127.0.0.1", full)), (socket.AF_INET, listener.getsockname())]
        started = time.monotonic()
        assert connect_seconds(addresses, 1.0, SystemClock()) < 0.3
        assert time.monotonic() - started > 0.4
        with pytest.raises(TimeoutError):
            connect_seconds([(socket.AF_INET, ("127.0.0.1", full))], 0.1, SystemClock())
