"""A real Prometheus that scrapes one address every second."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from tests.support.ports import free_port

CONFIG = """\
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: forewarn
    static_configs: [{{targets: ["{target}"]}}]
"""


@dataclass(frozen=True)
class Prometheus:
    """Its address, and questions to it."""

    url: str

    def query(self, expression: str, **parameters: Any) -> dict[str, Any]:
        """The whole answer to an instant query."""
        return self._get("/api/v1/query", {"query": expression, **parameters})

    def values(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Values by labels."""
        result = self.query(expression)["data"]["result"]
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in result}

    def _get(self, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = urllib3.request(
            "GET", self.url + path, fields=fields, retries=False, timeout=60
        ).json()
        return answer


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """A Prometheus that has scraped ``target`` (host:port) at least twice."""
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
    port = free_port()
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            server = Prometheus(f"http://127.0.0.1:{port}")
            _wait(server, process, folder / "prometheus.log")
            yield server
        finally:
            process.terminate()
            process.wait(60)


def _wait(server: Prometheus, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if any(value >= 3 for value in server.values("count_over_time(up[1m]) * (up == 1)").values()):
                return
        except (urllib3.exceptions.HTTPError, ValueError, KeyError):
            pass
        time.sleep(0.2)
    raise AssertionError(f"Prometheus did not scrape: {log.read_text()[-2000:]}")
