"""The nvml child end to end: unmodified nvidia-ml-py, the fake library, real frames over real pipes."""

import os
import signal
import time
from pathlib import Path

import pytest

from collector.catalogue import CATALOGUE, core_metrics
from collector.catalogue.gpu import GPU_METRICS
from collector.nvml.child import EXIT_DRIVER_CHANGED
from tests.support.driver_tree import DriverTree
from tests.support.nvml import FakeNvml, shared_fake
from tests.support.nvml_child import NvmlChild, values

GIB = 2**30
NOT_OF_A_ROUND = {
    "diagnosis",
    "xid_errors_total",
    "xid_last_timestamp_seconds",
    "expected",
    "present",
    "up",
}
OF_OTHER_GENERATIONS = {"retired_pages", "retired_pages_pending", "nvlink_bit_error_ratio"}
NOT_ON_A_HOPPER = [
    "nvmlDeviceGetRetiredPages(0)",
    "nvmlDeviceGetRetiredPages(1)",
    "nvmlDeviceGetRetiredPagesPendingStatus",
    *(f"field {number}" for number in (38, 45, 52, 59, 160)),
]


def test_eight_gpus_arrive_whole(fake: FakeNvml) -> None:
    fake.set_gpus(8)
    fake.set("utilization", 94, 3)
    fake.set("memory_used", 70 * GIB, 3)
    fake.set("power_mw", 523_125, 3)
    fake.set("event_reasons", 4 | 64, 3)
    fake.set("field_270", 12_500_000_000, 3)
    fake.set("field_138", 7, 3)
    fake.set("gpm", 62.5, 3)
    with NvmlChild(fake.environ()) as child:
        inventory = child.wait_for("inventory")
        # GPM compares with the round before, of which a busy machine may have kept too little time.
        frame = max((child.wait_for("round") for _ in range(4)), key=lambda frame: len(frame["samples"]))
    assert [device["gpu"] for device in inventory["devices"]] == [str(gpu) for gpu in range(8)]
    assert len(frame["up"]) == 8
    assert len(frame["samples"]) == 8 * len(values(frame, 0))
    found = values(frame, 3)
    assert found["forewarn_gpu_utilization_ratio",] == 0.94
    assert found["forewarn_gpu_memory_used_bytes",] == 70 * GIB
    assert found["forewarn_gpu_power_watts",] == 523.125
    assert found["forewarn_gpu_clock_event_active", "reason=hw_thermal"] == 1
    assert found["forewarn_gpu_clock_event_active", "reason=idle"] == 0
    assert found["forewarn_gpu_throttled_seconds_total", "reason=hw_thermal"] == 12.5
    assert found["forewarn_gpu_nvlink_transmit_bytes_total",] == 7 * 1024
    assert found["forewarn_gpu_tensor_activity_ratio",] == 0.625
    assert found["forewarn_gpu_ecc_errors_total", "scope=aggregate", "type=corrected"] == 2


def test_what_is_sent_is_what_the_catalogue_says(fake: FakeNvml) -> None:
    with NvmlChild(fake.environ()) as child:
        frame = child.settled_round()
    for name, labels, _, counter in frame["samples"]:
        assert {label for label, _ in labels} == set(CATALOGUE[name].labels)
        assert labels == sorted(labels)
        assert counter == (CATALOGUE[name].type == "counter")
    sent = {name for name, *_ in frame["samples"]}
    promised = {metric.name for metric in GPU_METRICS if metric.name.startswith("forewarn_gpu_")}
    unsent = {name.removeprefix("forewarn_gpu_") for name in promised - sent}
    assert unsent - NOT_OF_A_ROUND == OF_OTHER_GENERATIONS
    assert all(core_metrics()[number] for number in range(1, 8))


def test_a_lost_gpu_does_not_stop_the_others(fake: FakeNvml) -> None:
    fake.set_gpus(3)
    with NvmlChild(fake.environ()) as child:
        child.wait_for("round", lambda frame: len(frame["up"]) == 3)
        fake.lose(1)
        frame = child.wait_for("round", lambda frame: len(frame["up"]) == 2)
        later = child.wait_for("round")
    for each in (frame, later):
        assert {dict(labels)["gpu"] for _, labels, _, _ in each["samples"]} == {"0", "2"}
    (line,) = child.events("GPU does not answer any more")
    assert (line["gpu"], line["code"]) == ("1", 15)


