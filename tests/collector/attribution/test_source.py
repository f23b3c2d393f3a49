"""From the driver's lists to series and to the listing."""

import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from collector.attribution.groups import LARGEST, REMEMBERED
from collector.attribution.procfs import Missing, Process, ProcFs
from collector.attribution.source import GpuProcesses
from collector.attribution.users import Users
from collector.catalogue import CATALOGUE
from forewarn.base.clock import parse_time
from forewarn.base.lane import StuckError
from tests.support.gpu_processes import FakeProc
from tests.support.hand_clock import HandClock

GIB = 2**30
ANN, BOB = 1001, 1002
NAMES = {ANN: "ann", BOB: "bob"}
EVERY = 5.0

Entry = list[Any]


def entry(pid: int, memory: int | None, sm: float | None = 0.0, kinds: str = "C", instance: str = "") -> Entry:
    return [pid, kinds, memory, instance, sm]


class Rig:
    """The source over a fake /proc in which, unless told otherwise, whoever is not shown is dead."""

    def __init__(self, folder: Path, namespace: str = "pid:[4026531836]") -> None:
        self.proc = FakeProc(folder / "proc", namespace)
        self.hidden: set[int] = set()
        self.clock = HandClock((FakeProc.BOOT + 1000) * 1000)
        users = Users(self.clock, 5.0, NAMES.get)
        proc = ProcFs(self.proc.root, lambda pid: pid in self.hidden)
        self.source = GpuProcesses(self.clock, 5.0, proc, users)

    async def look(self, *entries: Entry, seconds: float = EVERY) -> dict[str, float]:
        """What is found of one GPU, some time after the last look."""
        await self.clock.advance(seconds)
        self.source.take(
            {"kind": "processes", "every": EVERY, "gpus": [{"gpu": "0", "uuid": "GPU-a", "processes": list(entries)}]}
        )
        return await self.found()

    async def found(self) -> dict[str, float]:
        """Values by name and labels, the GPU's own left out."""
        found = {}
        for sample in await self.source.collect():
            metric = CATALOGUE[sample.key.name]
            assert {label for label, _ in sample.key.labels} <= set(metric.labels)
            owner = ",".join(f"{label}={text}" for label, text in sample.key.labels if label not in {"gpu", "uuid"})
            name = f"{sample.key.name.removeprefix('forewarn_gpu_')} {owner}".rstrip()
            assert name not in found
            found[name] = sample.value
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The listing."""
        listing = self.source.listing()
        assert listing is not None
        return listing


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    await rig.source.close()


async def test_processes_of_one_owner_are_one_series(rig: Rig) -> None:
    for pid in (10, 11):
        rig.proc.add(pid, "VLLM::Worker", uid=ANN, cgroup="0::/system.slice/vllm.service")
    rig.proc.add(12, "python", uid=BOB, cgroup="0::/system.slice/docker-" + "ab" * 32 + ".scope")
    found = await rig.look(entry(10, 20 * GIB, 0.25), entry(11, 30 * GIB, 0.5), entry(12, GIB))
    vllm = "command=VLLM::Worker,unit=vllm.service,user=ann"
    python = "command=python,container=docker/abababababab,user=bob"
    assert found == {
        "processes": 3,
        "process_list_invalid": 0,
        "dead_process_memory_bytes": 0,
        f"process_memory_bytes {vllm}": 50 * GIB,
        f"process_sm_utilization_ratio {vllm}": 0.75,
        f"process_idle_seconds {vllm}": 0,
        f"process_memory_bytes {python}": GIB,
        f"process_sm_utilization_ratio {python}": 0,
        f"process_idle_seconds {python}": 0,
    }


async def test_series_keep_their_order_and_their_keys(rig: Rig) -> None:
    for pid in (10, 11):
        rig.proc.add(pid, f"job{pid}", uid=ANN)
    await rig.look(entry(10, GIB), entry(11, 2 * GIB))
    before = [sample.key for sample in await rig.source.collect()]
    await rig.look(entry(10, 3 * GIB), entry(11, 2 * GIB))
    after = [sample.key for sample in await rig.source.collect()]
    assert all(one is other for one, other in zip(before, after, strict=True))


async def test_what_the_driver_does_not_tell_is_absent(rig: Rig) -> None:
    rig.proc.add(10, "python", uid=ANN)
    found = await rig.look(entry(10, None, None))
    assert [name for name in found if name.startswith("process_m") or "_sm_" in name or "idle" in name] == []
    assert found["processes"] == 1


async def test_an_idle_process_is_idle_since_it_last_worked(rig: Rig) -> None:
    rig.proc.add(10, "python", uid=ANN)
    idle = "process_idle_seconds command=python,user=ann"
    assert (await rig.look(entry(10, GIB, 0.0)))[idle] == 0  # nobody knows what was before
    assert (await rig.look(entry(10, GIB, 0.0)))[idle] == 5
    assert (await rig.look(entry(10, GIB, 0.1)))[idle] == 0
    for _ in range(12):
        found = await rig.look(entry(10, GIB, 0.0))
    assert found[idle] == 60
    (row,) = rig.rows()
    assert parse_time(row["idle_since"]) == rig.clock.now_ms() - 60_000
    assert parse_time(row["started"]) == (FakeProc.BOOT + 60) * 1000
    rig.proc.remove(10)
    rig.proc.add(10, "python", uid=ANN, started=1050)  # another process with the same number
    assert (await rig.look(entry(10, GIB, 0.0)))[idle] == 0


async def test_owners_are_idle_only_when_all_of_their_processes_are(rig: Rig) -> None:
    for pid in (10, 11):
        rig.proc.add(pid, "python", uid=ANN)
    for _ in range(3):
        found = await rig.look(entry(10, GIB, 0.0), entry(11, GIB, 0.5))
    assert found["process_idle_seconds command=python,user=ann"] == 0


async def test_a_pod_is_one_owner_whatever_its_containers(rig: Rig) -> None:
    uid = "2f8a9b1c-3d4e-4f5a-8b6c-7d8e9f0a1b2c"
    for pid, container in ((10, "a" * 64), (11, "b" * 64)):
        rig.proc.add(pid, "python", cgroup=f"0::/kubepods/burstable/pod{uid}/{container}")
    found = await rig.look(entry(10, GIB), entry(11, GIB))
    assert found[f"process_memory_bytes command=python,pod_uid={uid},user=1000"] == 2 * GIB
    assert {row["container"] for row in rig.rows()} == {"container/aaaaaaaaaaaa", "container/bbbbbbbbbbbb"}


async def test_the_smaller_owners_are_one(rig: Rig) -> None:
    for pid in range(1, 31):
        rig.proc.add(pid, f"job{pid:02}", uid=ANN)
    found = await rig.look(*(entry(pid, pid * GIB, 0.01) for pid in range(1, 31)))
    memory = {name.split("=")[1]: value for name, value in found.items() if name.startswith("process_memory")}
    largest = {f"job{pid:02},user": pid * GIB for pid in range(30, 30 - LARGEST, -1)}
    assert memory == {**largest, "other": sum(range(1, 31 - LARGEST)) * GIB}
    assert len(rig.rows()) == 30


async def test_the_largest_do_not_flicker(rig: Rig) -> None:
    for pid in range(1, LARGEST + 2):
        rig.proc.add(pid, f"job{pid:02}", uid=ANN)
    rest = [entry(pid, 100 * GIB) for pid in range(3, LARGEST + 2)]
    last = "process_memory_bytes command=job01,user=ann"
    assert last in await rig.look(entry(1, 10 * GIB), entry(2, 9 * GIB), *rest)
    assert last in await rig.look(entry(1, 10 * GIB), entry(2, 12 * GIB), *rest)
    assert last not in await rig.look(entry(1, 10 * GIB), entry(2, 13 * GIB), *rest)
    assert last not in await rig.look(entry(1, 10 * GIB), entry(2, 9 * GIB), *rest)


async def test_owners_that_come_and_go_do_not_fill_the_store(rig: Rig) -> None:
    names: set[str] = set()

    async def churn(first: int, count: int) -> None:
        for pid in range(first, first + count):
            rig.proc.add(pid, f"job{pid}", uid=ANN)
            names.update(await rig.look(entry(pid, GIB, None)))
            rig.proc.remove(pid)

    await churn(1, 100)
    series = {name for name in names if name.startswith("process_memory")}
    assert len(series) == REMEMBERED + 1
    assert "process_memory_bytes command=other" in series
    await rig.clock.advance(86_400)
    await churn(200, 1)
    assert "process_memory_bytes command=job200,user=ann" in names


async def test_memory_of_the_dead(rig: Rig) -> None:
    rig.proc.add(10, "python", uid=ANN)
    entries = [entry(10, GIB), entry(11, 7 * GIB), entry(12, GIB, kinds="G"), entry(13, GIB, kinds="MC")]
    first = await rig.look(*entries)
    assert first["dead_process_memory_bytes"] == 0  # it may have ended since the driver listed it
    second = await rig.look(*entries)
    assert second["dead_process_memory_bytes"] == 8 * GIB
    assert second["process_list_invalid"] == 0
    assert second["processes"] == 1
    assert [(row["pid"], row["state"]) for row in rig.rows()] == [
        (11, "dead"),
        (10, "running"),
        (12, "dead"),
        (13, "dead"),
    ]


@pytest.mark.parametrize("pid", [0, 0xFFFFFFFF, 0x40000000])
async def test_a_scrambled_list_tells_nothing_of_the_dead(rig: Rig, pid: int) -> None:
    rig.proc.add(10, "python", uid=ANN)
    for _ in range(2):
        found = await rig.look(entry(10, GIB), entry(pid, 12345), entry(11, 7 * GIB))
    assert "dead_process_memory_bytes" not in found
    assert found["process_list_invalid"] == 2
    assert found["processes"] == 1
    assert found["process_memory_bytes command=python,user=ann"] == GIB


async def test_hidden_processes_are_alive_and_the_way_out_is_named_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rig.hidden = {11, 12}
    for _ in range(3):
        found = await rig.look(entry(11, 7 * GIB, 0.5), entry(12, GIB, 0.0))
    assert found["process_memory_bytes command=hidden"] == 8 * GIB
    assert found["processes"] == 2
    assert found["dead_process_memory_bytes"] == found["process_list_invalid"] == 0
    (said,) = caplog.records
    assert "forewarn-attribution.conf" in said.__dict__["hint"]
    assert "install-service --attribution" in said.__dict__["hint"]
    rig.hidden = set()
    for pid in (11, 12):
        rig.proc.add(pid, "python", uid=BOB)
    assert "process_memory_bytes command=python,user=bob" in await rig.look(entry(11, GIB), entry(12, GIB))
    assert len(caplog.records) == 2


async def test_in_a_container_nothing_is_said_of_who_and_of_the_dead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, namespace="pid:[4026532999]")
    rig.proc.add(10, "innocent", uid=ANN)  # the number of another process than the driver's
    for _ in range(2):
        found = await rig.look(entry(10, GIB), entry(11, GIB), entry(0, GIB))
    assert found == {
        "processes": 2,
        "process_list_invalid": 1,
        "process_memory_bytes command=hidden": 2 * GIB,
        "process_sm_utilization_ratio command=hidden": 0,
    }
    await rig.source.close()
    (said,) = caplog.records
    assert "--pid=host" in said.__dict__["hint"]


async def test_instances_of_a_gpu_are_told_apart(rig: Rig) -> None:
    rig.proc.add(10, "python", uid=ANN)
    found = await rig.look(entry(10, GIB, None, instance="1"), entry(10, 2 * GIB, None, instance="2"))
    assert found["process_memory_bytes command=python,gpu_instance_id=1,user=ann"] == GIB
    assert found["process_memory_bytes command=python,gpu_instance_id=2,user=ann"] == 2 * GIB
    assert found["processes"] == 1


async def test_old_lists_are_not_served(rig: Rig) -> None:
    rig.proc.add(10, "python", uid=ANN)
    assert await rig.look(entry(10, GIB))
    await rig.clock.advance(9)
    assert await rig.found()
    await rig.clock.advance(2)
    assert await rig.found() == {}
    assert rig.source.listing() is None
    assert await rig.look(entry(10, GIB))
    rig.source.forget()
    assert await rig.found() == {}


async def test_a_proc_that_does_not_answer_costs_this_source_only(tmp_path: Path) -> None:
    hold = threading.Event()

    class StuckProc(ProcFs):
        def look(self, pid: int) -> Process | Missing:
            hold.wait(20)
            return super().look(pid)

    clock = HandClock()
    source = GpuProcesses(clock, 0.3, StuckProc())
    source.take({"kind": "processes", "every": 5.0, "gpus": [{"gpu": "0", "uuid": "a", "processes": [entry(1, 1)]}]})
    for _ in range(2):
        with pytest.raises(StuckError):
            await source.collect()
    hold.set()
    await source.close()
