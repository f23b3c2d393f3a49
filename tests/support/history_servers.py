"""Real servers that hold history: a Prometheus made of blocks, a VictoriaMetrics that was sent the same lines."""

import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import urllib3

from collector.series import SeriesKey, labels_of
from tests.support.ports import free_port

Recorded = dict[SeriesKey, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]
"""Times in milliseconds and values of each series."""


class HistoryServer(ABC):
    """One server on one port and one folder; it can be ended and started again.

    Attributes:
        flags: further ones to start it with.
    """

    flags: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def fill(self, recorded: Recorded) -> None: ...

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 120
        while time.monotonic() < end and self._process.poll() is None:
            try:
                answer = urllib3.request("GET", f"{self.url}/api/v1/query?query=1", retries=False, timeout=10)
                if answer.status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None


class FilledPrometheus(HistoryServer):
    """Prometheus 2.42, filled by promtool before it starts."""

    def command(self) -> list[str]:
        (self.folder / "prometheus.yml").write_text("")
        return [
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'tsdb'}",
            "--storage.tsdb.retention.time=2y",
            f"--web.listen-address=127.0.0.1:{self.port}",
            *self.flags,
        ]

    def fill(self, recorded: Recorded) -> None:
        text = self.folder / "history.om"
        with text.open("w") as file:
            for line in _lines(recorded, 1000):
                file.write(line)
            file.write("# EOF\n")
        command = ["promtool", "tsdb", "create-blocks-from", "--quiet", "openmetrics", text, self.folder / "tsdb"]
        subprocess.run(command, check=True, capture_output=True)
        text.unlink()


class FilledVictoria(HistoryServer):
    """VictoriaMetrics 1.79.5, filled over HTTP."""

    def command(self) -> list[str]:
        return [
            "victoria-metrics",
            f"-storageDataPath={self.folder / 'data'}",
            "-retentionPeriod=2y",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            *self.flags,
        ]

    def fill(self, recorded: Recorded) -> None:
        self.start()
        body = "".join(_lines(recorded, 1)).encode()
        answer = urllib3.request("POST", f"{self.url}/api/v1/import/prometheus", body=body, timeout=60)
        assert answer.status == 204, answer.data
        urllib3.request("GET", f"{self.url}/internal/force_flush", timeout=60)
        self.stop()


SERVERS = {"prometheus": FilledPrometheus, "victoria-metrics": FilledVictoria}


@contextmanager
def history_server(kind: str, folder: Path, recorded: Recorded) -> Iterator[HistoryServer]:
    """A running server with this history."""
    server = SERVERS[kind](folder)
    server.fill(recorded)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def series(name: str, labels: Mapping[str, str]) -> SeriesKey:
    return SeriesKey(name, labels_of(labels))


def _lines(recorded: Recorded, divisor: int) -> Iterable[str]:
    for key, (times, values) in sorted(recorded.items()):
        stamps = times / divisor if divisor > 1 else times
        head = str(key)
        for stamp, value in zip(stamps.tolist(), values.tolist(), strict=True):
            yield f"{head} {value!r} {stamp!r}\n"