def test_one_answer_that_a_gpu_is_lost_is_enough(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    fake.fail("nvmlDeviceGetPerformanceState", 15, 0)
    with NvmlChild(fake.environ()) as child:
        frame = child.wait_for("round")
    assert {dict(labels)["gpu"] for _, labels, _, _ in frame["samples"]} == {"1"}


def test_a_lost_gpu_that_answers_again_is_back(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    fake.lose(1)
    with NvmlChild(fake.environ(), retry=0.5) as child:
        child.wait_for("round", lambda frame: len(frame["up"]) == 1)
        fake.clear()
        fake.set_gpus(2)
        assert ("forewarn_gpu_power_watts",) in values(child.wait_for("round", lambda frame: len(frame["up"]) == 2), 1)


def test_a_gpu_that_is_lost_from_the_start_is_named(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    fake.lose(0)
    with NvmlChild(fake.environ()) as child:
        assert child.wait_for("inventory")["count"] == 2
        assert len(child.wait_for("round")["up"]) == 1
    assert child.events("GPU does not answer")


def test_what_is_not_offered_is_absent_and_named_once(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    fake.fail("nvmlDeviceGetFanSpeed", 3)
    fake.fail("nvmlDeviceGetTotalEnergyConsumption", 3, 1)
    fake.fail_field(82, 3)
    fake.set("gpm_supported", 0)
    with NvmlChild(fake.environ()) as child:
        for _ in range(4):
            frame = child.wait_for("round")
    names = {name for name, *_ in values(frame, 1)}
    assert not names & {"forewarn_gpu_fan_speed_ratio", "forewarn_gpu_energy_joules_total"}
    assert "forewarn_gpu_sm_activity_ratio" not in names
    assert ("forewarn_gpu_temperature_celsius", "sensor=memory") not in values(frame, 0)
    assert ("forewarn_gpu_energy_joules_total",) in values(frame, 0)
    assert child.not_offered() == {
        "nvmlDeviceGetFanSpeed": "not_supported 0,1",
        "nvmlDeviceGetTotalEnergyConsumption": "not_supported 1",
        "field 82": "not_supported 0,1",
        "GPM": "not_supported 0,1",
        **dict.fromkeys(NOT_ON_A_HOPPER, "not_supported 0,1"),
    }
    assert len(child.events("not offered")) == 2


def test_what_is_not_offered_is_not_asked_for_again(fake: FakeNvml) -> None:
    fake.fail("nvmlDeviceGetTotalEnergyConsumption", 3)
    fake.fail_field(82, 3)
    with NvmlChild(fake.environ()) as child:
        child.wait_for("round")
        fake.clear()
        child.settled_round()
        found = values(child.wait_for("round"))
    assert ("forewarn_gpu_energy_joules_total",) not in found
    assert ("forewarn_gpu_temperature_celsius", "sensor=memory") not in found


def test_an_older_library_is_read_by_its_older_calls(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    older = ["nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetFieldValues"]
    fake = FakeNvml(tmp_path / "state", shared_fake(tmp_path_factory, without=older))
    fake.set("memory_used", 10 * GIB)
    fake.set("memory_reserved", GIB)
    with NvmlChild(fake.environ()) as child:
        found = values(child.settled_round(), 0)
    assert found["forewarn_gpu_memory_used_bytes",] == 11 * GIB  # version 1 counts what is reserved as used
    assert ("forewarn_gpu_memory_reserved_bytes",) not in found
    assert ("forewarn_gpu_clock_event_active", "reason=idle") in found
    assert not [name for name, *_ in found if name == "forewarn_gpu_throttled_seconds_total"]
    assert ("forewarn_gpu_nvlink_up", "link=0") in found


def test_a_reading_that_fails_for_a_while_comes_back(fake: FakeNvml) -> None:
    fake.fail("nvmlDeviceGetPowerUsage", 21)
    power = ("forewarn_gpu_power_watts",)
    with NvmlChild(fake.environ()) as child:
        assert power not in values(child.settled_round())
        fake.clear()
        assert child.wait_for("round", lambda frame: power in values(frame))["up"]
    (line,) = child.events("readings failed")
    assert (line["code"], line["readings"]) == (21, "nvmlDeviceGetPowerUsage")


def test_a_gpu_that_fails_as_a_whole_is_one_line_and_not_one_for_each_reading(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    with NvmlChild(fake.environ()) as child:
        child.settled_round()
        fake.lose(1, 999)
        assert child.wait_for("round", lambda frame: len(frame["up"]) == 1)["down"] == {"1": 999}
    assert len(child.events("GPU does not answer any more")) == 1
    assert not child.events("readings failed")


def test_a_gpu_whose_handle_holds_no_more_is_not_up(fake: FakeNvml) -> None:
    """As after a reset that nobody paused us for: every call is an invalid argument, which elsewhere is an absence."""
    fake.set_gpus(2)
    with NvmlChild(fake.environ(), retry=0.5) as child:
        child.settled_round()
        fake.lose(1, 2)
        assert child.wait_for("round", lambda frame: len(frame["up"]) == 1)["down"] == {"1": 2}
        fake.clear()
        fake.set_gpus(2)
        frame = child.wait_for("round", lambda frame: len(frame["up"]) == 2)
    assert ("forewarn_gpu_power_watts",) in values(frame, 1)


def test_text_that_nobody_can_decode_costs_only_itself(fake: FakeNvml) -> None:
    fake.add("text serial * placeholder")
    fake.state.write_bytes(fake.state.read_bytes().replace(b"placeholder", b"\xff\xfe"))
    with NvmlChild(fake.environ()) as child:
        (device,) = child.wait_for("inventory")["devices"]
        frame = child.wait_for("round")
    assert device["serial"] == ""
    assert device["name"].startswith("NVIDIA")
    (info,) = [dict(labels) for name, labels, *_ in frame["samples"] if name == "forewarn_gpu_info"]
    assert "serial" not in info


@pytest.mark.timed
def test_a_lost_gpu_does_not_silence_the_xids_of_the_others(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    with NvmlChild(fake.environ(), retry=0.5) as child:
        child.wait_for("round")
        time.sleep(0.3)  # the events are being waited for
        fake.lose(1)
        child.wait_for("round", lambda frame: len(frame["up"]) == 1)
        time.sleep(1.5)  # a set without the lost one is made after a second
        fake.xid(0, 48)
        assert child.wait_for("xid")["gpu"] == "0"
        fake.clear()
        fake.set_gpus(2)
        child.wait_for("round", lambda frame: len(frame["up"]) == 2)
        time.sleep(1.2)  # registered between two waits
        fake.xid(1, 31)
        assert child.wait_for("xid")["gpu"] == "1"
    assert len(child.events("waiting for XID errors failed")) == 1


@pytest.mark.timed
def test_an_xid_is_told_once_with_its_gpu(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    fake.xid(0, 31)  # before anybody listened
    told = []
    with NvmlChild(
        fake.environ(), on_frame=lambda frame: told.append(frame) if frame["kind"] == "xid" else None
    ) as child:
        child.wait_for("round")
        time.sleep(0.3)  # the events are being waited for
        fake.xid(1, 79)
        frame = child.wait_for("xid")
        fake.xid(1, 999)
        assert child.wait_for("xid")["xid"] == "unknown"
        for _ in range(3):
            child.wait_for("round")
    assert (frame["gpu"], frame["uuid"][-1], frame["xid"]) == ("1", "1", "79")
    assert abs(frame["time_ms"] - time.time() * 1000) < 100_000
    assert len(told) == 2


@pytest.mark.timed
def test_a_call_that_hangs_is_named_and_the_child_still_ends_in_time(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    with NvmlChild(fake.environ()) as child:
        child.wait_for("round")
        fake.hang("nvmlDeviceGetPowerUsage", 1)
        busy = child.wait_for("busy")
        assert (busy["call"], busy["gpu"]) == ("nvmlDeviceGetPowerUsage", "1")
        assert busy["seconds"] >= 1
        assert child.hang_up() < 2.5
        assert child.process.returncode == 1


def test_a_round_that_is_long_tells_of_each_gpu_it_comes_to(fake: FakeNvml) -> None:
    fake.set_gpus(4)
    with NvmlChild(fake.environ()) as child:
        child.wait_for("round")
        fake.slow("nvmlDeviceGetPowerUsage", 900)
        reached = {child.wait_for("begin")["gpu"] for _ in range(2)}
    assert len(reached) == 2
    assert reached <= {"0", "1", "2", "3"}


def test_a_gpu_that_is_back_is_probed_anew(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    fake.fail("nvmlDeviceGetPowerUsage", 3, 1)
    power = ("forewarn_gpu_power_watts",)
    with NvmlChild(fake.environ(), retry=0.5) as child:
        assert power not in values(child.settled_round(), 1)
        fake.lose(1)
        child.wait_for("round", lambda frame: len(frame["up"]) == 1)
        fake.clear()
        fake.set_gpus(2)
        frame = child.wait_for("round", lambda frame: len(frame["up"]) == 2)
    assert power in values(frame, 1)


def test_rounds_say_only_what_changes(fake: FakeNvml) -> None:
    kinds: list[str] = []
    with NvmlChild(fake.environ(), on_frame=lambda frame: kinds.append(frame["kind"])) as child:
        for _ in range(6):
            frame = child.wait_for("round")
    assert "series" not in frame
    assert kinds.count("layout") == 2  # the second with what GPM tells from its second sample on
    assert "begin" not in kinds[kinds.index("round") :]


@pytest.mark.timed
def test_sigterm_ends_it_while_a_call_hangs(fake: FakeNvml) -> None:
    fake.hang("nvmlInitWithFlags")
    with NvmlChild(fake.environ()) as child:
        assert child.wait_for("busy")["call"] == "nvmlInitWithFlags"
        child.process.send_signal(signal.SIGTERM)
        assert child.process.wait(2.5) == 1


@pytest.mark.timed
def test_it_ends_cleanly_when_its_parent_hangs_up(fake: FakeNvml) -> None:
    with NvmlChild(fake.environ()) as child:
        child.settled_round()
        assert child.hang_up() < 2
        assert child.process.returncode == 0
    assert not child.events("not shut down")


@pytest.mark.timed
def test_no_library_is_one_frame_and_no_noise(tmp_path: Path) -> None:
    empty = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    with NvmlChild(empty, retry=0.2) as child:
        first = child.wait_for("absent")
        if first["reason"] != "no_library":
            pytest.skip("this machine has an NVIDIA driver")
        assert "libnvidia-ml.so.1" in first["hint"]
        child.wait_for("absent")
        assert child.hang_up() < 2
    assert child.log == []


@pytest.mark.parametrize(("code", "reason"), [(9, "no_driver"), (999, "driver_unknown_error")])
def test_an_initialisation_that_fails_is_tried_again(fake: FakeNvml, code: int, reason: str) -> None:
    fake.fail_init(code)
    with NvmlChild(fake.environ(), retry=0.2) as child:
        assert child.wait_for("absent")["reason"] == reason
        fake.clear()
        assert child.wait_for("round")["up"]


def test_a_node_whose_gpus_are_gone_in_a_container_says_why(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    with NvmlChild(fake.environ()) as child:
        child.wait_for("round")
        fake.lose("*", 999)
        absent = child.wait_for("absent")
    assert absent["reason"] == "driver_unknown_error"
    assert "container" in absent["hint"]


def test_no_gpu_at_all_is_said(fake: FakeNvml) -> None:
    fake.set_gpus(0)
    with NvmlChild(fake.environ()) as child:
        assert child.wait_for("absent")["reason"] == "no_gpu"


@pytest.mark.parametrize("code", [9, 18])
def test_a_driver_that_is_replaced_ends_the_child_with_its_own_status(fake: FakeNvml, code: int) -> None:
    with NvmlChild(fake.environ()) as child:
        child.wait_for("round")
        fake.fail_everything(code)
        assert child.wait_for("driver_changed")["code"] == code
        assert child.process.wait(60) == EXIT_DRIVER_CHANGED


def test_a_library_that_does_not_fit_the_module_is_left_once_the_module_is_another(
    fake: FakeNvml, tmp_path: Path
) -> None:
    tree = DriverTree(tmp_path / "root")
    tree.module("580.65.06")
    fake.fail_init(18)
    with NvmlChild(fake.environ(), retry=0.2, root=str(tree.root)) as child:
        for _ in range(4):
            absent = child.wait_for("absent")
            assert absent["reason"] == "driver_mismatch"
            assert "Reboot" in absent["hint"]
        assert child.process.poll() is None
        tree.module("590.48.01")
        assert child.process.wait(60) == EXIT_DRIVER_CHANGED


def test_a_library_that_does_not_fit_is_left_in_the_end_though_nothing_shows_why(fake: FakeNvml) -> None:
    fake.fail_init(18)
    with NvmlChild(fake.environ(), retry=0.05) as child:
        assert child.process.wait(60) == EXIT_DRIVER_CHANGED


def test_a_sample_of_gpm_that_takes_long_does_not_bring_the_next_one_too_near(fake: FakeNvml) -> None:
    activity = ("forewarn_gpu_sm_activity_ratio",)
    with NvmlChild(fake.environ(), interval=0.15) as child:
        child.wait_for("round", lambda frame: activity in values(frame))
        fake.slow("nvmlGpmSampleGet", 400)  # longer than the interval: the next round begins at once
        for _ in range(3):
            child.wait_for("round")
        fake.clear()
        child.wait_for("round", lambda frame: activity in values(frame))
        assert "GPM" not in child.not_offered()
