"""The shippers: how each is told to follow a file and to send bulk requests to an address."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.measure import cpu_seconds, memory_mib
from tests.support.logship import shipping

UNPACKED = Path(__file__).parents[1] / ".peers"
"""Where bench/install-peers unpacks Debian's packages, for two of them cannot be installed together."""
_LIBRARIES = UNPACKED / "usr/lib/x86_64-linux-gnu"
_END_SECONDS = 20.0
_STREAM = "logs-bench-default"


@dataclass(frozen=True)
class Running:
    """A shipper at work.

    Attributes:
        pid: its process.
        alive: whether it runs.
        output: the file that it complains to.
    """

    pid: int
    alive: Callable[[], bool]
    output: Path

    def cpu_seconds(self) -> float:
        """Processor time since its start."""
        return cpu_seconds(self.pid)

    def memory_mib(self) -> dict[str, float]:
        """Pss, Rss and VmHWM."""
        return memory_mib(self.pid)


@dataclass(frozen=True)
class Peer:
    """A shipper of others.

    Attributes:
        name: for tables.
        note: what it leaves out of what Forewarn does.
        program: its name.
        flags: by folder, configuration file.
        config: by file to follow, port, folder.
        environment: variables besides this process's.
    """

    name: str
    note: str
    program: str
    flags: Callable[[Path, Path], list[str]]
    config: Callable[[Path, int, Path], str]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str | None:
        """Where it lies; None where it is not installed."""
        unpacked = UNPACKED / "usr/sbin" / self.program
        return shutil.which(self.program) or (str(unpacked) if unpacked.exists() else None)

    @property
    def version(self) -> str:
        """As it says itself."""
        assert self.command is not None
        done = subprocess.run(
            [self.command, "--version" if self.program != "rsyslogd" else "-v"],
            capture_output=True,
            text=True,
            env={**os.environ, **self.environment},
            check=False,
        )
        return done.stdout.partition("\n")[0].strip()

    @contextlib.contextmanager
    def running(self, file: Path, port: int, folder: Path) -> Iterator[Running]:
        """It follows a file and sends to a port of the loopback address."""
        assert self.command is not None
        folder.mkdir()
        config = folder / "conf"
        config.write_text(self.config(file, port, folder))
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [self.command, *self.flags(folder, config)],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
            )
            try:
                yield Running(process.pid, lambda: process.poll() is None, folder / "output")
            finally:
                process.terminate()
                try:
                    process.wait(_END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextlib.contextmanager
def forewarn(file: Path, url: str, folder: Path, **settings: Any) -> Iterator[Running]:
    """Forewarn's shipper, as the daemon starts it, with its defaults."""
    told = {"url": [url], "dataset": "bench", "file": [{"path": str(file), "timezone": "UTC"}]}
    told |= {"anomalies": {}, **settings}
    with shipping(told, folder) as child:
        yield Running(child.process.pid, lambda: child.process.poll() is None, child.stderr)


def _rsyslog(file: Path, port: int, folder: Path) -> str:
    return f"""
global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omelasticsearch")
template(name="document" type="list") {{
  constant(value="{{\\"@timestamp\\":\\"") property(name="timereported" dateFormat="rfc3339")
  constant(value="\\",\\"message\\":\\"") property(name="msg" format="json")
  constant(value="\\",\\"log\\":{{\\"file\\":{{\\"path\\":\\"") property(name="$!metadata!filename" format="json")
  constant(value="\\"}}}},\\"host\\":{{\\"name\\":\\"") property(name="hostname")
  constant(value="\\"}},\\"event\\":{{\\"dataset\\":\\"bench\\"}}}}")
}}
input(type="imfile" file="{file}" tag="bench" addMetadata="on" reopenOnTruncate="on" ruleset="out")
ruleset(name="out") {{
  action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" template="document"
    searchIndex="{_STREAM}" searchType="" bulkmode="on" maxbytes="20m" action.resumeRetryCount="-1"
    queue.type="linkedList" queue.size="100000" queue.dequeueBatchSize="10000" queue.workerThreads="2"
    queue.workerThreadMinimumMessages="10000")
}}
"""


def _syslog_ng(file: Path, port: int, folder: Path) -> str:
    assert folder.is_dir()
    return f"""@version: 3.38
options {{ stats-freq(0); keep-timestamp(yes); use-dns(no); }};
source s {{ file("{file}" follow-freq(1) flags(no-parse) log-iw-size(200000) log-fetch-limit(10000)); }};
destination d {{ http(
  url("http://127.0.0.1:{port}/_bulk") method("POST") workers(2)
  batch-lines(10000) batch-bytes(8192Kb) batch-timeout(1000) time-reopen(1)
  headers("Content-Type: application/x-ndjson") delimiter("\\n") body-suffix("\\n")
  body('{{"create":{{"_index":"{_STREAM}"}}}}
$(format-json --pair @timestamp=$ISODATE --pair message=$MESSAGE --pair log.file.path=$FILE_NAME
  --pair host.name=$HOST --pair event.dataset=bench)')
); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""


def _fluent_bit(file: Path, port: int, folder: Path) -> str:
    return f"""
[SERVICE]
    flush 0.2
    storage.path {folder}
    storage.max_chunks_up 256
[INPUT]
    name tail
    path {file}
    read_from_head on
    path_key log.file.path
    storage.type filesystem
    threaded on
    db {folder}/positions.db
[OUTPUT]
    name es
    match *
    host 127.0.0.1
    port {port}
    index {_STREAM}
    write_operation create
    suppress_type_name on
    workers 2
    compress gzip
"""


def _control() -> str:
    """A socket's path that is short enough for a socket, whatever the folder is called."""
    return f"/tmp/forewarn-bench-{os.getpid()}-{socket.gethostname()[:8]}.ctl"


PEERS = (
    Peer(
        "rsyslog",
        "no gzip, no ids, no offsets, no templates",
        "rsyslogd",
        lambda folder, config: [
            *("-n", "-f", str(config), "-i", str(folder / "pid")),
            *(["-M", str(_LIBRARIES / "rsyslog")] if UNPACKED.exists() else []),
        ],
        _rsyslog,
        {"LD_LIBRARY_PATH": str(_LIBRARIES)},
    ),
    Peer(
        "syslog-ng",
        "no gzip, no ids, no offsets, no templates",
        "syslog-ng",
        lambda folder, config: [
            *("-F", "-f", str(config), "--no-caps", "-R", str(folder / "persist"), "-p", str(folder / "pid")),
            *("-c", _control()),
            *(["--module-path", str(UNPACKED / "usr/lib/syslog-ng/3.38")] if UNPACKED.exists() else []),
        ],
        _syslog_ng,
        {"LD_LIBRARY_PATH": f"{_LIBRARIES}:{UNPACKED / 'usr/lib/syslog-ng'}:{UNPACKED / 'lib/x86_64-linux-gnu'}"},
    ),
    Peer(
        "Fluent Bit",
        "gzip, files as buffer; no ids of places, no offsets, no templates",
        "fluent-bit",
        lambda _, config: ["-q", "-c", str(config)],
        _fluent_bit,
    ),
)
