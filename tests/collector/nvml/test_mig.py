"""GPUs that are cut into slices, and cut anew while they are watched."""

from collections.abc import Callable
from pathlib import Path

import pytest

from collector.rounds import MAX_SERIES_OF
from forewarn.base.frames import Frame
from tests.support.nvml import FakeNvml, shared_fake
from tests.support.nvml_child import NvmlChild, values

GIB = 2**30
MIB = 2**20
CUT = (("3g.40gb", 1, 0), ("1g.10gb", 7, 0), ("1g.10gb", 8, 0))
WHOLE_ONLY = {
    "utilization_ratio",
    "memory_bandwidth_utilization_ratio",
    "encoder_utilization_ratio",
    "decoder_utilization_ratio",
    "sm_activity_ratio",
}


def slices(frame: Frame, metric: str) -> dict[tuple[str, ...], float]:
    """The values of a metric of slices, by GPU, ids and profile."""
    wanted = ("gpu", "gpu_instance_id", "compute_instance_id", "mig_profile")
    return {
        tuple(dict(labels)[label] for label in wanted if label in dict(labels)): value
        for name, labels, value, _ in frame["samples"]
        if name == f"forewarn_mig_{metric}"
    }


def cut_into(*wanted: tuple[str, int, int]) -> Callable[[Frame], bool]:
    """Whether a round shows GPU 0 cut like that."""
    expected = {("0", str(instance), str(compute), profile) for profile, instance, compute in wanted}
    return lambda frame: {key for key in slices(frame, "memory_total_bytes") if key[0] == "0"} == expected


