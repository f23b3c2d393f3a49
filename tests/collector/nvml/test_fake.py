"""The fake answers the unmodified nvidia-ml-py as a driver does, its traps included."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.nvml import FakeNvml

PRELUDE = """
import json, time
import pynvml as n
def code(call, *args):
    try:
        call(*args)
    except n.NVMLError as error:
        return error.value
    return 0
n.nvmlInit()
h = n.nvmlDeviceGetHandleByIndex(0)
"""


def ask(fake: FakeNvml, expression: str, prelude: str = PRELUDE) -> Any:
    script = f"{prelude}\nprint(json.dumps({expression}))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=fake.environ(), capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


def test_eight_gpus_have_names_and_handles(fake: FakeNvml) -> None:
    fake.set_gpus(8)
    fake.text("name", "NVIDIA H200", 5)
    names = ask(fake, "[n.nvmlDeviceGetName(n.nvmlDeviceGetHandleByIndex(i)) for i in range(n.nvmlDeviceGetCount())]")
    assert names == ["NVIDIA H100 80GB HBM3"] * 5 + ["NVIDIA H200"] + ["NVIDIA H100 80GB HBM3"] * 2
    assert ask(fake, "code(n.nvmlDeviceGetHandleByIndex, 8)") == 2


def test_wrong_version_tags_are_refused(fake: FakeNvml) -> None:
    assert ask(fake, "[code(n.nvmlDeviceGetMemoryInfo, h, v) for v in (n.nvmlMemory_v2, 0x01000028)]") == [0, 25]
    prelude = PRELUDE + "m = n.c_nvmlGpmMetricsGet_t()\nm.version = 2"
    assert ask(fake, "code(n.nvmlGpmMetricsGet, m)", prelude) == 25


def test_an_idle_gpu_has_no_processes(fake: FakeNvml) -> None:
    expression = "[n.nvmlDeviceGetComputeRunningProcesses(h), code(n.nvmlDeviceGetProcessUtilization, h, 0)]"
    assert ask(fake, expression) == [[], 6]


def test_waiting_for_events_blocks_for_its_timeout(fake: FakeNvml) -> None:
    prelude = PRELUDE + "s = n.nvmlEventSetCreate()\nt = time.monotonic()\nc = code(n.nvmlEventSetWait_v2, s, 300)"
    waited, answer = ask(fake, "[time.monotonic() - t, c]", prelude)
    assert answer == 10
    assert 0.29 < waited < 2


def test_a_lost_gpu_answers_15_to_everything(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    fake.lose(1)
    assert ask(fake, "[code(n.nvmlDeviceGetHandleByIndex, 1), code(n.nvmlDeviceGetPowerUsage, h)]") == [15, 0]


@pytest.mark.parametrize("number", [9, 18, 999])
def test_the_initialisation_fails_as_told(fake: FakeNvml, number: int) -> None:
    fake.fail_init(number)
    prelude = PRELUDE.split("n.nvmlInit()", maxsplit=1)[0]
    assert ask(fake, "code(n.nvmlInit)", prelude) == number


def test_gauges_move_and_counters_grow(fake: FakeNvml) -> None:
    prelude = PRELUDE + (
        "def both(): return [n.nvmlDeviceGetPowerUsage(h), n.nvmlDeviceGetTotalEnergyConsumption(h)]\n"
        "a = both()\ntime.sleep(0.3)\nb = both()"
    )
    (power, energy), (power_later, energy_later) = ask(fake, "[a, b]", prelude)
    assert power != power_later
    assert energy < energy_later < energy + 700_000
