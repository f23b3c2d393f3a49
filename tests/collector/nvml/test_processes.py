"""The driver's process lists through the unmodified nvidia-ml-py, as they are on good days and on bad ones."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.support.gpu_processes import UNTOLD, process, put_processes
from tests.support.nvml import FakeNvml
from tests.support.nvml_child import NvmlChild

GIB = 2**30
LOOKS = """
import json, logging, os, pathlib, sys
from collector.nvml.readings.not_offered import NotOffered
from collector.nvml.devices import take_inventory
from collector.nvml.codes import NvmlError
from collector.nvml.library import Nvml
from collector.nvml.readings.processes import ProcessLists
logging.basicConfig(format="%(message)s %(code)s")
nvml = Nvml()
nvml.call("nvmlInitWithFlags", 0)
devices = take_inventory(nvml).devices
now = 0.0
lists = ProcessLists(nvml, NotOffered(), 5.0, lambda: now)
state = pathlib.Path(os.environ["FAKE_NVML_STATE"])
for look in json.load(sys.stdin):
    for suffix, text in look["files"].items():
        scratch = state.with_suffix(".look")
        scratch.write_text(text)
        scratch.replace(f"{state}{suffix}")
    now += look["seconds"]
    try:
        print(json.dumps(lists.read((device, ()) for device in devices)))
    except NvmlError as error:
        print(json.dumps({"code": error.code}))
