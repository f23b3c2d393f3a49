"""The dispatcher, its threads and real listeners."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from alerts.delivery import Dispatcher
from alerts.engine import Engine
from alerts.metrics import samples
from alerts.settings import AlertsSettings
from collector.catalogue import CATALOGUE
from forewarn.base.clock import SystemClock, parse_time
from forewarn.base.sqlite import open_writer
from tests.support.alert_rig import HOT, HOT_RULE
from tests.support.latest_samples import Forecasts, LatestSamples
from tests.support.listener import NEVER, RESET, Listener, listening


class House:
    """The daemon's wiring in small: one writer thread, an engine, a dispatcher that runs."""

    def __init__(self, path: Path, receivers: list[dict[str, Any]]) -> None:
        self.settings = AlertsSettings.model_validate(
            {
                "rule": [HOT_RULE],
                "shipped_rules": False,
                "receiver": receivers,
                "group_wait": 0,
                "group_interval": 0,
            }
        )
        self.clock = SystemClock()
        self.store = LatestSamples()
        self.writer = ThreadPoolExecutor(1)
        self.connection = open_writer(path)
        self.engine = Engine(self.settings, self.store, Forecasts(), self.connection, path, self.clock)
        random = itertools.repeat(0.02)
        self.dispatcher = Dispatcher(
            self.engine.outbox,
            self.settings.receiver,
            self.clock,
            self.submit,
            random=lambda: next(random),
            pause_seconds=0.02,
        )

    async def submit(self, function: Callable[..., Any], /, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.writer, function, *args)

    async def measure(self, value: float) -> None:
        self.store.put(HOT, value, self.clock.now_ms())
        await self.submit(self.engine.evaluate)
        self.dispatcher.wake()

    def metric(self, name: str, **labels: str) -> float | None:
        found = [s for s in samples(self.engine, self.dispatcher) if s.key.name == name]
        return next((s.value for s in found if labels.items() <= dict(s.key.labels).items()), None)


@contextlib.asynccontextmanager
async def running(path: Path, *receivers: dict[str, Any]) -> AsyncIterator[House]:
    house = House(path, list(receivers))
    task = asyncio.create_task(house.dispatcher.run())
    try:
        yield house
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        house.writer.shutdown()
        house.connection.close()


def ops(listener: Listener, **more: Any) -> dict[str, Any]:
    return {"name": "ops", "url": listener.url, **more}


async def requests(listener: Listener, count: int) -> list[dict[str, Any]]:
    return [request.json() for request in await asyncio.to_thread(listener.wait_for, count)]


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


async def test_fire_and_resolve_arrive(tmp_path: Path) -> None:
    with listening() as listener:
        async with running(tmp_path / "s.db", ops(listener)) as house:
            await house.measure(81)
            [fired] = await requests(listener, 1)
            await until(lambda: house.metric("forewarn_notifications_total", receiver="ops") == 1)
            await house.measure(20)
            resolved = (await requests(listener, 2))[1]
    assert (fired["status"], fired["receiver"], fired["version"]) == ("firing", "ops", "4")
    assert resolved["status"] == "resolved"
    assert resolved["alerts"][0]["fingerprint"] == fired["alerts"][0]["fingerprint"]
    assert resolved["alerts"][0]["startsAt"] == fired["alerts"][0]["startsAt"]


@pytest.mark.timed
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (500, "server_error"),
        (503, "server_error"),
        (408, "timeout"),
        (429, "rate_limited"),
        (NEVER, "timeout"),
        (RESET, "connection"),
    ],
)
async def test_what_fails_for_now_is_tried_again(tmp_path: Path, answer: Any, reason: str) -> None:
    with listening(200, answer) as listener:
        async with running(tmp_path / "s.db", ops(listener, timeout=0.3)) as house:
            await house.measure(81)
            first, second = await requests(listener, 2)
            await until(lambda: house.metric("forewarn_notifications_total", receiver="ops") == 1)
            assert house.metric("forewarn_notifications_failed_total", receiver="ops", reason=reason) == 1
            assert house.metric("forewarn_notifications_outbox", state="queued") == 0
            assert house.engine.outbox.lengths == {}
    assert first["alerts"][0]["fingerprint"] == second["alerts"][0]["fingerprint"]
    assert first["alerts"][0]["startsAt"] == second["alerts"][0]["startsAt"]


