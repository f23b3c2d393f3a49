"""forewarn install-service, and the units under a real systemd, in a machine of their own."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import FOREWARN
from tests.support.machine import Machine, refusal
from tests.support.wheel import ROOT, build_wheel

pytestmark = [
    pytest.mark.systemd,
    pytest.mark.slow,
    pytest.mark.skipif(bool(refusal()), reason=refusal() or "never"),
]

URL = "http://127.0.0.1:7470"
CONFIG = """
[collector]
interval = 1
[forecast]
enabled = false
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which it was installed once, from the clone."""
    folder = tmp_path_factory.mktemp("machine")
    machine = Machine(folder / "node")
    first = machine.run(str(FOREWARN), "install-service", "--attribution", "--clock")
    assert first.returncode == 0, first.stderr
    (folder / "said").write_text(first.stderr)
    yield machine
    shutil.rmtree(folder)


def test_it_says_what_it_does_and_leaves_this_machine_alone(machine: Machine) -> None:
    said = (machine.folder.parent / "said").read_text()
    assert re.search(r"installing forewarn\[forecast,logs\] from \S+ into /opt/forewarn", said)
    units = "/etc/systemd/system"
    drop_ins = [f"{units}/forewarn.service.d/forewarn-{name}.conf" for name in ("attribution", "clock")]
    for path in (f"{units}/forewarn.service", *drop_ins, "/etc/forewarn/forewarn.toml"):
        assert f"wrote {path}" in said
        assert (machine.folder / path[1:]).exists()
    assert "systemd does not run here" in said
    assert not (machine.folder / "etc/systemd/system/forewarn-worker.service").exists()
    assert "\nforewarn:x:" in (machine.folder / "etc/passwd").read_text()


def test_nothing_that_is_installed_points_into_the_clone(machine: Machine) -> None:
    prefix = machine.folder / "opt/forewarn"
    assert (prefix / "bin/forewarn").read_text().startswith("#!/opt/forewarn/bin/python")
    assert not str((prefix / "bin/python").resolve()).startswith(("/root", "/home", str(ROOT)))
    (site,) = (prefix / "lib").glob("python3.*/site-packages")
    assert not [path for path in site.glob("*.pth") if str(ROOT) in path.read_text()]
    assert (site / "forewarn/units/forewarn.service").is_file()
    assert not (site / "torch").exists()
    where = "import forewarn.config, worker.child; print(forewarn.config.__file__, worker.child.__file__)"
    found = machine.run("/opt/forewarn/bin/python", "-P", "-c", where).stdout.split()
    assert [path.startswith("/opt/forewarn/lib/") for path in found] == [True, True]


def test_only_root_installs(machine: Machine) -> None:
    command = ["setpriv", "--reuid", "65534", "--clear-groups", "/opt/forewarn/bin/forewarn", "install-service"]
    done = machine.run(*command)
    assert done.returncode == 1
    assert done.stderr == "error: a service is installed by root\nhint: run it with sudo\n"


def test_what_pip_cannot_install_is_one_line(machine: Machine) -> None:
    env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    done = machine.run("/opt/forewarn/bin/forewarn", "install-service", "--from", "forewarn==99", env=env)
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "No matching distribution found for forewarn" in error
    assert "Traceback" not in done.stderr


def test_under_systemd_it_runs_reloads_and_ends(machine: Machine, tmp_path: Path) -> None:
    config = machine.folder / "etc/forewarn/forewarn.toml"
    owner = config.stat()
    config.write_text(CONFIG)
    wheel = build_wheel(tmp_path)
    shutil.copy(wheel, machine.folder / "var/tmp")
    with machine.booted():
        machine.ok("mount", "-t", "tmpfs", "-o", "size=77m", "tmpfs", "/home")
        again = machine.ok("sh", "-c", f"/opt/forewarn/bin/forewarn install-service --from /var/tmp/{wheel.name} 2>&1")
        assert "kept /etc/forewarn/forewarn.toml" in again
        assert config.read_text() == CONFIG
        assert (owner.st_gid, owner.st_mode & 0o777) == (config.stat().st_gid, 0o640)
        _is_up(machine)
        _is_in_its_sandbox(machine)
        _reloads(machine)
        _comes_back(machine)
        _ends(machine)


def _is_up(machine: Machine) -> None:
    assert machine.show("forewarn", "ActiveState") == "active"
    assert machine.show("forewarn", "StatusText") == f"serving {URL}"
    assert machine.show("forewarn", "WatchdogUSec") == "1min"
    assert machine.show("forewarn", "UnitFileState") == "enabled"
    assert machine.show("forewarn", "ProtectProc") == "default"  # the drop-ins of the first installation stay
    assert machine.show("forewarn", "ProtectClock") == "no"
    assert machine.show("forewarn-logship", "Result") == "success"  # nothing is configured: it ended in order
    page = _metrics(machine)
    assert page["forewarn_config_last_reload_successful"] == 1
    assert page['forewarn_collector_success{collector="host"}'] == 1
    assert "forewarn_node_timex_sync_status" in page
    assert {value for name, value in page.items() if name.startswith("forewarn_node_filesystem_readonly")} == {0}
    assert f"Forewarn serves {URL}" in machine.journal("forewarn")
    assert URL in machine.ok("/opt/forewarn/bin/forewarn", "status")


def _is_in_its_sandbox(machine: Machine) -> None:
    pid = machine.show("forewarn", "MainPID")
    status = dict(line.split(":", 1) for line in machine.ok("cat", f"/proc/{pid}/status").splitlines())
    assert status["Uid"].split()[0] == machine.ok("id", "--user", "forewarn").strip()
    assert status["CapBnd"].strip() == "0" * 16
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    inside = ("nsenter", "--target", pid, "--mount")
    for folder in ("/etc", "/opt", "/usr", "/home"):
        assert "ro" in machine.ok(*inside, "findmnt", "-nT", folder, "-o", "OPTIONS").strip().split(",")
    assert machine.ok(*inside, "findmnt", "-n", "-o", "SIZE", "/home").strip() == "77M"  # it fills up, so it is seen
    assert machine.ok("stat", "-c", "%a %U", "/var/lib/forewarn").split() == ["700", "forewarn"]


def _reloads(machine: Machine) -> None:
    config = machine.folder / "etc/forewarn/forewarn.toml"
    pid = machine.show("forewarn", "MainPID")
    config.write_text("nonsense = 1\n")
    machine.ok("systemctl", "reload", "forewarn")
    _until(lambda: _metrics(machine).get("forewarn_config_last_reload_successful") == 0)
    assert "nonsense" in machine.journal("forewarn")
    config.write_text(CONFIG)
    machine.ok("systemctl", "reload", "forewarn")
    _until(lambda: _metrics(machine).get("forewarn_config_last_reload_successful") == 1)
    assert machine.show("forewarn", "MainPID") == pid


def _comes_back(machine: Machine) -> None:
    pid = machine.show("forewarn", "MainPID")
    machine.ok("kill", "-KILL", pid)
    _until(lambda: machine.show("forewarn", "MainPID") not in {"0", pid})
    _until(lambda: machine.show("forewarn", "ActiveState") == "active")
    assert machine.show("forewarn", "NRestarts") == "1"


def _ends(machine: Machine) -> None:
    began = time.monotonic()
    machine.ok("systemctl", "stop", "forewarn")
    assert time.monotonic() - began < 30  # and not by force, see below
    assert machine.show("forewarn", "ExecMainStatus") == "0"
    assert machine.show("forewarn", "Result") == "success"
    assert machine.inside("pgrep", "--uid", "forewarn").stdout == ""


def _metrics(machine: Machine) -> dict[str, float]:
    fetch = f"import urllib.request; print(urllib.request.urlopen('{URL}/metrics').read().decode())"
    lines = machine.ok("/opt/forewarn/bin/python", "-P", "-c", fetch).splitlines()
    pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {series: float(value) for series, _, value in pairs}


def _until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)
