"""What the unit's sandbox hides of other users' processes, and what its drop-in opens, under a real systemd."""

import re
import shutil
from pathlib import Path

import pytest

from forewarn.service import ATTRIBUTION, unit_text
from tests.support.machine import Machine, refusal
from tests.support.wheel import ROOT

pytestmark = [
    pytest.mark.systemd,
    pytest.mark.slow,
    pytest.mark.skipif(bool(refusal()), reason=refusal() or "never"),
]

MODULES = ("collector/__init__.py", *(f"collector/attribution/{name}.py" for name in ("__init__", "cgroups", "procfs")))
LOOK = """
import sys
sys.path.insert(0, "/opt/look")
from collector.attribution.procfs import ProcFs
print(ProcFs().look(1), "and of nobody:", ProcFs().look(4_000_000))
"""


def look_at_process_1(machine: Machine) -> str:
    """What the daemon's code finds out about a process of root, in the daemon's sandbox."""
    machine.ok("systemctl", "daemon-reload")
    machine.ok("systemctl", "start", "forewarn")
    return machine.journal("forewarn")


def test_the_drop_in_opens_what_the_sandbox_hides(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "node")
    assert machine.run("true").returncode == 0
    for name in MODULES:
        place = machine.folder / "opt/look" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place)
    (machine.folder / "opt/look/look.py").write_text(LOOK)
    units = machine.folder / "etc/systemd/system"
    unit = re.sub(
        "^ExecStart=.*",
        "ExecStart=/usr/bin/python3 -B /opt/look/look.py",
        unit_text("forewarn.service"),
        flags=re.MULTILINE,
    )
    unit = unit.replace("Type=notify", "Type=oneshot").replace("Restart=always", "Restart=no")
    (units / "forewarn.service").write_text(unit)
    (machine.folder / "etc/sysusers.d").mkdir(exist_ok=True)
    (machine.folder / "etc/sysusers.d/forewarn.conf").write_text(unit_text("forewarn.sysusers"))
    with machine.booted():
        machine.ok("systemd-sysusers")
        assert "Missing.HIDDEN and of nobody: Missing.GONE" in look_at_process_1(machine)
        drop_in = units / f"forewarn.service.d/{ATTRIBUTION}"
        drop_in.parent.mkdir()
        drop_in.write_text(unit_text(ATTRIBUTION))
        found = look_at_process_1(machine)
        assert "uid=0, command='systemd', home=Home(unit='init.scope'" in found