@pytest.mark.parametrize(("answer", "reason"), [(404, "client_error"), (401, "auth_error"), (302, "redirect")])
async def test_what_fails_for_good_is_a_dead_letter(tmp_path: Path, answer: int, reason: str) -> None:
    with listening(answer) as listener:
        async with running(tmp_path / "s.db", ops(listener)) as house:
            await house.measure(81)
            await until(lambda: house.metric("forewarn_notifications_outbox", state="dead") == 1)
            await house.measure(82)
            await asyncio.sleep(0.1)
            assert house.metric("forewarn_notifications_failed_total", receiver="ops", reason=reason) == 1
    assert len(listener.requests) == 1


async def test_retry_after_is_obeyed(tmp_path: Path) -> None:
    with listening(200, (429, {"Retry-After": "1"})) as listener:
        async with running(tmp_path / "s.db", ops(listener)) as house:
            await house.measure(81)
            await requests(listener, 1)
            begin, now_ms = time.monotonic(), house.clock.now_ms()
            await until(lambda: house.metric("forewarn_notifications_outbox", state="queued") == 1)
            for _ in range(6000):  # the answer is on its way
                [row] = await house.submit(house.engine.outbox.deliveries)
                if row["nextAttemptAt"] is not None:
                    break
                await asyncio.sleep(0.01)
            assert parse_time(row["nextAttemptAt"]) >= now_ms + 900
            await requests(listener, 2)
            assert time.monotonic() - begin > 0.9


async def test_one_dead_receiver_holds_up_no_other(tmp_path: Path) -> None:
    with listening(NEVER) as dead, listening() as listener:
        receivers = {"name": "dead", "url": dead.url, "timeout": 120}, ops(listener)
        async with running(tmp_path / "s.db", *receivers) as house:
            await house.measure(81)
            await requests(listener, 1)
            await until(lambda: house.metric("forewarn_notifications_total", receiver="ops") == 1)
            await house.measure(20)
            await requests(listener, 2)
            assert house.engine.outbox.lengths["sending"] == 1
    assert len(dead.requests) == 1


@pytest.mark.timed
async def test_the_loop_stays_free_while_a_receiver_is_silent(tmp_path: Path) -> None:
    with listening(NEVER) as dead:
        async with running(tmp_path / "s.db", ops(dead, timeout=120)) as house:
            await house.measure(81)
            await requests(dead, 1)
            begin = time.monotonic()
            for _ in range(100):
                await asyncio.sleep(0)
            assert time.monotonic() - begin < 0.5


async def test_every_metric_is_in_the_catalogue_with_its_labels(tmp_path: Path) -> None:
    with listening(200, 500) as listener:
        async with running(tmp_path / "s.db", ops(listener)) as house:
            await house.measure(81)
            await requests(listener, 2)
            await until(lambda: house.metric("forewarn_notifications_total", receiver="ops") == 1)
            found = samples(house.engine, house.dispatcher)
            assert house.metric("forewarn_alerts_active", state="firing", severity="warning") == 1
    for sample in found:
        metric = CATALOGUE[sample.key.name]
        assert {name for name, _ in sample.key.labels} == set(metric.labels)
        assert sample.counter == (metric.type == "counter")
    unseen = {name for name in CATALOGUE if name.startswith(("forewarn_alert", "forewarn_notif"))}
    of_the_daemon = "forewarn_alerts_last_evaluation_timestamp_seconds"  # which writes the outcome
    assert unseen - {sample.key.name for sample in found} == {"forewarn_alert_rule_errors_total", of_the_daemon}


async def test_a_fault_of_the_database_after_an_attempt_loses_no_later_notification(tmp_path: Path) -> None:
    with listening() as listener:
        async with running(tmp_path / "s.db", ops(listener)) as house:
            fault = "CREATE TRIGGER fault BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'fault'); END"
            await house.submit(house.connection.execute, fault)
            await house.measure(81)
            await requests(listener, 1)
            await asyncio.sleep(0.1)
            assert house.metric("forewarn_notifications_total", receiver="ops") == 0
            await house.submit(house.connection.execute, "DROP TRIGGER fault")
            await until(lambda: house.metric("forewarn_notifications_total", receiver="ops") == 1)
            await house.measure(20)
            resolved = (await requests(listener, 2))[1]
    assert resolved["status"] == "resolved"


async def test_without_receivers_it_waits(tmp_path: Path) -> None:
    async with running(tmp_path / "s.db") as house:
        await house.measure(81)
        assert house.engine.outbox.deliveries() == []


async def test_it_ends_at_any_moment(tmp_path: Path) -> None:
    for delay in range(40):
        with listening() as listener:
            async with asyncio.timeout(60), running(tmp_path / f"{delay}.db", ops(listener)) as house:
                await house.measure(81)
                await asyncio.sleep(delay / 4000)
