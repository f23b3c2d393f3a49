"""What Forewarn's daemon costs at one round a second on eight fake GPUs, everything on, and how fast its page is."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from bench.measure import Cost, costs_over, rounded, timed_ms, together
from tests.support.daemon import RunningDaemon, running
from tests.support.nvml import FakeNvml

_CONFIG = """
[collector]
interval = 1
[collector.network]
targets = ["127.0.0.1:{port}"]
[metrics]
dcgm = true
"""
"""What is off by default and costs the parent is on; the worker is left out, as it is no part of the collector."""


@dataclass(frozen=True)
class Footprint:
    """The daemon's cost.

    Attributes:
        both: parent and nvml child together.
        parent: the parent alone.
        child: the nvml child alone.
        requests_ms: durations of requests for /metrics while rounds go on.
        series: samples on the page.
        page_kib: size of the page.
    """

    both: Cost
    parent: Cost
    child: Cost
    requests_ms: list[float]
    series: int
    page_kib: float

    def to_dict(self) -> dict[str, Any]:
        """For the file, the requests left out."""
        return {
            "both": rounded(self.both),
            "parent": rounded(self.parent),
            "nvml_child": rounded(self.child),
            "series": self.series,
            "page_kib": round(self.page_kib, 1),
        }


def measure(folder: Path, nvml: FakeNvml, *, settle: float, seconds: float, requests: int) -> Footprint:
    """Run the daemon, scrape it once a second, and look at its processes."""
    folder.mkdir(exist_ok=True)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=4096) as target,
        running(
            folder / "footprint", config=_CONFIG.format(port=target.getsockname()[1]), env=nvml.environ()
        ) as daemon,
    ):
        http = urllib3.PoolManager(maxsize=1)

        def scrape() -> bytes:
            return http.request("GET", f"{daemon.url}/metrics", timeout=5, retries=False).data

        pids = (daemon.process.pid, _nvml_child(daemon))
        costs_over(pids, settle, scrape)
        parent, child = costs_over(pids, seconds, scrape)
        durations = timed_ms(scrape, requests, pause=0.02)
        page = scrape()
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    return Footprint(together((parent, child)), parent, child, durations, series, len(page) / 1024)


def _nvml_child(daemon: RunningDaemon) -> int:
    found = daemon.wait_for(lambda: [one.pid for one in daemon.children() if "collector.nvml.child" in one.cmdline()])
    return int(found[0])
