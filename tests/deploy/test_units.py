import re
import subprocess
from pathlib import Path

import pytest

from forewarn.service import unit_text

UNITS = ("forewarn.service", "forewarn-logship.service", "forewarn-worker.service")
MOST_EXPOSURE = 2.0

pytestmark = pytest.mark.systemd


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit whose program exists on this machine."""
    path = tmp_path / request.param
    path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit_text(request.param), flags=re.MULTILINE))
    return path


def test_systemd_finds_nothing_to_say(unit: Path) -> None:
    done = _analyze("verify", "--man=no", str(unit))
    assert done.returncode == 0
    assert [line for line in (done.stdout + done.stderr).splitlines() if "forewarn" in line] == []


def test_systemd_would_say_something(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("[Service]", "[Service]\nProtectHouse=yes"))
    assert "ProtectHouse" in _analyze("verify", "--man=no", str(unit)).stderr


def test_exposure(unit: Path) -> None:
    done = _analyze("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSURE


@pytest.mark.parametrize("name", UNITS)
def test_every_unit_is_small_harmless_and_comes_back(name: str) -> None:
    settings = _settings(name)
    assert settings["ExecStart"][0].startswith("/opt/forewarn/bin/forewarn ")
    assert settings["User"] == ["forewarn"]
    assert settings["Restart"] == ["always"]
    assert settings["StateDirectoryMode"] == ["0700"]
    assert int(settings["OOMScoreAdjust"][0]) > 0
    assert {"MemoryMax", "TasksMax", "CPUWeight"} <= set(settings)


def test_the_daemon_is_watched_and_may_reach_the_driver() -> None:
    settings = _settings("forewarn.service")
    assert settings["Type"] == ["notify"]
    assert settings["NotifyAccess"] == ["main"]
    assert settings["WatchdogSec"] == ["60"]
    assert settings["DeviceAllow"] == ["char-nvidia* rw"]
    assert "PrivateDevices" not in settings
    assert "PrivateUsers" not in settings


def _settings(name: str) -> dict[str, list[str]]:
    settings: dict[str, list[str]] = {}
    for line in unit_text(name).splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            settings.setdefault(key, []).append(value)
    return settings


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)
