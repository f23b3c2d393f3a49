"""Real receivers of remote write: VictoriaMetrics and Prometheus, which can be ended and started again."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import urllib3
from urllib3.exceptions import HTTPError

from collector.series import SeriesKey, labels_of
from tests.support.ports import free_port

Found = dict[SeriesKey, dict[int, float]]
"""Value by time in milliseconds, by series."""


class Receiver:
    """One server on one port and one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)

    @property
    def url(self) -> str:
        """Where to write to."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """How it is started."""
        raise NotImplementedError

    def samples(self) -> Found:
        """Every sample that it holds."""
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 120
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if urllib3.request("GET", f"{self.base}/-/ready", retries=False, timeout=10).status == 200:
                    return
            except HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def end(self, signum: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(signum)
            self._process.wait(60)
            self._process = None

    def get(self, path: str, **fields: str) -> bytes:
        answer = urllib3.request("GET", f"{self.base}{path}", fields=fields, retries=False, timeout=60)
        assert answer.status == 200, answer.data
        return answer.data


class VictoriaMetrics(Receiver):
    """What it is sent lies in memory for a second or so: it is ended in good order."""

    rounding = 1e-11
    """It keeps twelve decimal digits, not every bit."""

    @property
    def url(self) -> str:
        return f"{self.base}/api/v1/write"

    def command(self) -> list[str]:
        return [
            "victoria-metrics",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            f"-storageDataPath={self.folder / 'data'}",
            "-retentionPeriod=100y",
            "-memory.allowedPercent=5",
            "-search.latencyOffset=0s",
        ]

    def samples(self) -> Found:
        lines = self.get("/api/v1/export", **{"match[]": '{__name__!=""}'}).splitlines()
        found: Found = {}
        for line in map(orjson.loads, lines):
            pairs = zip(line["timestamps"], map(float, line["values"]), strict=True)
            found.setdefault(_key(line["metric"]), {}).update(pairs)
        return found


class Prometheus(Receiver):
    rounding = 0.0
    config = "global: {}\n"

    @property
    def url(self) -> str:
        return f"{self.base}/api/v1/write"

    def command(self) -> list[str]:
        (self.folder / "prometheus.yml").write_text(self.config)
        return [
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-remote-write-receiver",
        ]

    def samples(self) -> Found:
        found: Found = {}
        names = orjson.loads(self.get("/api/v1/label/__name__/values"))["data"]
        for name in names:
            query = f'{{__name__="{name}"}}[2d]'
            answer = orjson.loads(self.get("/api/v1/query", query=query, time=str(time.time() + 60)))
            for one in answer["data"]["result"]:
                found[_key(one["metric"])] = {round(when * 1000): float(value) for when, value in one["values"]}
        return found


class PatientPrometheus(Prometheus):
    """As docs/remote-write.md wants it."""

    config = "global: {}\nstorage: {tsdb: {out_of_order_time_window: 7d}}\n"


def _key(metric: dict[str, Any]) -> SeriesKey:
    return SeriesKey(metric.pop("__name__"), labels_of(metric))


@contextmanager
def started(kind: type[Receiver], folder: Path) -> Iterator[Any]:
    """A running receiver, ended at the end."""
    receiver = kind(folder)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.end(signal.SIGKILL)
