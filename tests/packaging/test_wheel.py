"""The wheel alone, in an empty environment, outside the source tree."""

import os
import re
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
import urllib3

from tests.support.daemon import RunningDaemon
from tests.support.wheel import build_wheel, environment_with

PACKAGES = {"forewarn", "collector", "forecast", "alerts", "logship", "api", "dashboards", "worker"}
DATA = {
    "alerts/rules.toml",
    "api/static/index.html",
    "api/static/page.css",
    "api/static/uplot/uPlot.iife.min.js",
    "api/static/uplot/LICENSE",
    "dashboards/generated/forewarn-hardware.json",
    "dashboards/generated/forewarn-node.json",
    "forecast/weights/combiner.safetensors",
    "forewarn/units/forewarn.service",
    "forewarn/units/forewarn-logship.service",
    "forewarn/units/forewarn-worker.service",
    "forewarn/units/forewarn.sysusers",
    "forewarn/units/forewarn.toml",
}
SECONDS = 60.0


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with(wheel, tmp_path_factory.mktemp("empty") / "venv")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A current directory whose folders are named as ours, and leave a mark when they are imported."""
    folder = tmp_path / "cwd"
    for name in PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write({name!r})\n")
    return folder


def test_its_top_level_is_ours_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1


def test_it_carries_the_data_of_the_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert names >= DATA
    assert names >= {f"{package}/py.typed" for package in PACKAGES}
    assert not any("__pycache__" in name or name.startswith("tests") for name in names)


@pytest.mark.timed
@pytest.mark.slow
@pytest.mark.alone
def test_the_demo_warns_within_a_minute(installed: Path, trap: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    daemon = _demo(installed, trap)
    try:
        daemon.url = daemon.wait_for(lambda: _address(daemon.lines), SECONDS)
        left = SECONDS - (time.monotonic() - started)
        daemon.wait_for(lambda: any(line.startswith("[FIRING] ") for line in daemon.lines), left)
        forecasts = daemon.get("/v1/forecasts")["forecasts"]
        made = [each for each in forecasts if each["status"] == "ok"]
        assert made
        assert any(each["breach"] for each in made)
        page = urllib3.request("GET", f"{daemon.url}/metrics", timeout=60).data.decode()
        series = [line for line in page.splitlines() if line and not line.startswith("#")]
        assert len(series) > 100
        assert [line for line in series if 'simulated="true"' not in line] == []
        status, seconds = daemon.terminate()
        assert (status, seconds < 5) == (0, True), "\n".join(daemon.lines)
    finally:
        daemon.close()
    assert not (tmp_path / "imported").exists()


def test_folders_of_the_current_directory_are_not_imported(installed: Path, trap: Path, tmp_path: Path) -> None:
    script = subprocess.run([installed / "forewarn", "config", "show"], cwd=trap, env=_environ(), check=False)
    assert script.returncode == 0
    child = subprocess.run(
        [installed / "python", "-P", "-m", "forecast.child"],
        cwd=trap,
        env=_environ(),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert child.returncode == 0
    assert not (tmp_path / "imported").exists()
    subprocess.run([installed / "python", "-c", "import worker"], cwd=trap, env=_environ(), check=True)
    assert (tmp_path / "imported").read_text() == "worker"  # the trap works


def test_what_needs_an_extra_says_which(installed: Path, tmp_path: Path) -> None:
    command = [installed / "forewarn", "worker", "run", "--data-dir", tmp_path / "data"]
    env = {**_environ(), "FOREWARN_WORKER__LISTEN": "127.0.0.1:0"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "error: the bundled worker needs the extra 'worker'" in done.stderr
    assert "Traceback" not in done.stderr


def _demo(installed: Path, cwd: Path) -> RunningDaemon:
    command = ["env", "-C", str(cwd), str(installed / "forewarn"), "demo", "--listen", "127.0.0.1:0"]
    return RunningDaemon(command, _environ())


def _address(lines: list[str]) -> str:
    found = re.search(r"(http://\S+) \(metrics", "\n".join(lines))
    return found[1] if found else ""


def _environ() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
