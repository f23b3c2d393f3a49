"""VictoriaMetrics: loaded through its import API, flushed and merged; what its data directory takes."""

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import urllib3

from bench.measure import folder_bytes
from bench.peers.servers import PeerError, running
from bench.workload import Column

VERSION = ["victoria-metrics", "-version"]
_SAMPLES_A_REQUEST = 500_000
_QUIET_SECONDS = 3.0
_MERGE_SECONDS = 120.0


def stored_bytes(columns: Sequence[Column], folder: Path) -> int:
    """Bytes of the data directory that holds these series, after it has merged everything and ended.

    Raises:
        PeerError: it is not installed, does not serve, or refuses the series.
    """
    if shutil.which(VERSION[0]) is None:
        raise PeerError("VictoriaMetrics is not installed", hint="run bench/install-peers")
    data = folder / "victoria-metrics"

    def command(port: int) -> Sequence[str]:
        address = f"-httpListenAddr=127.0.0.1:{port}"
        return ("victoria-metrics", f"-storageDataPath={data}", address, "-retentionPeriod=100y")

    http = urllib3.PoolManager(maxsize=1, timeout=120.0, retries=False)
    with running(command, "/health", folder / "victoria-metrics.log") as (_, url):
        for body in _requests(columns):
            _ask(http, "POST", f"{url}/api/v1/import", body)
        _ask(http, "GET", f"{url}/internal/force_flush")
        _ask(http, "GET", f"{url}/internal/force_merge")
        _wait_until_quiet(data)
    return folder_bytes(data)


def _requests(columns: Sequence[Column]) -> Iterator[bytes]:
    """The lines of the import API (docs.victoriametrics.com, "How to import data in JSON line format")."""
    lines: list[bytes] = []
    waiting = 0
    for column in columns:
        metric = {"__name__": column.key.name, **dict(column.key.labels)}
        row = {"metric": metric, "values": column.values, "timestamps": column.times}
        lines.append(orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY))
        waiting += len(column.times)
        if waiting >= _SAMPLES_A_REQUEST:
            yield b"\n".join(lines)
            lines, waiting = [], 0
    if lines:
        yield b"\n".join(lines)


def _ask(http: urllib3.PoolManager, method: str, url: str, body: bytes | None = None) -> None:
    answer = http.request(method, url, body=body)
    if answer.status >= 300:
        raise PeerError(f"VictoriaMetrics answers {answer.status} to {url}", hint=answer.data.decode()[:300])


def _wait_until_quiet(data: Path) -> None:
    """Wait until nothing in the directory has changed for some seconds: the merge is done."""
    deadline = time.monotonic() + _MERGE_SECONDS
    size, since = folder_bytes(data), time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < _QUIET_SECONDS:
        time.sleep(0.5)
        if (now := folder_bytes(data)) != size:
            size, since = now, time.monotonic()
