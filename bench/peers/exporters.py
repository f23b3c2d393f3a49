"""nvitop-exporter on the fake NVML and node_exporter, scraped once a second."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import urllib3

from bench.measure import Cost, costs_over
from bench.peers.servers import PeerError, running

_NVITOP = Path(__file__).parents[1] / ".venv" / "bin" / "nvitop-exporter"


@dataclass(frozen=True)
class Exporter:
    """An exporter: its name, how it is started on a port, and how its version is told."""

    name: str
    command: Callable[[int], Sequence[str]]
    version: list[str]


NVITOP = Exporter(
    "nvitop-exporter",
    lambda port: (str(_NVITOP), "--bind-address", "127.0.0.1", "--port", str(port), "--interval", "1.0"),
    [str(_NVITOP), "--version"],
)
NODE = Exporter(
    "node_exporter",
    lambda port: ("prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}"),
    ["prometheus-node-exporter", "--version"],
)


def measure(exporter: Exporter, folder: Path, env: Mapping[str, str], *, settle: float, seconds: float) -> Cost:
    """What an exporter costs that is scraped once a second.

    Raises:
        PeerError: it is not installed, or does not serve.
    """
    if shutil.which(exporter.version[0]) is None:
        raise PeerError(f"{exporter.name} is not installed", hint="run bench/install-peers")
    http = urllib3.PoolManager(maxsize=1)
    with running(exporter.command, "/metrics", folder / f"{exporter.name}.log", env) as (pid, url):

        def scrape() -> None:
            http.request("GET", f"{url}/metrics", timeout=5, retries=False)

        costs_over([pid], settle, scrape)
        (cost,) = costs_over([pid], seconds, scrape)
    return cost
