"""Everything that is in the store is in real receivers, whatever is killed meanwhile."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from collector.series import Sample, SeriesKey
from forewarn.base.clock import HOUR, MINUTE
from tests.support.receivers import Found, PatientPrometheus, Prometheus, Receiver, VictoriaMetrics, started
from tests.support.remote_sender import sending, stored

REAL = [
    pytest.param(Prometheus, marks=pytest.mark.prometheus),
    pytest.param(VictoriaMetrics, marks=pytest.mark.victoriametrics),
]
ODD = [SeriesKey.of("odd", text=text) for text in ("é ü 字", 'a"b\\c', "x=y,{z}", "\n")]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def assert_same(wanted: Found, found: Found, rounding: float) -> None:
    assert found.keys() == wanted.keys()
    for key, samples in wanted.items():
        assert found[key].keys() == samples.keys(), key
        for when, value in samples.items():
            assert found[key][when] == pytest.approx(value, rel=rounding, abs=0), (key, when)


async def assert_arrives(path: Path, receiver: Any, seconds: float = 90) -> None:
    """A receiver shows what it took a little later."""
    wanted = stored(path)
    end = time.monotonic() + seconds
    while True:
        try:
            assert_same(wanted, await asyncio.to_thread(receiver.samples), receiver.rounding)
        except AssertionError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.3)
        else:
            return


def scrape(number: int) -> list[Sample]:
    """Series that are in every scrape, some in every third only, and values of every size."""
    steady = [Sample(SeriesKey.of("steady", n=str(n)), number * 1.5 + n / 7) for n in range(12)]
    rare = [Sample(SeriesKey.of("rare", n=str(n)), -float(number)) for n in range(5)] if number % 3 == 0 else []
    odd = [Sample(key, size) for key, size in zip(ODD, (0.0, 1e-300, 1e300, 2.0**53), strict=True)]
    return [*steady, *rare, *odd]


@pytest.mark.parametrize("kind", REAL)
async def test_every_sample_of_the_store_arrives(tmp_path: Path, kind: type[Receiver]) -> None:
    start = now_ms() - 100 * MINUTE
    with started(kind, tmp_path / "receiver") as receiver:
        async with sending(tmp_path, receiver.url, history=2 * HOUR / 1000, batch_samples=300) as rig:
            await rig.rest()
            for number in range(300):
                rig.append(scrape(number), start + number * 15_000)
                while number % 50 == 0 and rig.store.compact():
                    pass
            assert rig.store.stats().pending_rows
            rig.go_on()
            await rig.caught_up()
            for number in range(300, 320):
                rig.append(scrape(number), now_ms())
                await asyncio.sleep(0.03)
            await rig.caught_up()
            tally = rig.sender.tally
            await assert_arrives(rig.store.path, receiver)
            assert tally.delivered == sum(map(len, stored(rig.store.path).values()))
            assert (tally.retried, sum(tally.dropped.values())) == (0, 0)


@pytest.mark.parametrize("kind", REAL)
async def test_an_outage_of_the_receiver_loses_nothing(tmp_path: Path, kind: type[Receiver]) -> None:
    with started(kind, tmp_path / "receiver") as receiver:
        async with sending(tmp_path, receiver.url, history=60, batch_samples=100, store={"row_age": 1}) as rig:
            number = 0

            async def go(scrapes: int) -> None:
                nonlocal number
                for _ in range(scrapes):
                    number += 1
                    rig.append(scrape(number), now_ms())
                    await rig.crew.submit(rig.store.compact)
                    await asyncio.sleep(0.02)

            await go(40)
            await asyncio.to_thread(receiver.end, signal.SIGKILL if kind is Prometheus else signal.SIGTERM)
            await go(80)
            assert rig.sender.tally.retried > 0
            await asyncio.to_thread(receiver.start)
            await go(20)
            await rig.caught_up()
            await assert_arrives(rig.store.path, receiver)
            assert sum(rig.sender.tally.dropped.values()) == 0
            assert {"refused", "204"} <= rig.sender.tally.requests.keys()


@pytest.mark.parametrize("kind", REAL)
async def test_kill_9_of_the_sender_loses_nothing(tmp_path: Path, kind: type[Receiver]) -> None:
    dice = random.Random(7)
    with started(kind, tmp_path / "receiver") as receiver:
        for left in range(6, -1, -1):
            command = [sys.executable, "-m", "tests.support.remote_sender", str(tmp_path), receiver.url]
            process = await asyncio.create_subprocess_exec(*command, "60" if left else "0.5", stdout=subprocess.PIPE)
            if left:
                assert process.stdout is not None
                for _ in range(dice.randint(5, 25)):
                    await process.stdout.readline()
                await asyncio.sleep(dice.uniform(0.0, 0.05))
                process.kill()
            out, _ = await process.communicate()
        assert process.returncode == 0, out
        assert sum(map(len, stored(tmp_path / "metrics.db").values())) > 500
        await assert_arrives(tmp_path / "metrics.db", receiver)


@pytest.mark.prometheus
@pytest.mark.parametrize("kind", [Prometheus, PatientPrometheus])
async def test_a_node_that_is_late_needs_prometheus_window(tmp_path: Path, kind: type[Receiver]) -> None:
    """Another node has long caught up: without the window Prometheus refuses what is an hour older."""
    start = now_ms() - 150 * MINUTE
    with started(kind, tmp_path / "receiver") as receiver:
        (tmp_path / "quick").mkdir()
        async with sending(tmp_path / "quick", receiver.url, history=60, labels={"instance": "quick"}) as quick:
            quick.append([Sample(SeriesKey("quick"), 1.0)], now_ms())
            await quick.caught_up()
        async with sending(tmp_path, receiver.url, history=3 * 3600, batch_samples=300) as rig:
            await rig.rest()
            for number in range(151):
                rig.append(scrape(number), start + number * MINUTE)
            rig.go_on()
            await rig.caught_up()
            found = {key: held for key, held in receiver.samples().items() if key.name != "quick"}
            wanted = stored(rig.store.path)
            if kind is PatientPrometheus:
                assert_same(wanted, found, 0.0)
                assert not rig.sender.tally.dropped
                return
            assert set(rig.sender.tally.dropped) == {"out_of_order"}
            for key, samples in wanted.items():
                assert {when for when in samples if when > now_ms() - 50 * MINUTE} <= found[key].keys()
