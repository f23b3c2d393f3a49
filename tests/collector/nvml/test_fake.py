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
    assert 0.29 < waited < 30


def test_a_lost_gpu_answers_15_to_everything(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    fake.lose(1)
    assert ask(fake, "[code(n.nvmlDeviceGetHandleByIndex, 1), code(n.nvmlDeviceGetPowerUsage, h)]") == [15, 0]


@pytest.mark.parametrize("number", [9, 18, 999])
def test_the_initialisation_fails_as_told(fake: FakeNvml, number: int) -> None:
    fake.fail_init(number)
    prelude = PRELUDE.split("n.nvmlInit()", maxsplit=1)[0]
    assert ask(fake, "code(n.nvmlInit)", prelude) == number


@pytest.mark.timed
def test_gauges_move_and_counters_grow(fake: FakeNvml) -> None:
    prelude = PRELUDE + (
        "def both(): return [n.nvmlDeviceGetPowerUsage(h), n.nvmlDeviceGetTotalEnergyConsumption(h)]\n"
        "a = both()\ntime.sleep(0.3)\nb = both()"
    )
    (power, energy), (power_later, energy_later) = ask(fake, "[a, b]", prelude)
    assert power != power_later
    assert energy < energy_later < energy + 700_000


@pytest.mark.parametrize(
    ("structure", "call", "version"),
    [
        ("c_nvmlEccSramErrorStatus_v1_t", "nvmlDeviceGetSramEccErrorStatus", 0x02000068),
        ("c_nvmlGpuFabricInfo_v3_t", "nvmlDeviceGetGpuFabricInfoV", 0x03000024),
        ("c_nvmlGpuFabricInfo_v2_t", "nvmlDeviceGetGpuFabricInfoV", 0x01000024),
    ],
)
def test_a_structure_is_taken_under_its_own_version_only(
    fake: FakeNvml, structure: str, call: str, version: int
) -> None:
    prelude = PRELUDE + f"from ctypes import byref\na, b = n.{structure}(), n.{structure}()\nb.version = {version}"
    assert ask(fake, f"[code(n.{call}, h, byref(s)) for s in (a, b)]", prelude) == [0, 25]


def test_the_handle_of_a_slice_is_no_handle_of_a_gpu(fake: FakeNvml) -> None:
    fake.mig(0, ("1g.10gb", 7, 0))
    prelude = PRELUDE + "m = n.nvmlDeviceGetMigDeviceHandleByIndex(h, 0)"
    assert ask(fake, "[code(n.nvmlDeviceGetPowerUsage, m), code(n.nvmlDeviceGetGpuInstanceId, h)]", prelude) == [2, 2]
    assert ask(fake, "[n.nvmlDeviceGetUUID(m), n.nvmlDeviceGetName(m).split()[-1]]", prelude) == [
        "MIG-GPU-fa4e0000-0000-4000-8000-000000000000/7/0",
        "1g.10gb",
    ]
    assert ask(fake, "[code(n.nvmlDeviceGetMigDeviceHandleByIndex, h, i) for i in (1, 7)]") == [6, 2]


def test_a_slice_that_was_taken_away_is_not_found(fake: FakeNvml) -> None:
    fake.mig(0, ("1g.10gb", 7, 0))
    prelude = (
        PRELUDE
        + "import os\nm = n.nvmlDeviceGetMigDeviceHandleByIndex(h, 0)\n"
        + "open(os.environ['FAKE_NVML_STATE'], 'w').write('set mig_mode 0 1\\n')"
    )
    assert ask(fake, "[code(n.nvmlDeviceGetMemoryInfo, m), code(n.nvmlGpmQueryDeviceSupport, h)]", prelude) == [6, 0]


def test_what_is_no_handle_is_refused_and_nothing_answers_before_the_initialisation(fake: FakeNvml) -> None:
    import_only = PRELUDE.split("n.nvmlInit()", maxsplit=1)[0] + "import ctypes\nn.nvmlInit()\nn.nvmlShutdown()\n"
    assert ask(fake, "code(n.nvmlDeviceGetCount)", import_only) == 1
    prelude = PRELUDE + "import ctypes\nx = ctypes.cast(ctypes.create_string_buffer(64), n.c_nvmlDevice_t)"
    assert ask(fake, "code(n.nvmlDeviceGetPowerUsage, x)", prelude) == 2


@pytest.mark.timed
def test_gpm_compares_samples_of_one_gpu_at_least_100_ms_apart(fake: FakeNvml) -> None:
    fake.set_gpus(2)
    prelude = PRELUDE + (
        "def sample(index, rest=0):\n"
        "    s = n.nvmlGpmSampleGet(n.nvmlDeviceGetHandleByIndex(index), n.nvmlGpmSampleAlloc())\n"
        "    time.sleep(rest)\n"
        "    return s\n"
        "def compare(first, second, *ids):\n"
        "    m = n.c_nvmlGpmMetricsGet_t()\n"
        "    m.version, m.numMetrics, m.sample1, m.sample2 = 1, len(ids), first, second\n"
        "    for slot, number in zip(m.metrics, ids): slot.metricId = number\n"
        "    return code(n.nvmlGpmMetricsGet, m), [slot.nvmlReturn for slot in m.metrics[:len(ids)]]\n"
    )
    too_soon, two_gpus = "compare(sample(0), sample(0), 2)", "compare(sample(0, 0.11), sample(1), 2)"
    as_meant = "compare(sample(0, 0.11), sample(0), 2, 20, 14)"
    assert ask(fake, f"[{too_soon}, {two_gpus}, {as_meant}]", prelude) == [[2, [0]], [2, [0]], [0, [0, 0, 3]]]


def test_a_field_has_a_return_code_and_a_type_of_its_own(fake: FakeNvml) -> None:
    fake.fail_field(82, 999)
    fake.set("field_160", 4)
    fake.set("field_type_160", 1)
    prelude = PRELUDE + "v = n.nvmlDeviceGetFieldValues(h, [82, 186, (138, 0), (161, 18), 160, 45, 4711])"
    assert ask(fake, "[x.nvmlReturn for x in v]", prelude) == [999, 0, 2, 2, 0, 3, 3]
    assert ask(fake, "[v[4].valueType, v[4].value.uiVal, v[4].value.ullVal >> 32 != 0]", prelude) == [1, 4, True]
