"""The parent's side, fed by hand and by a real child."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from collector.nvml.health.records import GpuRecords
from collector.nvml.source import NvmlSource
from collector.series import Sample
from collector.source import CollectError
from forewarn.base.clock import SystemClock
from forewarn.base.errors import ChildError
from tests.support.hand_clock import HandClock
from tests.support.nvml import FakeNvml
from tests.support.nvml_child import NvmlChild

UUIDS = ["GPU-a", "GPU-b"]
INVENTORY = {
    "kind": "inventory",
    "count": 2,
    "devices": [{"gpu": str(i), "uuid": uuid, "pci_bus_id": str(i), "name": "H100"} for i, uuid in enumerate(UUIDS)],
}
ABSENT = {"kind": "absent", "reason": "no_library", "hint": "no NVIDIA driver is installed", "retry": 60.0}


LABELS = [["gpu", "0"], ["uuid", UUIDS[0]]]
POWER = ["forewarn_gpu_power_watts", LABELS, False]
ENERGY = ["forewarn_gpu_energy_joules_total", LABELS, True]


def a_layout(*series: list[Any], number: int = 1) -> dict[str, Any]:
    return {"kind": "layout", "layout": number, "series": series}


def a_round(*values: float | None, up: list[str] = UUIDS, layout: int = 1) -> dict[str, Any]:
    return {
        "kind": "round",
        "time_ms": 0,
        "layout": layout,
        "values": values or (300.0,),
        "up": up,
        "duration": 0.001,
    }


class Rig:
    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.records = GpuRecords(folder, self.clock, way="off")
        self.expected = self.records.expected
        self.source = NvmlSource(5.0, self.records, self.clock)
        self.tell(a_layout(POWER))

    def tell(self, *frames: dict[str, Any]) -> None:
        for frame in frames:
            self.source.on_frame(frame)

    async def health(self) -> dict[str, float]:
        return by_text(await self.source.health.collect())

    async def error(self) -> str:
        with pytest.raises(CollectError) as caught:
            await self.source.collect()
        return caught.value.code


def by_text(samples: Any) -> dict[str, float]:
    assert all(isinstance(sample, Sample) for sample in samples)
    return {str(sample.key): sample.value for sample in samples}


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.source.on_start()
    return rig


async def test_a_round_is_served_while_it_is_fresh(rig: Rig) -> None:
    rig.tell(INVENTORY, a_round())
    await rig.clock.advance(9.9)
    power = f'forewarn_gpu_power_watts{{gpu="0",uuid="{UUIDS[0]}"}}'
    assert by_text(await rig.source.collect()) == {power: 300.0}
    await rig.clock.advance(0.2)
    assert await rig.error() == "no_data"


async def test_a_driver_that_is_slow_again_and_again_is_a_condition(rig: Rig) -> None:
    slow = 'forewarn_gpu_diagnosis{condition="driver_slow"}'
    rig.tell(INVENTORY)
    for seen in (0, 0, 1):
        rig.tell({"kind": "busy", "call": "nvmlDeviceGetPowerUsage", "gpu": "1", "seconds": 6.0})
        rig.tell(a_round() | {"duration": 6.1})
        assert (await rig.health()).get(slow, 0) == seen
    (row,) = rig.source.health.report()["conditions"]
    assert row["detail"] == "a round took 6 s, last seen in nvmlDeviceGetPowerUsage of GPU 1"


async def test_while_the_driver_is_stuck_nobody_says_how_many_gpus_answer(rig: Rig) -> None:
    rig.tell(INVENTORY, a_round())
    await rig.health()
    assert rig.source.health.report()["present"] == 2
    rig.tell({"kind": "busy", "call": "nvmlDeviceGetPowerUsage", "gpu": "1", "seconds": 8.0})
    await rig.health()
    assert rig.source.health.report()["present"] is None


async def test_counters_stay_counters(rig: Rig) -> None:
    rig.tell(INVENTORY, a_layout(POWER, ENERGY), a_round(300.0, 5.0))
    assert [sample.counter for sample in await rig.source.collect()] == [False, True]


async def test_a_series_keeps_its_key_round_after_round_and_layout_after_layout(rig: Rig) -> None:
    rig.tell(INVENTORY, a_layout(POWER), a_round(300.0))
    (first,) = await rig.source.collect()
    rig.tell(a_round(300.0))
    assert next(iter(await rig.source.collect())) is first
    rig.tell(a_round(301.0))
    (second,) = await rig.source.collect()
    rig.tell(a_layout(ENERGY, POWER, number=2), a_round(5.0, 302.0, layout=2))
    (_, third) = await rig.source.collect()
    assert (second.value, third.value) == (301.0, 302.0)
    assert first.key is second.key is third.key


async def test_a_series_without_a_value_this_time_is_absent(rig: Rig) -> None:
    rig.tell(INVENTORY, a_layout(POWER, ENERGY), a_round(None, 5.0))
    assert [sample.key.name for sample in await rig.source.collect()] == ["forewarn_gpu_energy_joules_total"]


@pytest.mark.parametrize("frame", [a_round(layout=2), a_round(300.0, 5.0), a_round(None, None, layout=1)])
async def test_a_round_of_another_layout_is_a_broken_protocol(rig: Rig, frame: dict[str, Any]) -> None:
    rig.tell(a_layout(POWER))
    with pytest.raises(ChildError, match="layout"):
        rig.tell(frame)


async def test_the_next_child_begins_with_a_layout_of_its_own(rig: Rig) -> None:
    rig.tell(INVENTORY, a_layout(POWER), a_round(300.0))
    rig.source.on_exit(75)
    with pytest.raises(ChildError):
        rig.tell(a_round(300.0))


async def test_a_call_that_hangs_is_late_then_stuck_then_answers_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rig.tell(INVENTORY, a_round(), {"kind": "begin", "call": "its readings", "gpu": "0"})
    for second in range(1, 8):
        await rig.clock.advance(1)
        rig.tell({"kind": "busy", "call": "nvmlDeviceGetPowerUsage", "gpu": "0", "seconds": float(second)})
        assert rig.source.stuck is None
    (late,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "nvmlDeviceGetPowerUsage of GPU 0 for 5 s" in late.getMessage()
    await rig.clock.advance(1)
    assert await rig.error() == "stuck"
    assert await rig.error() == "stuck"
    assert rig.source.stuck is not None
    assert rig.source.stuck.call == "nvmlDeviceGetPowerUsage"
    assert await rig.health() == {  # one cause, one alert
        "forewarn_nvml_paused": 0.0,
        "forewarn_nvml_stuck": 1.0,
        "forewarn_gpu_expected": 2.0,
        'forewarn_gpu_diagnosis{condition="driver_stuck"}': 1.0,
    }
    await rig.health()
    (stuck,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "nvmlDeviceGetPowerUsage of GPU 0 for 8 s" in stuck.getMessage()
    assert "drain the node" in stuck.getMessage()
    rig.tell(a_round())
    assert rig.source.stuck is None
    assert await rig.source.collect()
    found = await rig.health()
    assert (found["forewarn_nvml_stuck"], found['forewarn_gpu_diagnosis{condition="driver_stuck"}']) == (0, 0)
    assert "answers again" in caplog.text


async def test_a_gpu_that_was_down_before_the_driver_hung_stays_down(rig: Rig) -> None:
    rig.tell(INVENTORY, a_round(up=["GPU-b"]), {"kind": "begin", "call": "its readings", "gpu": "1"})
    down = 'forewarn_gpu_diagnosis{condition="gpu_missing",gpu="0",uuid="GPU-a"}'
    assert (await rig.health())[down] == 1
    await rig.clock.advance(16)
    assert await rig.health() == {
        "forewarn_nvml_paused": 0.0,
        down: 1.0,
        'forewarn_gpu_diagnosis{condition="driver_stuck"}': 1.0,
        "forewarn_nvml_stuck": 1.0,
        "forewarn_gpu_expected": 2.0,
        'forewarn_gpu_up{gpu="0",uuid="GPU-a"}': 0.0,
    }


async def test_a_child_that_says_nothing_at_all_is_stuck_too(rig: Rig) -> None:
    rig.tell(INVENTORY, a_round(), {"kind": "begin", "call": "its readings", "gpu": "1"})
    await rig.clock.advance(7.9)
    assert rig.source.stuck is None
    await rig.clock.advance(0.2)
    assert str(rig.source.stuck) == "the GPU driver has not come back from its readings of GPU 1 for 8 s"


async def test_a_call_that_is_out_for_two_seconds_holds_the_end_up(rig: Rig) -> None:
    rig.tell(INVENTORY, a_round(), {"kind": "begin", "call": "its readings", "gpu": "0"})
    rig.tell({"kind": "busy", "call": "nvmlDeviceGetPowerUsage", "gpu": "0", "seconds": 1.5})
    assert rig.source.hanging is None
    await rig.clock.advance(0.6)
    assert rig.source.hanging is not None
    assert rig.source.hanging.call == "nvmlDeviceGetPowerUsage"
    assert rig.source.stuck is None
    rig.tell(a_round())
    await rig.clock.advance(10)
    assert rig.source.hanging is None


async def test_only_the_time_of_the_call_that_is_out_counts(rig: Rig) -> None:
    rig.tell(INVENTORY, a_round(), {"kind": "begin", "call": "its readings", "gpu": "0"})
    await rig.clock.advance(10)  # in which other calls came back
    rig.tell({"kind": "busy", "call": "nvmlDeviceGetPowerUsage", "gpu": "0", "seconds": 1.0})
    await rig.clock.advance(6.9)
    assert rig.source.stuck is None
    await rig.clock.advance(0.2)
    assert rig.source.stuck is not None


async def test_the_initialisation_may_take_longer_for_it_may_wake_every_gpu(rig: Rig) -> None:
    rig.tell({"kind": "begin", "call": "the initialisation", "gpu": ""})
    rig.tell({"kind": "busy", "call": "nvmlInitWithFlags", "gpu": "", "seconds": 1.0})
    await rig.clock.advance(14.9)
    assert rig.source.stuck is None
    await rig.clock.advance(0.2)
    assert rig.source.stuck is not None


async def test_many_slow_gpus_are_no_hang(rig: Rig) -> None:
    rig.tell(INVENTORY, a_round())
    for number in range(8):
        rig.tell({"kind": "begin", "call": "its readings", "gpu": str(number)})
        await rig.clock.advance(6)
        assert rig.source.stuck is None


async def test_a_node_that_never_had_a_gpu_is_content(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        rig.tell(ABSENT)
        await rig.clock.advance(60)
        assert await rig.source.collect() == []
        assert await rig.health() == {"forewarn_nvml_paused": 0.0, "forewarn_nvml_stuck": 0.0}
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.INFO,
        "no GPU to watch: no NVIDIA driver is installed",
    )
    assert not (rig.expected.path).exists()


async def test_gpus_that_were_here_before_are_missed(rig: Rig, tmp_path: Path) -> None:
    rig.tell(INVENTORY, a_round())
    assert (await rig.health())["forewarn_gpu_present"] == 2
    await rig.source.health.close()
    after = Rig(tmp_path)
    assert await after.health() == {"forewarn_nvml_paused": 0.0}
    after.source.on_start()
    assert await after.health() == {  # nobody has looked yet
        "forewarn_nvml_paused": 0.0,
        "forewarn_nvml_stuck": 0.0,
        "forewarn_gpu_expected": 2.0,
    }
    after.tell(ABSENT)
    assert await after.error() == "no_library"
    assert await after.health() == {
        "forewarn_nvml_paused": 0.0,
        'forewarn_gpu_diagnosis{condition="driver_not_installed"}': 1.0,
        "forewarn_nvml_stuck": 0.0,
        "forewarn_gpu_expected": 2.0,
        "forewarn_gpu_present": 0.0,
        'forewarn_gpu_up{gpu="0",uuid="GPU-a"}': 0.0,
        'forewarn_gpu_up{gpu="1",uuid="GPU-b"}': 0.0,
    }


async def test_xids_are_counted_and_outlive_the_child(rig: Rig) -> None:
    rig.tell(INVENTORY, a_round())
    for time_ms in (1000, 2500):
        rig.tell({"kind": "xid", "gpu": "0", "uuid": "GPU-a", "xid": "79", "time_ms": time_ms})
    rig.source.on_exit(75)
    found = await rig.health()
    assert found['forewarn_gpu_xid_errors_total{gpu="0",uuid="GPU-a",xid="79"}'] == 2
    assert found['forewarn_gpu_xid_last_timestamp_seconds{gpu="0",uuid="GPU-a",xid="79"}'] == 2.5
    assert "forewarn_gpu_present" not in found


async def test_a_child_that_ended_leaves_no_old_values(rig: Rig) -> None:
    rig.tell(INVENTORY, a_round())
    rig.source.on_exit(-9)
    assert await rig.error() == "no_data"
    await rig.clock.advance(100)
    assert rig.source.stuck is None


@pytest.mark.timed
async def test_a_child_that_was_just_started_is_given_a_moment_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.source.on_start()
    begun = time.monotonic()
    assert await rig.error() == "no_data"
    assert time.monotonic() - begun > 1.5
    begun = time.monotonic()
    assert await rig.error() == "no_data"
    assert time.monotonic() - begun < 1


async def test_a_list_that_cannot_be_written_does_not_stop_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path / "gone")
    rig.source.on_start()
    rig.tell(INVENTORY, a_round())
    assert (await rig.health())["forewarn_gpu_present"] == 2
    await rig.source.health.close()
    assert "not saved" in caplog.text


async def test_a_gpu_that_vanished_over_a_restart_is_expected(fake: FakeNvml, tmp_path: Path) -> None:
    for count in (3, 2):
        source = NvmlSource(0.2, GpuRecords(tmp_path, SystemClock(), way="off"), SystemClock())
        source.on_start()
        fake.set_gpus(count)
        with NvmlChild(fake.environ(), on_frame=source.on_frame) as child:
            child.settled_round()
            found = by_text(await source.health.collect())
            async with asyncio.timeout(120):
                while not (tmp_path / "gpus.json").exists():  # a busy disk takes longer than one collection waits
                    await asyncio.sleep(0.05)
                    await source.health.collect()
            await source.health.close()
            assert {str(sample.key.label("gpu")) for sample in await source.collect()} == set("012"[:count])
    assert (found["forewarn_gpu_expected"], found["forewarn_gpu_present"]) == (3, 2)
    up = sorted((text[-3], value) for text, value in found.items() if text.startswith("forewarn_gpu_up"))
    assert up == [("0", 1.0), ("1", 1.0), ("2", 0.0)]


@pytest.mark.timed
def test_a_real_hang_is_named_within_the_deadline(fake: FakeNvml, tmp_path: Path) -> None:
    source = NvmlSource(0.2, GpuRecords(tmp_path, SystemClock(), way="off"), SystemClock(), stuck_after=2.0)
    source.on_start()
    with NvmlChild(fake.environ(), on_frame=source.on_frame) as child:
        child.settled_round()
        fake.hang("nvmlDeviceGetFieldValues")
        begun = time.monotonic()
        while source.stuck is None and time.monotonic() - begun < 60:
            time.sleep(0.05)
        seconds = time.monotonic() - begun
        assert source.stuck is not None
        assert (source.stuck.call, source.stuck.gpu) == ("nvmlDeviceGetFieldValues", "0")
        assert 1.5 < seconds < 4
        fake.clear()
        child.wait_for("round")
        assert source.stuck is None


async def test_in_a_pause_nothing_of_the_gpus_is_said_but_a_call_that_still_hangs(rig: Rig) -> None:
    rig.tell(INVENTORY, a_round(), {"kind": "begin", "call": "its readings", "gpu": "0"})
    rig.records.pause.begin(600)
    await rig.clock.advance(16)
    assert await rig.source.collect() == []
    found = await rig.health()
    assert found == {
        "forewarn_nvml_paused": 1.0,
        "forewarn_nvml_pause_remaining_seconds": 584.0,
        "forewarn_nvml_stuck": 1.0,
    }
    assert [row["condition"] for row in rig.source.health.report()["conditions"]] == ["driver_stuck"]
    rig.source.on_exit(0)
    assert (await rig.health())["forewarn_nvml_stuck"] == 0
    assert rig.source.health.report()["conditions"] == []
    await rig.clock.advance(584)
    assert (await rig.health())["forewarn_nvml_paused"] == 0
    assert rig.records.pause.gate.is_set()
