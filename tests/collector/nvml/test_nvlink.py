"""NVLinks that go away while they are watched."""

import json
import subprocess
import sys

from tests.support.nvml import FakeNvml

SCRIPT = """
import json, os, pathlib, sys
from collector.nvml.codes import NvmlError
from collector.nvml.devices import take_inventory
from collector.nvml.library import Nvml
from collector.nvml.readings.nvlink import NvLinks
from collector.nvml.wire import Row

nvml = Nvml()
nvml.call("nvmlInitWithFlags", 0)
(device,) = take_inventory(nvml).devices
row = Row("forewarn_gpu_", device.labels)
links, state, told = NvLinks(nvml, device, row), pathlib.Path(os.environ["FAKE_NVML_STATE"]), []
before = state.read_text()
for change in ("", *sys.argv[1:]):
    state.with_suffix(".new").write_text(change + chr(10) + before)
    state.with_suffix(".new").replace(state)
    try:
        links.ask()
    except NvmlError as error:
        told.append(error.code)
        continue
    up = {dict(labels)["link"]: value for (name, labels, _), value in zip(row.series, row.values) if "up" in name}
    told.append(up)
print(json.dumps(told))
"""


def after(fake: FakeNvml, *changes: str) -> list[dict[str, float] | int]:
    """What is told of the links at first, and after each change."""
    command = [sys.executable, "-c", SCRIPT, *changes]
    done = subprocess.run(command, env=fake.environ(), capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_a_link_that_is_switched_off_is_down_and_the_others_are_told_of(fake: FakeNvml) -> None:
    fake.set("nvlink_count", 4)
    fake.set("nvlink_state.0", -1)
    down, off, back = {"1": 1, "2": 0, "3": 1}, {"1": 1, "2": 1, "3": 0}, {"1": 1, "2": 1, "3": 1}
    changes = ("set nvlink_state.2 * 0", "set nvlink_state.3 * -1", "")
    assert after(fake, *changes) == [back, down, off, back]  # the one that was never there stays away


def test_where_all_of_them_refuse_it_is_not_the_links_that_are_down(fake: FakeNvml) -> None:
    fake.set("nvlink_count", 2)
    first, refused = after(fake, "fail nvmlDeviceGetNvLinkState * 2")
    assert (first, refused) == ({"0": 1, "1": 1}, 2)
