"""Recordings of machines, played back to the unmodified nvidia-ml-py; and how they are made, on the fake."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from collector.nvml.recorder.checks import _Counter, _unit
from tests.support.daemon import FOREWARN, forewarn, running
from tests.support.gpu_processes import process, put_processes
from tests.support.nvml import FakeNvml, shared_fake
from tests.support.nvml_replay import expected_path, read_recording

ROOT = Path(__file__).parents[3]
RECORDINGS = sorted((ROOT / "tests" / "recordings").glob("*.jsonl*"))
UUID = "GPU-deadbeef-0000-4000-8000-0123456789ab"
SERIAL = "1987654321098"
GIB = 2**30


def replay(recording: Path) -> dict[str, Any]:
    """What the child makes of a recording."""
    command = [sys.executable, "-m", "tests.support.nvml_replay", "--print", str(recording)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name.split(".")[0])
def test_a_recording_comes_to_what_is_expected(recording: Path) -> None:
    expected = json.loads(expected_path(recording).read_text())
    found = replay(recording)["rounds"]
    how = "if that is meant to be: python -m tests.support.nvml_replay, see tests/recordings/README.md"
    assert len(found) == len(expected), how
    for one, other in zip(found, expected, strict=True):
        assert one["samples"] == other["samples"], how
        assert one["processes"] == other["processes"], how


def test_there_is_a_recording() -> None:
    assert [path.name for path in RECORDINGS if path.name == "fake.jsonl.gz"]


def record(fake: FakeNvml, file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [str(FOREWARN), "nvml", "record", str(file), "--rounds", "3", "--interval", "0.2", *arguments]
    return subprocess.run(line, env=fake.environ(), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> FakeNvml:
    fake = FakeNvml(tmp_path_factory.mktemp("machine") / "nvml.state", shared_fake(tmp_path_factory))
    fake.set_gpus(2)
    fake.text("uuid", UUID, 1)
    fake.text("serial", SERIAL, 1)
    fake.set("power_mw", 123_456, 1)
    fake.fail_field(198, 3, 0)
    put_processes(fake, process(1, "C", 4711, 3 * GIB, sm=37))
    return fake


@pytest.fixture(scope="module")
def recorded(machine: FakeNvml) -> tuple[Path, Any]:
    """A recording, and what was said about it."""
    file = machine.state.with_name("node.jsonl.gz")
    done = record(machine, file, "--json", "--data-dir", str(file.with_name("none")))
    assert done.returncode == 0, done.stderr
    return file, json.loads(done.stdout)


@pytest.fixture(scope="module")
def replayed(recorded: tuple[Path, Any]) -> dict[str, Any]:
    return replay(recorded[0])


def test_what_was_recorded_is_what_is_played_back(replayed: dict[str, Any]) -> None:
    rounds = replayed["rounds"]
    assert replayed["unanswered"] == []
    assert len(rounds) == 3
    for one in rounds:
        (power,) = [value for key, value in one["samples"].items() if "power_watts" in key and 'gpu="1"' in key]
        assert power == 123.456
    assert rounds[0]["processes"][1]["processes"] == [[4711, "C", 3 * GIB, "", 0.37]]
    activity = [[key for key in one["samples"] if "sm_activity" in key] for one in rounds]
    assert [len(series) for series in activity] == [0, 2, 2]  # it compares with the round before


OTHER_QUESTIONS = """
import json, pathlib, sys
import pynvml as n
from tests.support.nvml_replay import Replay, read_recording
replay = n.nvmlLib = Replay(read_recording(pathlib.Path(sys.argv[1]))[1])
def code(call, *args):
    try:
        call(*args)
    except n.NVMLError as error:
        return error.value
    return 0
