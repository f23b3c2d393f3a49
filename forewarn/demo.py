"""forewarn demo: the daemon on a simulated node, with four weeks of history and a receiver of its own."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from alerts.settings import AlertsSettings, ReceiverSettings
from api.settings import ApiSettings
from collector.rounds import Collector
from collector.series import Sample
from collector.store import Store
from forewarn.base.clock import Clock, SystemClock
from forewarn.base.errors import UsageError
from forewarn.config import Config
from forewarn.daemon import Daemon
from forewarn.datadir import DataDir
from forewarn.foundation import Foundation
from forewarn.node import Furniture
from forewarn.serve import bind
from forewarn.simulate import SIMULATED, Node
from worker.settings import WorkerSettings

Progress = Callable[[int, int], None]
ProgressBar = Callable[[str], AbstractContextManager[Progress]]
Say = Callable[[str], None]

HOSTNAME = "simulated-node"
MARKER = "simulated"
"""A file that marks a data directory as a demo's: no other one is ever touched."""


class SimulatedSource:
    """The simulated node's samples."""

    name = "simulation"

    def __init__(self, node: Node, clock: Clock) -> None:
        self._node = node
        self._clock = clock

    async def collect(self) -> Sequence[Sample]:
        """What the node shows now."""
        return self._node.samples(self._clock.now_ms())

    async def close(self) -> None:
        """Nothing to let go of."""


class SimulatedNode:
    """A node without children or devices, whose every series says that it is simulated."""

    labels = SIMULATED

    def __init__(self, node: Node) -> None:
        self._node = node

    def furnish(self, config: Config, base: Foundation, collector: Collector) -> Furniture:  # noqa: ARG002
        """Add the simulation to the collector."""
        collector.add(SimulatedSource(self._node, base.clock))
        return Furniture()


def write_history(store: Store, node: Node, progress: Progress) -> None:
    """Four weeks of every simulated series."""
    times, series = node.history()
    total = len(node.series)
    for done, (each, values) in enumerate(series, 1):
        store.append_history(each.key, times, values, counter=each.counter)
        progress(done, total)


def run_demo(*, listen: str | None, directory: Path | None, seed: int, progress: ProgressBar, say: Say) -> int:
    """Write the history, run the daemon until it is told to end, clean up; the exit status."""
    clock = SystemClock()
    with _data_dir(directory) as data, data, _receiver(say) as receiver:
        node = Node(clock.now_ms(), seed)
        config = _config(listen, receiver)
        bind(config.api.address).close()  # a taken port must be known before seconds of writing
        store = Store.open(data.metrics, config.store, clock)
        with progress("writing four weeks of a simulated node") as bar:
            write_history(store, node, bar)
        store.close()
        say("The first forecasts take about half a minute; then watch the page. Ctrl-C ends the demo.")
        daemon = Daemon(
            config,
            data,
            SimulatedNode(node),
            reload=lambda: config,
            announce=lambda url: say(f"A simulated node is at {url} (metrics: {url}/metrics)"),
            first_forecast_after=1.0,
        )
        return asyncio.run(daemon.run())


class DemoConfig(Config):
    """A configuration in which neither a file nor the environment has a say."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the demo says, and nothing else."""
        return (init_settings,)


def _config(listen: str | None, receiver: str) -> Config:
    return DemoConfig(
        log_level="ERROR",
        api=ApiSettings(listen=listen) if listen else ApiSettings(),
        alerts=AlertsSettings(receiver=(ReceiverSettings(name="demo", url=SecretStr(receiver)),), hostname=HOSTNAME),
        worker=WorkerSettings(enabled=False),
    )


@contextmanager
def _data_dir(given: Path | None) -> Iterator[DataDir]:
    """A directory of the demo's own: a temporary one that is removed at the end, or the given one, which stays."""
    if given is None:
        folder = Path(tempfile.mkdtemp(prefix="forewarn-demo-"))
        try:
            yield DataDir(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    if given.exists() and any(given.iterdir()) and not (given / MARKER).exists():
        raise UsageError(f"{given} holds something that is no demo", hint="give the demo an empty directory")
    data = DataDir(given)
    data.create()
    (given / MARKER).touch()
    yield data


@contextmanager
def _receiver(say: Say) -> Iterator[str]:
    """A webhook receiver on loopback that says what on-call would have been told; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload: dict[str, Any] = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            for alert in payload["alerts"]:
                say(f"[{alert['status'].upper()}] {alert['labels']['severity']}: {alert['annotations']['summary']}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, name="demo receiver", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
