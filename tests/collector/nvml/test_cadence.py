"""How often the driver is asked what: counted over ten minutes of rounds, by a clock that the test moves."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.support.nvml import FakeNvml

SCRIPT = """
import json, sys
from collector.nvml.readings.not_offered import NotOffered
from collector.nvml.devices import take_inventory
from collector.nvml.readings.gpm import Gpm
from collector.nvml.library import Nvml
from collector.nvml.readings.reader import DeviceReader

now = 0.0
calls = []

class Counting(Nvml):
    def _call(self, function, name, args, gpu):
        calls.append(name)
        return super()._call(function, name, args, gpu)

nvml = Counting()
nvml.call("nvmlInitWithFlags", 0)
gpm, absences = Gpm(nvml, lambda: now), NotOffered()
readers = [DeviceReader(device, nvml, gpm, absences) for device in take_inventory(nvml).devices]
rounds = []
for _ in range(int(sys.argv[1])):
    calls.clear()
    for reader in readers:
        reader.read(now)
    rounds.append(list(calls))
    now += 1.0
print(json.dumps(rounds))
"""


@pytest.fixture
def rounds(fake: FakeNvml) -> list[list[str]]:
    """Ten minutes of rounds, one a second, over two GPUs: the calls of each."""
    fake.set_gpus(2)
    fake.set("gpm_supported", 0)  # it goes by the driver's clock
    command = [sys.executable, "-c", SCRIPT, "600"]
    done = subprocess.run(command, env=fake.environ(), capture_output=True, text=True, check=True, timeout=60)
    found: Any = json.loads(done.stdout)
    return found  # type: ignore[no-any-return]


def test_each_call_is_made_at_its_own_pace_and_no_round_has_a_heap(rounds: list[list[str]]) -> None:
    total = Counter(call for one in rounds[1:] for call in one)
    per_gpu = {call: count / 2 for call, count in total.items()}
    assert per_gpu["nvmlDeviceGetPowerUsage"] == 599
    assert per_gpu["nvmlDeviceGetMemoryInfo"] == 599
    assert per_gpu["nvmlDeviceGetMigMode"] == pytest.approx(599 / 5 + 599 / 30, abs=3)
    assert per_gpu["nvmlDeviceGetSramEccErrorStatus"] == pytest.approx(599 / 30, abs=1)
    assert per_gpu["nvmlDeviceGetRowRemapperHistogram"] == pytest.approx(599 / 300, abs=1)
    assert per_gpu["nvmlDeviceGetTemperatureThreshold"] == pytest.approx(4 * 599 / 300, abs=2)
    assert "nvmlDeviceGetRetiredPages" not in per_gpu  # not offered, and asked for in the first round only
    assert per_gpu["nvmlDeviceGetPcieThroughput"] == pytest.approx(2 * 599 / 30, abs=3)  # it blocks for 20 ms
    assert max(one.count("nvmlDeviceGetPcieThroughput") for one in rounds[2:]) <= 2
    typical = sorted(len(one) for one in rounds[1:])[len(rounds) // 2]
    links = 18 * 2  # the states and the counters of all links of one GPU come in one turn
    assert max(len(one) for one in rounds[1:]) <= typical + links + 4
    assert len(rounds[0]) > 4 * typical
