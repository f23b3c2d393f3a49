"""The wheel, and empty environments to install it into."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def build_wheel(folder: Path) -> Path:
    """The wheel of this source tree."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    _succeed(command, cwd=ROOT)
    (wheel,) = folder.glob("forewarn-*.whl")
    return wheel


def environment_with(wheel: Path, folder: Path) -> Path:
    """An environment with the wheel and its base dependencies, in the versions that are locked; its bin folder."""
    pins = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if re.match(r"\w", line)]
    constraints = folder.with_name("constraints.txt")
    constraints.write_text("\n".join(line.removesuffix("\\") for line in pins))
    _succeed([str(UV), "venv", "--quiet", "--python", sys.executable, str(folder)])
    pip = [str(UV), "pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
    _succeed([*pip, "--constraint", str(constraints), str(wheel)])
    return folder / "bin"


def _succeed(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