def test_each_slice_has_its_own_memory_and_nothing_of_the_whole(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    fake.mig(0, *CUT)
    fake.set("mig_memory_used.1", 30 * GIB)
    fake.set("mig_memory_used.7", 2 * GIB)
    fake.set("mig_memory_used.8", 0)
    fake.set("mig_memory_reserved", 64 * MIB)
    with NvmlChild(fake.environ()) as child:
        frame = child.settled_round()
    assert slices(frame, "memory_total_bytes") == {
        ("0", "1", "0", "3g.40gb"): 40 * GIB,
        ("0", "7", "0", "1g.10gb"): 10 * GIB,
        ("0", "8", "0", "1g.10gb"): 10 * GIB,
    }
    assert list(slices(frame, "memory_used_bytes").values()) == [30 * GIB, 2 * GIB, 0]
    assert list(slices(frame, "memory_free_bytes").values()) == [
        10 * GIB - 64 * MIB,
        8 * GIB - 64 * MIB,
        10 * GIB - 64 * MIB,
    ]
    assert set(slices(frame, "memory_reserved_bytes").values()) == {64 * MIB}
    names = {name.removeprefix("forewarn_gpu_") for name, *_ in values(frame, 0)}
    assert not names & WHOLE_ONLY
    assert {"temperature_celsius", "power_watts", "memory_used_bytes"} <= names
    other = values(frame, 1)
    assert {f"forewarn_gpu_{name}" for name in WHOLE_ONLY} <= {name for name, *_ in other}
    assert not [name for name, *_ in other if name.startswith("forewarn_mig_")]
    uuids = {dict(labels)["uuid"] for name, labels, *_ in frame["samples"] if name.startswith("forewarn_mig_")}
    assert uuids == {"GPU-fa4e0000-0000-4000-8000-000000000000"}
    (info,) = [key for key in values(frame, 0) if key[0] == "forewarn_gpu_info"]
    assert "mig_mode=enabled" in info
    assert values(frame, 0)["forewarn_gpu_mig_mode",] == 1


def test_activity_is_that_of_each_gpu_instance(fake: FakeNvml) -> None:
    fake.mig(0, ("1c.3g.40gb", 1, 0), ("2c.3g.40gb", 1, 1), ("1g.10gb", 7, 0))
    fake.set("mig_gpm.1", 90)
    fake.set("mig_gpm.7", 12.5)
    with NvmlChild(fake.environ()) as child:
        frame = child.settled_round()
    assert slices(frame, "sm_activity_ratio") == {("0", "1", "3g.40gb"): 0.9, ("0", "7", "1g.10gb"): 0.125}
    assert set(slices(frame, "memory_used_bytes")) == {
        ("0", "1", "0", "1c.3g.40gb"),
        ("0", "1", "1", "2c.3g.40gb"),
        ("0", "7", "0", "1g.10gb"),
    }


def test_a_driver_that_does_not_name_the_profile_is_asked_for_the_attributes(fake: FakeNvml) -> None:
    fake.mig(0, ("1c.2g.20gb", 3, 1), ("1g.10gb", 7, 0))
    fake.set("mig_unnamed", 1)
    with NvmlChild(fake.environ()) as child:
        child.wait_for("round", cut_into(("1c.2g.20gb", 3, 1), ("1g.10gb", 7, 0)))


def test_a_layout_that_changes_is_followed_without_a_restart(fake: FakeNvml) -> None:
    fake.mig(0, *CUT)
    with NvmlChild(fake.environ()) as child:
        child.wait_for("round", cut_into(*CUT))
        fake.clear()
        fake.mig(0, ("7g.80gb", 0, 0))
        frame = child.wait_for("round", cut_into(("7g.80gb", 0, 0)))
        assert frame["up"]
        later = child.settled_round()
        assert set(slices(later, "sm_activity_ratio")) == {("0", "0", "7g.80gb")}
        assert not [reading for reading in child.not_offered() if "slice" in reading]
        assert child.hang_up() < 2
        assert child.process.returncode == 0


def test_a_slice_that_is_added_is_found_by_looking(fake: FakeNvml) -> None:
    fake.mig(0, *CUT[:2])
    with NvmlChild(fake.environ()) as child:
        child.wait_for("round", cut_into(*CUT[:2]))
        fake.add("mig 1g.10gb 0 8 0")
        child.wait_for("round", cut_into(*CUT))


def test_mig_mode_that_is_turned_on_and_off_makes_another_gpu_of_it(fake: FakeNvml) -> None:
    utilization = ("forewarn_gpu_utilization_ratio",)
    with NvmlChild(fake.environ()) as child:
        assert utilization in values(child.settled_round(), 0)
        fake.mig(0, *CUT)
        frame = child.wait_for("round", cut_into(*CUT))
        assert utilization not in values(frame, 0)
        fake.clear()
        child.wait_for("round", cut_into())
        frame = child.wait_for("round", lambda frame: utilization in values(frame, 0))
        assert ("forewarn_gpu_sm_activity_ratio",) in values(child.settled_round(), 0)
        assert values(frame, 0)["forewarn_gpu_mig_mode",] == 0
        infos = [key for key in values(frame, 0) if key[0] == "forewarn_gpu_info"]
    assert len(infos) == 1
    assert "mig_mode=disabled" in infos[0]


def test_what_slices_do_not_offer_is_said_once_and_not_asked_again(fake: FakeNvml) -> None:
    fake.mig(0, *CUT)
    fake.fail("nvmlGpmMigSampleGet", 4)
    with NvmlChild(fake.environ()) as child:
        for _ in range(4):
            frame = child.wait_for("round")
        named = child.not_offered()
    assert {reading for reading in named if "slice" in reading} == {"GPM of a slice"}
    assert named["GPM of a slice"] == "no_permission 0"
    assert not slices(frame, "sm_activity_ratio")
    assert len(slices(frame, "memory_used_bytes")) == 3


def test_a_gpu_that_is_lost_takes_its_slices_along(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    fake.mig(0, *CUT)
    with NvmlChild(fake.environ()) as child:
        child.wait_for("round", cut_into(*CUT))
        fake.lose(0)
        frame = child.wait_for("round", lambda frame: len(frame["up"]) == 1)
    assert not slices(frame, "memory_total_bytes")


def test_an_older_library_gives_what_it_has(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    without = ["nvmlDeviceGetMemoryInfo_v2", "nvmlGpmMigSampleGet"]
    fake = FakeNvml(tmp_path / "state", shared_fake(tmp_path_factory, without=without))
    fake.mig(0, *CUT)
    fake.set("mig_memory_used", GIB)
    fake.set("mig_memory_reserved", MIB)
    with NvmlChild(fake.environ()) as child:
        frame = child.settled_round()
    assert set(slices(frame, "memory_used_bytes").values()) == {GIB + MIB}  # version 1 counts what is reserved as used
    assert not slices(frame, "memory_reserved_bytes")
    assert not slices(frame, "sm_activity_ratio")


def test_the_largest_node_there_is_fits_the_limit_of_series(fake: FakeNvml) -> None:
    fake.set_gpus(16)
    fake.set("nvlink_count", 36)
    for gpu in range(16):
        fake.mig(gpu, *(("1g.10gb", 7 + part, 0) for part in range(7)))
    with NvmlChild(fake.environ(), interval=1.0) as child:
        frame = child.settled_round()
    assert len(frame["up"]) == 16
    assert len(slices(frame, "memory_used_bytes")) == 16 * 7
    assert 3000 < len(frame["samples"]) < 0.8 * MAX_SERIES_OF["nvml"]
