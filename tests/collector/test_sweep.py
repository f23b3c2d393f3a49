import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from collector.samplers.devices.rota import Rota
from collector.samplers.devices.sweep import Sweep
from collector.samplers.series_keys import gauge
from collector.series import Sample
from forewarn.base.lane import StuckError
from tests.support.hand_clock import HandClock


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


async def until(condition: object) -> None:
    end = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


@pytest.mark.timed
async def test_a_device_that_hangs_keeps_its_thread_and_no_other_device(
    gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "collector.samplers.devices.sweep")
    asked: list[str] = []

    def read(device: str) -> str:
        asked.append(device)
        if device == "sick":
            gate.wait()
        if device == "gone":
            raise OSError("no such device")
        return device.upper()

    sweep: Sweep[str] = Sweep("ports", 0.2)
    devices = ["a", "sick", "gone", "b"]
    assert await sweep.over(devices, read) == {"a": "A", "b": "B"}
    assert sweep.stuck == {"sick"}
    started = time.monotonic()
    assert await sweep.over(devices, read) == {"a": "A", "b": "B"}
    assert time.monotonic() - started < 0.15  # it is known to hang: nobody waits for it again
    assert asked.count("sick") == 1
    assert sum(thread.name == "ports" for thread in threading.enumerate()) == 2
    gate.set()
    await until(lambda: not next(iter(sweep._stuck.values())).stuck)
    assert await sweep.over(devices, read) == {"a": "A", "sick": "SICK", "b": "B"}
    assert sweep.stuck == frozenset()
    sweep.close()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.timed
async def test_a_device_that_hung_and_is_gone_is_forgotten_once_its_call_is_back(gate: threading.Event) -> None:
    def read(_: str) -> None:
        gate.wait()

    sweep: Sweep[None] = Sweep("ports", 0.05)
    await sweep.over(["sick"], read)
    await sweep.over([], read)
    assert sweep.stuck == {"sick"}
    gate.set()
    await until(lambda: not sweep._stuck["sick"].stuck)
    await sweep.over([], read)
    assert sweep.stuck == frozenset()
    sweep.close()


@pytest.mark.timed
async def test_a_list_that_hangs_keeps_few_threads_however_often_it_is_asked_for(gate: threading.Event) -> None:
    def names() -> Sequence[str]:
        gate.wait()
        return ["a"]

    sweep: Sweep[str] = Sweep("listing", 0.05)
    for _ in range(10):
        with pytest.raises(StuckError):
            await sweep.devices(names)
    assert sweep.stuck == {"their list"}
    assert sum(thread.name == "listing" for thread in threading.enumerate()) == 3
    gate.set()
    await until(lambda: not any(lane.stuck for lane in sweep._listings))
    assert await sweep.devices(names) == ["a"]
    assert sweep.stuck == frozenset()
    sweep.close()


class Ports:
    """Two ports; one may hang."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.gate = gate
        self.looks = 0

    def devices(self) -> Sequence[str]:
        return ["one", "two"]

    def read(self, device: str) -> list[Sample]:
        if device == "one":
            self.looks += 1
            if self.gate is not None:
                self.gate.wait()
        return [gauge("procs_running", self.looks, "device", device)]


def told(samples: Sequence[Sample]) -> dict[str, float]:
    return {
        sample.key.name.removeprefix("forewarn_node_") + " " + sample.key.label("device"): sample.value
        for sample in samples
    }


async def test_what_was_found_is_held_until_the_next_look() -> None:
    clock, ports = HandClock(), Ports()
    rota = Rota("ports", ports, clock, every=15, patience=60, deadline=60)
    first = told(await rota.collect())
    assert first == {"procs_running one": 1, "procs_running two": 1}
    await clock.advance(14)
    assert told(await rota.collect()) == first
    await clock.advance(1)
    assert told(await rota.collect()) == {"procs_running one": 2, "procs_running two": 2}
    await rota.close()


@pytest.mark.timed
async def test_a_device_that_hangs_is_told_of_and_its_round_is_not_late(gate: threading.Event) -> None:
    clock = HandClock()
    rota = Rota("ports", Ports(gate), clock, every=15, patience=0.2, deadline=0.2)
    started = time.monotonic()
    await rota.collect()
    assert time.monotonic() - started < 1
    await until(lambda: rota._task is not None and rota._task.done())
    assert told(await rota.collect()) == {"procs_running two": 1, "device_stuck one": 1}
    gate.set()
    await until(lambda: not next(iter(rota._sweep._stuck.values())).stuck)
    await clock.advance(15)
    assert told(await rota.collect()) == {"procs_running one": 2, "procs_running two": 2, "device_stuck one": 0}
    await rota.close()


@pytest.mark.timed
async def test_what_is_too_old_is_not_told() -> None:
    clock = HandClock()
    gate = threading.Event()
    ports = Ports()
    rota = Rota("ports", ports, clock, every=15, patience=0.05, deadline=0.1)
    await rota.collect()

    def stall(device: str) -> list[Sample]:
        gate.wait(60)
        return []

    ports.read = stall  # type: ignore[method-assign]
    await clock.advance(15)
    assert told(await rota.collect()) == {"procs_running one": 1, "procs_running two": 1}
    await clock.advance(31)
    assert told(await rota.collect()).keys() <= {"device_stuck one", "device_stuck two"}
    gate.set()
    await rota.close()


async def test_a_fault_of_the_reader_is_a_failure_of_the_source() -> None:
    class Faulty(Ports):
        def read(self, device: str) -> list[Sample]:
            raise ValueError(f"{device} is not what the kernel used to write")

    rota = Rota("ports", Faulty(), HandClock(), every=15, patience=60, deadline=60)
    with pytest.raises(ValueError, match="kernel"):
        await rota.collect()
    await rota.close()


@pytest.mark.timed
async def test_a_list_of_devices_that_hangs_is_a_failure_and_a_new_thread_asks_again(gate: threading.Event) -> None:
    class Listless(Ports):
        def devices(self) -> Sequence[str]:
            if not self.looks:
                self.looks = 1
                gate.wait()
            return ["two"]

    clock = HandClock()
    rota = Rota("ports", Listless(), clock, every=15, patience=0.3, deadline=0.05)
    with pytest.raises(StuckError):
        await rota.collect()
    await clock.advance(15)
    found = told(await rota.collect())
    assert found["procs_running two"] == 1
    await rota.close()