n.nvmlInit()
h = n.nvmlDeviceGetHandleByIndex(1)
fields = n.nvmlDeviceGetFieldValues(h, [230, 82, 9999])
print(json.dumps({
    "fields": [(field.fieldId, field.nvmlReturn) for field in fields],
    "memory_temperature": fields[1].value.uiVal,
    "never_asked": code(n.nvmlDeviceGetAccountingPids, h),
    "not_of_this": code(n.nvmlDeviceGetClockInfo, h, 77),
    "power": [n.nvmlDeviceGetPowerUsage(h) for _ in range(20)],
}))
"""


def test_other_questions_than_the_childs_are_answered_too(recorded: tuple[Path, Any]) -> None:
    command = [sys.executable, "-c", OTHER_QUESTIONS, str(recorded[0])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["fields"] == [[230, 0], [82, 0], [9999, 3]]
    assert 0 < found["memory_temperature"] < 110
    assert (found["never_asked"], found["not_of_this"]) == (13, 3)
    assert found["power"] == [123_456] * 20  # the last answer stays


def test_nothing_tells_of_the_machine_and_everything_still_fits(
    recorded: tuple[Path, Any], replayed: dict[str, Any]
) -> None:
    with gzip.open(recorded[0], "rt") as file:
        text = file.read()
    for secret in (UUID, SERIAL):
        assert secret not in text
        assert secret.encode().hex() not in text
        assert secret[-8:].encode().hex() not in text
    labels = [key.rpartition('uuid="')[2] for key in replayed["rounds"][1]["samples"] if 'gpu="1"' in key]
    (uuid,) = {label.split('"')[0] for label in labels}
    assert uuid.startswith("GPU-0000")
    assert len(labels) > 50
    assert recorded[0].stat().st_mode & 0o777 == 0o600


def test_the_checks_are_told_and_kept(recorded: tuple[Path, Any]) -> None:
    header, calls, kept = read_recording(recorded[0])
    assert recorded[1] == kept
    assert header["driver_version"] == "590.48.01"
    assert header["source"] == "machine"
    assert len(calls) > 500
    answers = {(each["gpu"], each["question"].split("(")[0].strip()): each for each in kept}
    memory = answers["0", "is 'used' of memory v2 without what is reserved?"]
    assert memory["answer"] == "yes"
    assert "v2 reserved 479 MiB" in memory["detail"]
    assert [answers["0", f"is field {field}"]["answer"] for field in (197, 198)] == ["yes", "no"]
    assert answers["1", "is field 198"]["answer"] == "yes"
    gpm = answers["0", "does GPM answer a user who is not root?"]
    assert gpm["answer"] == ("not asked" if os.geteuid() == 0 else "yes")


@pytest.mark.parametrize(
    ("value", "growth", "older", "held", "unit"),
    [
        (7_000_000_000, 0.0, 7_000_000_000, False, "ns"),
        (7_000_000, 0.0, 7_000_000_000, False, "µs"),
        (5, 0.98e9, 0, True, "ns"),
        (5, 1.01e6, 0, True, "µs"),
        (5, 0.98e9, 0, False, "not seen"),
        (5, 2e7, 0, True, "unclear"),
    ],
)
def test_the_unit_of_a_counter(value: int, growth: float, older: int, held: bool, unit: str) -> None:  # noqa: FBT001
    assert _unit(_Counter(value, growth), older, held=held)[0] == unit


def test_a_file_that_exists_is_kept(machine: FakeNvml, tmp_path: Path) -> None:
    file = tmp_path / "node.jsonl"
    file.write_text("mine")
    done = record(machine, file, "--data-dir", str(tmp_path / "none"))
    assert (done.returncode, done.stderr) == (1, f"error: {file} exists\nhint: name another file, or remove it\n")
    assert file.read_text() == "mine"


def test_without_a_driver_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "node.jsonl"
    line = [str(FOREWARN), "nvml", "record", str(file), "--data-dir", str(tmp_path / "none")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "cannot load libnvidia-ml.so.1" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_driver_that_does_not_start_leaves_no_file(fake: FakeNvml, tmp_path: Path) -> None:
    fake.fail_init(9)
    done = record(fake, tmp_path / "node.jsonl", "--data-dir", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "there is no GPU to record" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if "node" in path.name] == []


def test_not_beside_a_daemon_that_reads_the_gpus(machine: FakeNvml, tmp_path: Path) -> None:
    config = "[collector]\ninterval = 1\n[forecast]\nenabled = false\n"
    with running(tmp_path / "data", config=config, env=machine.environ()):
        done = record(machine, tmp_path / "node.jsonl", "--data-dir", str(tmp_path / "data"))
        assert (done.returncode, done.stderr) == (
            1,
            "error: the daemon reads the GPUs\nhint: 'forewarn nvml pause' first, and resume afterwards\n",
        )
        assert forewarn("nvml", "pause", "--data-dir", str(tmp_path / "data")).returncode == 0
        done = record(machine, tmp_path / "node.jsonl", "--data-dir", str(tmp_path / "data"))
        assert done.returncode == 0, done.stderr
        with (tmp_path / "node.jsonl").open() as file:
            assert json.loads(file.readline())["format"] == 1
