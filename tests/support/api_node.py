"""A node behind the API: a real store, real forecasts, the real engine, served by a real uvicorn."""

import asyncio
import contextlib
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from alerts.engine import Engine
from alerts.settings import AlertsSettings
from api.app import create_app
from api.services import Services
from api.settings import ApiSettings
from collector.exposition import render
from collector.rounds import Collector
from collector.series import SeriesKey
from collector.store import Store, StoreSettings
from forecast.anomalies.events import Anomaly
from forecast.book import ForecastBook
from forecast.metrics import samples
from forecast.run import make_forecasts
from forecast.scorecard import Scorecard
from forecast.scorecard_metrics import samples as scorecard_samples
from forecast.settings import ForecastSettings
from forewarn.base.clock import DAY, Clock, SystemClock
from forewarn.base.sqlite import open_writer
from forewarn.demo import SimulatedSource
from forewarn.selfmetrics import SelfSource
from forewarn.simulate import Node, Simulated

HOSTNAME = "test-node"


class SomeOf(Node):
    """The simulated node without the series that a test leaves out."""

    def __init__(self, now_ms: int, keep: Callable[[SeriesKey], bool]) -> None:
        super().__init__(now_ms)
        self.series: tuple[Simulated, ...] = tuple(each for each in self.series if keep(each.key))


@dataclass
class ApiNode:
    """Rooms of a daemon, without the daemon.

    Attributes:
        page: the text of /metrics.
        paused: whether the rounds stand still while the node is served.
        card: how good the forecasts have been.
        unusual: anomalies, the newest first.
    """

    folder: Path
    node: Node
    clock: Clock = field(default_factory=SystemClock)
    settings: ApiSettings = field(default_factory=lambda: ApiSettings(allowed_hosts=("node.example",)))
    page: bytes = b""
    paused: bool = False
    card: Scorecard = field(default_factory=Scorecard)
    unusual: list[Anomaly] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store.open(self.folder / "metrics.db", StoreSettings(), self.clock)
        state = self.folder / "state.db"
        self._connection: sqlite3.Connection = open_writer(state)
        self.book = ForecastBook(self._connection, state)
        self.engine = Engine(
            AlertsSettings(hostname=HOSTNAME), self.store, self.book, self._connection, state, self.clock
        )
        told = [lambda: samples(self.book.latest(), self.clock.now_ms()), lambda: scorecard_samples(self.card)]
        own = SelfSource((), told)
        self.collector = Collector([SimulatedSource(self.node, self.clock), own], self.clock, 1.0)
        self.services = Services(
            metrics=lambda: self.page,
            store=self.store,
            book=self.book,
            alerts=self.engine.alerts,
            rules=self.engine.rules,
            status=lambda: {"version": "0", "uptime_seconds": 12.5, "collectors": []},
            clock=self.clock,
            hostname=HOSTNAME,
            interval_seconds=1.0,
            settings=self.settings,
            simulated=True,
            scorecard=lambda: self.card,
            anomalies=lambda: self.unusual,
        )

    def write_history(self, days: int) -> None:
        now_ms = self.clock.now_ms()
        for series, values in self.node.history()[1]:
            times = self.node.history()[0]
            recent = times >= now_ms - days * DAY
            self.store.append_history(series.key, times[recent], values[recent], counter=series.counter)

    def forecast(self, **settings: Any) -> None:
        self.book.store(make_forecasts(self.store, ForecastSettings(**settings), (), self.clock.now_ms()))

    async def round(self) -> None:
        scrape = await self.collector.round()
        self.store.append(scrape)
        self.page = render(scrape, HOSTNAME)
        self.engine.evaluate()

    def close(self) -> None:
        self.store.close()
        self._connection.close()


@contextlib.contextmanager
def served(node: ApiNode) -> Iterator[str]:
    """The node's page and API at an address, with a round a second."""
    app = create_app(node.services)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False))
    loop_ended = threading.Event()

    async def rounds() -> None:
        while not server.should_exit:
            if not node.paused:
                await node.round()
            await asyncio.sleep(1.0)

    async def both() -> None:
        await node.round()
        await asyncio.gather(server.serve(sockets=[listener]), rounds())

    def work() -> None:
        try:
            asyncio.run(both())
        finally:
            loop_ended.set()

    thread = threading.Thread(target=work, name="api-node")
    thread.start()
    try:
        host, port = listener.getsockname()
        while not server.started and not loop_ended.is_set():
            loop_ended.wait(0.02)
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()
