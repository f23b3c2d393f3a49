"""Installation as a service: an environment of its own in /opt/forewarn, a system user, units, a configuration file.

What runs under systemd never points into a clone: the code is built into a wheel and installed.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata, resources
from pathlib import Path
from urllib.parse import unquote, urlsplit

from forewarn import __version__
from forewarn.base.errors import ForewarnError

PREFIX = Path("/opt/forewarn")
UNIT_DIR = Path("/etc/systemd/system")
CONFIG_FILE = Path("/etc/forewarn/forewarn.toml")
SYSUSERS_FILE = Path("/etc/sysusers.d/forewarn.conf")
ATTRIBUTION, CLOCK = "forewarn-attribution.conf", "forewarn-clock.conf"
"""Drop-ins of forewarn.service: each opens its sandbox for one thing."""

SYSTEM_PYTHON = Path("/usr/bin/python3")
OLDEST_PYTHON = (3, 11)
HIDDEN = tuple(Path(folder) for folder in ("/home", "/root", "/run/user", "/tmp", "/var/tmp"))  # noqa: S108  not used, named
"""What the units cannot see: ProtectHome and PrivateTmp hide it."""


class Installation:
    """One run of ``forewarn install-service``.

    Args:
        source: what pip installs; None for what is running now.
        worker: whether the bundled worker, and with it torch, is installed too.
        drop_ins: what the daemon may do beside; what was allowed before stays allowed.
        say: takes each step's line.
    """

    def __init__(
        self, source: str | None, *, worker: bool, drop_ins: Iterable[str] = (), say: Callable[[str], None]
    ) -> None:
        self._source = source or running_distribution()
        self._units = (
            "forewarn.service",
            "forewarn-logship.service",
            *(("forewarn-worker.service",) if worker else ()),
        )
        self._drop_ins = {name: f"forewarn.service.d/{name}" for name in drop_ins}
        self._extras = "forecast,logs,worker" if worker else "forecast,logs"
        self._say = say

    def install(self, *, start: bool) -> None:
        """Do all of it.

        Raises:
            ForewarnError: not root, or a step failed.
        """
        if os.geteuid() != 0:
            raise ForewarnError("a service is installed by root", hint="run it with sudo")
        os.umask(0o022)  # the service's user reads what is written here
        try:
            self._environment()
            self._files()
            self._user()
        except OSError as error:
            raise ForewarnError(
                f"cannot write {error.filename}: {error.strerror}",
                hint="nothing was started; mend it and repeat",
            ) from error
        self._systemd(start=start)

    def _environment(self) -> None:
        self._say(f"installing forewarn[{self._extras}] from {self._source} into {PREFIX}")
        python = PREFIX / "bin" / "python"
        if not python.exists():
            _run(str(interpreter()), "-m", "venv", "--clear", str(PREFIX))
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, "--upgrade", *self._requirement())
        if Path(self._source).is_file():  # pip takes a wheel of the version that is there for the same one
            _run(*pip, "--force-reinstall", "--no-deps", self._source)

    def _requirement(self) -> Iterator[str]:
        folder = Path(self._source)
        for lock in ("requirements.lock", "requirements-torch.lock"):
            if (folder / lock).is_file():  # a clone: the versions that were tested together
                yield from ("--constraint", str(_without_hashes(folder / lock)))
        if folder.exists():
            yield f"forewarn[{self._extras}] @ {folder.resolve().as_uri()}"
        else:
            name, _, version = self._source.partition("==")
            yield f"{name}[{self._extras}]{f'=={version}' if version else ''}"

    def _files(self) -> None:
        for name, place in {**{unit: unit for unit in self._units}, **self._drop_ins}.items():
            _write(UNIT_DIR / place, unit_text(name))
            self._say(f"wrote {UNIT_DIR / place}")
        _write(SYSUSERS_FILE, unit_text("forewarn.sysusers"))
        if CONFIG_FILE.exists():
            self._say(f"kept {CONFIG_FILE}")
        else:
            _write(CONFIG_FILE, unit_text("forewarn.toml"))
            self._say(f"wrote {CONFIG_FILE}")

    def _user(self) -> None:
        _run("systemd-sysusers", str(SYSUSERS_FILE))
        shutil.chown(CONFIG_FILE.parent, "root", "forewarn")
        shutil.chown(CONFIG_FILE, "root", "forewarn")
        CONFIG_FILE.parent.chmod(0o750)
        CONFIG_FILE.chmod(0o640)

    def _systemd(self, *, start: bool) -> None:
        running = Path("/run/systemd/system").is_dir()
        if not running:
            self._say("systemd does not run here: the units are in place and start with it")
        if not (running and start):
            return
        _run("systemctl", "daemon-reload")
        _run("systemctl", "enable", "--quiet", *self._units)
        _run("systemctl", "restart", *self._units)
        self._say("started; see 'systemctl status forewarn' and 'journalctl -u forewarn'")


def unit_text(name: str) -> str:
    """A file of deploy/systemd, which the wheel carries as forewarn/units."""
    packaged = resources.files("forewarn") / "units" / name
    source = Path(__file__).parent.parent / "deploy" / "systemd" / name
    return packaged.read_text() if packaged.is_file() else source.read_text()


def interpreter() -> Path:
    """The Python that the units run: the one that runs now, or the system's where the units could not see that one.

    Raises:
        ForewarnError: neither will do.
    """
    running = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}").resolve()
    if running.exists() and not any(running.is_relative_to(folder) for folder in HIDDEN):
        return running
    program = f"import sys, ensurepip; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    if SYSTEM_PYTHON.exists() and subprocess.run((SYSTEM_PYTHON, "-c", program), check=False).returncode == 0:
        return SYSTEM_PYTHON
    raise ForewarnError(
        f"{running} lies in a folder that the units cannot see, and {SYSTEM_PYTHON} will not do",
        hint="install the packages python3 (3.11 or later) and python3-venv",
    )


def running_distribution() -> str:
    """What pip would install to get what is running: the clone, the wheel's file, or the release."""
    origin = metadata.distribution("forewarn").read_text("direct_url.json")
    if origin:
        url = urlsplit(json.loads(origin)["url"])
        path = Path(unquote(url.path))
        if url.scheme == "file" and path.exists():
            return str(path)
    return f"forewarn=={__version__}"


def _without_hashes(lock: Path) -> Path:
    pins = [line.split("\\")[0] for line in lock.read_text().splitlines() if line[:1].isalnum()]
    target = PREFIX / lock.name.replace(".lock", ".constraints")
    target.write_text("\n".join(pins) + "\n")
    return target


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    with fresh.open() as handle:
        os.fsync(handle.fileno())
    fresh.replace(path)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        errors = [line for line in reason if line.startswith("ERROR: ")]
        raise ForewarnError(
            f"'{' '.join(command)}' failed: {errors[-1].removeprefix('ERROR: ') if errors else reason[0]}",
            hint="run that command to see all that it says",
        )
