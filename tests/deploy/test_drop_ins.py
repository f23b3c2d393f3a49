"""What the unit's sandbox hides, and what each of its drop-ins opens, under a real systemd."""

import re
import shutil
from pathlib import Path

import pytest

from forewarn.service import ATTRIBUTION, CLOCK, unit_text
from tests.support.machine import Machine, refusal
from tests.support.wheel import ROOT

pytestmark = [
    pytest.mark.systemd,
    pytest.mark.slow,
    pytest.mark.skipif(bool(refusal()), reason=refusal() or "never"),
]

MODULES = (
    *("collector/__init__.py", "collector/series.py"),
    *(f"collector/attribution/{name}.py" for name in ("__init__", "cgroups", "procfs")),
    *(
        f"collector/samplers/{name}.py"
        for name in ("__init__", "series_keys", "host/__init__", "host/kernel", "host/tree")
    ),
)
LOOK = """
import sys
sys.path.insert(0, "/opt/look")
from collector.attribution.procfs import ProcFs
from collector.samplers.host.kernel import TimeSync
print(ProcFs().look(1), "and of nobody:", ProcFs().look(4_000_000))
try:
    print(sorted(sample.key.name for sample in TimeSync()()))
except PermissionError as error:
    print("the clock:", error)
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose forewarn.service looks about itself, once, with the daemon's code in the daemon's sandbox."""
    machine = Machine(tmp_path / "node")
    assert machine.run("true").returncode == 0
    for name in MODULES:
        place = machine.folder / "opt/look" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place)
    (machine.folder / "opt/look/look.py").write_text(LOOK)
    unit = re.sub(
        "^ExecStart=.*",
        "ExecStart=/usr/bin/python3 -B /opt/look/look.py",
        unit_text("forewarn.service"),
        flags=re.MULTILINE,
    )
    unit = unit.replace("Type=notify", "Type=oneshot").replace("Restart=always", "Restart=no")
    (machine.folder / "etc/systemd/system/forewarn.service").write_text(unit)
    (machine.folder / "etc/sysusers.d").mkdir(exist_ok=True)
    (machine.folder / "etc/sysusers.d/forewarn.conf").write_text(unit_text("forewarn.sysusers"))
    return machine


def look(machine: Machine) -> str:
    """What the unit has found out in all its starts."""
    machine.ok("systemctl", "daemon-reload")
    machine.ok("systemctl", "start", "forewarn")
    return machine.journal("forewarn")


def test_each_drop_in_opens_what_the_sandbox_hides(machine: Machine) -> None:
    folder = machine.folder / "etc/systemd/system/forewarn.service.d"
    folder.mkdir()
    with machine.booted():
        machine.ok("systemd-sysusers")
        found = look(machine)
        assert "Missing.HIDDEN and of nobody: Missing.GONE" in found
        assert "the clock: [Errno 1] Operation not permitted" in found

        (folder / ATTRIBUTION).write_text(unit_text(ATTRIBUTION))
        found = look(machine)
        assert "uid=0, command='systemd', home=Home(unit='init.scope'" in found
        assert "forewarn_node_timex_sync_status" not in found

        (folder / CLOCK).write_text(unit_text(CLOCK))
        assert "'forewarn_node_timex_offset_seconds', 'forewarn_node_timex_sync_status']" in look(machine)
