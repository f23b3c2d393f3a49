"""A systemd-journald of its own: it runs alone in a mount name space, with folders that the test sees. Needs root."""

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

DAEMON = "/lib/systemd/systemd-journald"
_START = """
set -e
mount --make-rprivate /
mount --bind "$1/run" /run
mount --bind "$1/log" /var/log/journal
mount --bind "$1/journald.conf" /etc/systemd/journald.conf
exec /lib/systemd/systemd-journald
"""
_CONF = """[Journal]
Storage={storage}
RateLimitBurst=0
ReadKMsg=no
Audit=no
ForwardToSyslog=no
SyncIntervalSec=1s
SystemMaxUse={most}
SystemMaxFileSize={size}
SystemMaxFiles={files}
SystemKeepFree=1K
RuntimeMaxUse={most}
RuntimeMaxFileSize={size}
RuntimeMaxFiles={files}
RuntimeKeepFree=1K
MaxRetentionSec=0
SplitMode=uid
"""


class Journald:
    """One journald; it may be started, killed and started again.

    Args:
        folder: takes its files; made anew.
        storage: persistent or volatile.
        size: of one journal file.
        most: of all of them.
        files: how many are kept.
    """

    def __init__(
        self, folder: Path, *, storage: str = "persistent", size: str = "64M", most: str = "2G", files: int = 100
    ) -> None:
        self.folder = folder
        folder.mkdir()
        self._run = Path(
            tempfile.mkdtemp(prefix="jd", dir="/dev/shm")
        )  # journald removes volatile files in memory only
        (folder / "run").symlink_to(self._run)
        (self._run / "systemd/journal").mkdir(parents=True)
        (folder / "log").mkdir()
        self.configure(storage=storage, size=size, most=most, files=files)
        self.machine_id = Path("/etc/machine-id").read_text().strip()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)

    def configure(self, *, storage: str, size: str = "64M", most: str = "2G", files: int = 100) -> None:
        """What the next start reads."""
        text = _CONF.format(storage=storage, size=size, most=most, files=files)
        (self.folder / "journald.conf").write_text(text)

    @property
    def lasting(self) -> Path:
        """/var/log/journal as it sees it."""
        return self.folder / "log"

    @property
    def volatile(self) -> Path:
        """/run/log/journal."""
        return self.folder / "run/log/journal"

    @property
    def files(self) -> list[Path]:
        """All journal files."""
        found = [*self.lasting.glob("*/*.journal*"), *self.volatile.glob("*/*.journal*")]
        return sorted(path for path in found if path.is_file())

    @contextlib.contextmanager
    def running(self, **environ: str) -> Iterator["Journald"]:
        """Run it."""
        self.start(**environ)
        try:
            yield self
        finally:
            self.stop()

    def start(self, **environ: str) -> None:
        """Start it and wait until it takes entries."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        with (self.folder / "journald.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", _START, "sh", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **environ},
            )
        deadline = time.monotonic() + 60
        while not self._path.exists() or not self.files:
            assert self._process.poll() is None, (self.folder / "journald.log").read_text()
            assert time.monotonic() < deadline, "journald does not come up"
            time.sleep(0.01)

    def stop(self, *, kill: bool = False) -> None:
        """End it, in order or as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self._process.wait(60)
            self._process = None

    def send(self, message: str | bytes, **fields: str | bytes | int) -> None:
        """One entry by the native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/."""
        self.send_fields([("MESSAGE", message), *fields.items()])

    def send_fields(self, fields: list[tuple[str, str | bytes | int]]) -> None:
        """One entry; a field may occur more than once."""
        datagram = b"".join(_field(name, value) for name, value in fields)
        if len(datagram) > 100_000:  # too large for a datagram: in a file that is handed over
            descriptor = os.memfd_create("entry", os.MFD_ALLOW_SEALING)
            try:
                os.write(descriptor, datagram)
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0xF)  # seal, shrink, grow, write
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))]
                self._socket.sendmsg([], rights, 0, str(self._path))
            finally:
                os.close(descriptor)
            return
        self._socket.sendto(datagram, str(self._path))

    def stdout(self, identifier: str, *, priority: int = 6) -> socket.socket:
        """A stream as a service has it for its standard output: write lines to it."""
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.connect(str(self.folder / "run/systemd/journal/stdout"))
        stream.sendall(f"{identifier}\n\n{priority}\n0\n0\n0\n0\n".encode())
        return stream

    def sync(self) -> None:
        """Wait until everything that was sent is in the files."""
        self._varlink("Synchronize")

    def rotate(self) -> None:
        """Begin new files."""
        self._varlink("Rotate")

    def flush(self) -> None:
        """Move the volatile journal to the lasting one."""
        self._varlink("FlushToVar")

    def close(self) -> None:
        """Let go of its socket."""
        self._socket.close()
        shutil.rmtree(self._run)

    def _varlink(self, method: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(60)
            line.connect(str(self.folder / "run/systemd/journal/io.systemd.journal"))
            line.sendall(b'{"method":"io.systemd.Journal.%s","parameters":{}}\0' % method.encode())
            answer = line.recv(4096)
            assert b'"error"' not in answer, answer

    def journalctl(self, *arguments: str) -> bytes:
        """What journalctl says of its files."""
        folders = [folder for folder in (self.lasting, self.volatile) if any(folder.glob("*/*.journal*"))]
        command = ["journalctl", "--no-pager", "--quiet", "--merge", "--all"]
        command += [f"--file={path}" for folder in folders for path in folder.glob("*/*.journal*")]
        return subprocess.run([*command, *arguments], capture_output=True, check=True, timeout=120).stdout

    def vacuum(self, *arguments: str) -> None:
        """Remove archived files of the lasting journal."""
        for folder in self.lasting.iterdir():
            subprocess.run(["journalctl", "-D", str(folder), *arguments], capture_output=True, check=True, timeout=60)

    @property
    def _path(self) -> Path:
        return self.folder / "run/systemd/journal/socket"


def _field(name: str, value: str | bytes | int) -> bytes:
    data = value if isinstance(value, bytes) else str(value).encode()
    if b"\n" in data:
        return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return name.encode() + b"=" + data + b"\n"


def refusal() -> str:
    """Why there can be no journald of its own here; empty where there can."""
    if os.geteuid() != 0:
        return "needs root"
    if not Path(DAEMON).exists() or shutil.which("unshare") is None or shutil.which("journalctl") is None:
        return "needs systemd-journald, journalctl and unshare"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"no name spaces here: {done.stderr.strip()}"


def entries(export: bytes) -> list[dict[str, list[bytes]]]:
    """The entries of journalctl's export format: https://systemd.io/JOURNAL_EXPORT_FORMATS/."""
    found: list[dict[str, list[bytes]]] = []
    fields: dict[str, list[bytes]] = {}
    at = 0
    while at < len(export):
        end = export.index(b"\n", at)
        line = export[at:end]
        at = end + 1
        if not line:
            found.append(fields)
            fields = {}
            continue
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(export[at : at + 8], "little")
            value = export[at + 8 : at + 8 + size]
            at += 8 + size + 1
        fields.setdefault(name.decode(), []).append(value)
    return [*found, fields] if fields else found


def cursor(entry: Mapping[str, list[bytes]]) -> dict[str, str]:
    """The parts of an entry's cursor."""
    return dict(part.split("=", 1) for part in entry["__CURSOR"][0].decode().split(";"))