"""


def run_looks(
    fake: FakeNvml, steps: Sequence[dict[str, str]], seconds: float = 5.0
) -> subprocess.CompletedProcess[str]:
    """Looks one after the other, each after files of the fake (by the end of their name) were changed."""
    return subprocess.run(
        [sys.executable, "-c", LOOKS],
        input=json.dumps([{"seconds": seconds, "files": step} for step in steps]),
        env=fake.environ(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def looks(fake: FakeNvml, *steps: dict[str, str], seconds: float = 5.0) -> list[Any]:
    """The frames of such looks."""
    return [json.loads(line) for line in run_looks(fake, steps, seconds).stdout.splitlines()]


def one_look(fake: FakeNvml) -> list[list[list[Any]]]:
    """The processes of each GPU that tells of them."""
    (frame,) = looks(fake, {})
    return [gpu["processes"] for gpu in frame["gpus"]]


def test_a_process_in_several_lists_is_one(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    put_processes(
        fake,
        process(0, "C", 100, 8 * GIB, sm=40),
        process(0, "G", 100, 9 * GIB),
        process(0, "M", 101, GIB),
        process(0, "C", 101, UNTOLD),
        process(0, "C", 102, UNTOLD),
    )
    (frame,) = looks(fake, {})
    assert {key: value for key, value in frame.items() if key != "gpus"} == {"kind": "processes", "every": 5.0}
    assert frame["gpus"][0]["gpu"] == "0"
    assert frame["gpus"][0]["processes"] == [
        [100, "CG", 9 * GIB, "", 0.4],
        [101, "CM", GIB, "", 0.0],
        [102, "C", None, "", 0.0],
    ]
    assert frame["gpus"][1]["processes"] == []


def test_as_many_as_there_are(fake: FakeNvml) -> None:
    put_processes(fake, *(process(0, "C", 100 + number, GIB, sm=1) for number in range(60)))
    (found,) = one_look(fake)
    assert [entry[0] for entry in found] == list(range(100, 160))
    assert {entry[4] for entry in found} == {0.01}


def test_an_idle_gpu_says_so_in_either_way(fake: FakeNvml) -> None:
    for way in ((), ("empty",)):
        put_processes(fake, process(0, "C", 100, GIB), *way)
        assert one_look(fake) == [[[100, "C", GIB, "", 0.0]]]


def test_instances_are_told_apart_and_have_no_utilisation(fake: FakeNvml) -> None:
    fake.set("mig_mode", 1)
    put_processes(fake, process(0, "C", 100, GIB, sm=9, instance=1), process(0, "C", 100, 2 * GIB, instance=2))
    assert one_look(fake) == [[[100, "C", GIB, "1", None], [100, "C", 2 * GIB, "2", None]]]


def test_a_scrambled_list_comes_with_its_impossible_numbers(fake: FakeNvml) -> None:
    put_processes(fake, "scrambled", *(process(0, "C", 100 + number, GIB) for number in range(4)))
    (found,) = one_look(fake)
    assert found[0][:3] == [100, "C", GIB]
    assert {entry[0] for entry in found[1:]} == {0, 0xFFFFFFFF, GIB}


def test_lists_are_due_every_five_seconds(fake: FakeNvml) -> None:
    frames = looks(fake, *({} for _ in range(6)), seconds=2.0)
    assert [frame is not None for frame in frames] == [True, False, False, True, False, False]


def test_what_is_not_offered_is_asked_for_again_later(fake: FakeNvml) -> None:
    put_processes(fake, process(0, "C", 100, GIB, sm=50))
    refused = "".join(
        f"fail nvmlDeviceGet{what} * 4\n"
        for what in ("ComputeRunningProcesses_v3", "GraphicsRunningProcesses_v3", "MPSComputeRunningProcesses_v3")
    )
    frames = looks(fake, {"": refused}, {"": ""}, {}, {}, {}, seconds=100)
    assert [len(frame["gpus"]) for frame in frames] == [0, 0, 0, 1, 1]


def test_a_list_that_fails_is_left_out_whole_and_the_other_gpus_stay(fake: FakeNvml) -> None:
    put_processes(fake, process(0, "C", 100, GIB), process(1, "C", 101, GIB))
    failing = "gpus 2\nfail nvmlDeviceGetGraphicsRunningProcesses_v3 0 999\n"
    fake.set_gpus(2)
    frames = looks(fake, {"": failing}, {"": "gpus 2\n"})
    assert [[gpu["gpu"] for gpu in frame["gpus"]] for frame in frames] == [["1"], ["0", "1"]]


def test_utilisation_that_fails_or_is_not_offered_is_unknown(fake: FakeNvml) -> None:
    put_processes(fake, process(0, "C", 100, GIB, sm=50))
    for code in (3, 999):
        fake.fail("nvmlDeviceGetProcessUtilization", code)
        assert one_look(fake) == [[[100, "C", GIB, "", None]]]
        fake.clear()


def test_a_driver_that_is_gone_is_the_sessions_matter(fake: FakeNvml) -> None:
    put_processes(fake, process(0, "C", 100, GIB))
    assert looks(fake, {}, {"": "error 9\n"})[1] == {"code": 9}


def test_the_child_sends_them_where_they_are_wanted(fake: FakeNvml) -> None:
    put_processes(fake, process(0, "C", 100, GIB, sm=50))
    with NvmlChild(fake.environ(), processes=True) as child:
        frame = child.wait_for("processes")
        assert frame["gpus"][0]["processes"] == [[100, "C", GIB, "", 0.5]]
        child.wait_for("round")
    seen: list[str] = []
    with NvmlChild(fake.environ(), on_frame=lambda frame: seen.append(frame["kind"])) as child:
        child.settled_round()
    assert "processes" not in seen


def test_slices_are_asked_one_by_one(fake: FakeNvml) -> None:
    fake.set("mig_mode", 1)
    fake.add("mig 3g.40gb 0 1 0")
    fake.add("mig 4g.40gb 0 2 0")
    put_processes(fake, process(0, "C", 100, GIB, instance=1), process(0, "C", 101, 2 * GIB, instance=2))
    with NvmlChild(fake.environ(), processes=True) as child:
        frame = child.wait_for("processes")
    assert frame["gpus"][0]["processes"] == [[100, "C", GIB, "1", None], [101, "C", 2 * GIB, "2", None]]


def test_a_hanging_list_is_named(fake: FakeNvml) -> None:
    put_processes(fake, process(0, "C", 100, GIB, sm=50))
    fake.hang("nvmlDeviceGetMPSComputeRunningProcesses_v3", 0)
    with NvmlChild(fake.environ(), processes=True) as child:
        busy = child.wait_for("busy")
    assert (busy["call"], busy["gpu"]) == ("nvmlDeviceGetMPSComputeRunningProcesses", "0")


def test_a_list_that_keeps_failing_is_told_of_once(fake: FakeNvml) -> None:
    fake.fail("nvmlDeviceGetGraphicsRunningProcesses_v3", 999)
    assert run_looks(fake, [{}, {}, {}]).stderr.splitlines() == ["process list failed 999"]
