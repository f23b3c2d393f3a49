"""A machine of its own on this one's kernel and /usr, for what installs itself and for systemd as process 1."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ENTER = Path(__file__).with_name("enter-machine")
SYSTEMD = "/lib/systemd/systemd"
SPACES = ("--cgroup", "--pid", "--fork", "--mount", "--uts", "--ipc", "--net")
CGROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))


class Machine:
    """A folder that holds the machine's /etc, /opt and /var; this machine's stay as they are. Needs root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o755)
        self._init = 0

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """A command in the machine while it is not booted: with this machine's network and processes."""
        line = ["unshare", "--mount", str(ENTER), str(self.folder), "run", *command]
        environ = {**os.environ, **(env or {})}
        return subprocess.run(line, capture_output=True, text=True, env=environ, timeout=280, check=False)

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in the booted machine."""
        line = ["nsenter", "--target", str(self._init), "--all", *command]
        return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)

    def ok(self, *command: str) -> str:
        """What a command in the booted machine prints; it must succeed."""
        done = self.inside(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}{self.journal()}"
        return done.stdout

    def show(self, unit: str, key: str) -> str:
        """A property of a unit."""
        return self.ok("systemctl", "show", "--value", "--property", key, unit).strip()

    def journal(self, unit: str = "forewarn*") -> str:
        """What a unit logged."""
        return self.inside("journalctl", "--no-pager", "--output", "cat", "--unit", unit).stdout

    @contextlib.contextmanager
    def booted(self) -> Iterator[None]:
        """systemd as process 1, with processes, network and control groups of its own."""
        group = cgroup()
        log = self.folder / "boot.log"
        join = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        boot = [
            str(ENTER),
            str(self.folder),
            "boot",
            SYSTEMD,
            "--system",
            "--unit=basic.target",
            "--log-target=journal",
        ]
        with log.open("w") as out:
            process = subprocess.Popen(
                ["sh", "-c", join, str(group), "unshare", *SPACES, "--kill-child", *boot],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        try:
            self._init = _wait(lambda: _child(process.pid), process, log)
            _wait(lambda: self.inside("systemctl", "is-system-running").stdout.strip() == "running", process, log)
            yield
        finally:
            if self._init:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._init, signal.SIGKILL)  # the end of process 1 ends all of its name space
            process.kill()
            process.wait()
            self._init = 0
            _remove(group)


def cgroup() -> Path:
    """A control group of version 2 for one machine."""
    for root in CGROUPS:
        if (root / "cgroup.procs").exists() and (root / "cgroup.controllers").exists():
            group = root / f"forewarn-test-{os.getpid()}-{time.monotonic_ns()}"
            group.mkdir()
            return group
    raise AssertionError("no control groups of version 2 are mounted here")


def _wait(condition: Callable[[], int], process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"systemd does not boot here:\n{log.read_text()}")


def _child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else 0


def _remove(group: Path) -> None:
    deadline = time.monotonic() + 60
    while group.exists() and time.monotonic() < deadline:
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        time.sleep(0.05)


def refusal() -> str:
    """Why this kernel, container or user cannot have such a machine; empty where it can."""
    if os.geteuid() != 0:
        return "needs root"
    if shutil.which("unshare") is None or not Path(SYSTEMD).exists():
        return "needs unshare and systemd"
    probe = [
        "unshare",
        "--cgroup",
        "--pid",
        "--fork",
        "--mount",
        "--uts",
        "--ipc",
        "--net",
        "mount",
        "-t",
        "tmpfs",
        "t",
        "/mnt",
    ]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"no namespaces here: {done.stderr.strip()}"
    return "" if any((root / "cgroup.controllers").exists() for root in CGROUPS) else "no control groups of version 2"
