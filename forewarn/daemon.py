"""The daemon: the parent process from its start to its end."""

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from alerts.alert import Alert
from alerts.engine import RuleStatus
from alerts.shipped import effective_rules
from api.app import create_app, create_metrics_app
from api.services import Services
from forecast.results import Forecast
from forewarn.base.clock import Clock, SystemClock
from forewarn.base.errors import ForewarnError
from forewarn.config import Config
from forewarn.control import ControlServer
from forewarn.datadir import DataDir
from forewarn.foundation import Foundation
from forewarn.memory import give_back, one_arena, settle
from forewarn.node import Node
from forewarn.requests import Requests
from forewarn.rooms import Rooms
from forewarn.serve import HttpServer, bind, url_of
from forewarn.status import Status
from forewarn.systemd import Notifier

log = logging.getLogger(__name__)

COMPACT_EVERY = 10.0
FIRST_FORECAST_AFTER = 15.0


class Daemon:
    """One daemon on one data directory, which the caller has locked.

    Args:
        config: what to do.
        data: where to keep it.
        node: the real node, or a simulated one.
        reload: reads the configuration again (SIGHUP).
        announce: told the address once the daemon serves.
        clock: the time.
        first_forecast_after: seconds from the start to the first forecast.
    """

    def __init__(
        self,
        config: Config,
        data: DataDir,
        node: Node,
        *,
        reload: Callable[[], Config],
        announce: Callable[[str], None],
        clock: Clock | None = None,
        first_forecast_after: float = FIRST_FORECAST_AFTER,
    ) -> None:
        self.config = config
        self.node = node
        self.hostname = config.alerts.hostname or socket.gethostname()
        self.clock = clock or SystemClock()
        self.url = ""
        self.rooms: Rooms
        self.base: Foundation
        self._first_forecast_after = first_forecast_after
        self._data = data
        self._reload = reload
        self._announce = announce
        self._notifier = Notifier()
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._servers: list[HttpServer] = []
        self._control: ControlServer
        self._stop = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._coming: Rooms | None = None

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the exit status."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._keep(self.reload()))
        listeners = self._bind()
        self.base = Foundation.open(self._data, self.config, self.clock)
        self.rooms = await Rooms.build(self.config, self.node, self.base, self.hostname)
        await self._serve(listeners)
        await self.rooms.start()
        await self.rooms.collect()
        self._schedule()
        self._notifier.ready(f"serving {self.url}")
        self._announce(self.url)
        settle()
        await self._stop.wait()
        return await self._end()

    async def reload(self) -> None:
        """Read the configuration again and build the rooms anew; a bad one changes nothing."""
        async with self._reloading:
            self._notifier.reloading()
            try:
                config = self._reload()
                effective_rules(config.alerts)
            except ForewarnError as error:
                self.base.config_good = False
                log.error("the configuration is wrong, the old one stays", extra={"error": str(error)})  # noqa: TRY400
            else:
                await self._change(config)
            self._notifier.ready(f"serving {self.url}")

    async def _change(self, config: Config) -> None:
        """The old rooms end before the new ones are built, so that no notification is sent by both.

        Until the new ones have collected, the API shows what the old ones had.
        """
        if (config.api, config.metrics) != (self.config.api, self.config.metrics):
            log.warning("[api] and [metrics] change at the next start only")
        self._scheduler.remove_all_jobs()
        await self.rooms.stop()
        self.config, self.base.config_good = config, True
        rooms = await Rooms.build(config, self.node, self.base, self.hostname)
        if self._stop.is_set():
            return
        self._coming = rooms
        await rooms.start()
        await rooms.collect()
        self.rooms, self._coming = rooms, None
        self._schedule_jobs()
        log.info("configuration read again")

    def _bind(self) -> list[tuple[socket.socket, bool]]:
        """Both sockets, before anything else is started: a taken port must cost nothing."""
        listeners = [(bind(self.config.api.address), True)]
        if self.config.metrics.address is not None:
            listeners.append((bind(self.config.metrics.address), False))
        return listeners

    async def _serve(self, listeners: list[tuple[socket.socket, bool]]) -> None:
        now = _Now(self)
        services = Services(
            metrics=now.page,
            store=self.base.store,
            book=now,
            alerts=now.alerts,
            rules=now.rules,
            status=Status(self).report,
            clock=self.clock,
            hostname=self.hostname,
            interval_seconds=self.config.collector.interval,
            settings=self.config.api,
            simulated=bool(self.node.labels),
        )
        self.url = url_of(listeners[0][0])
        for listener, whole in listeners:
            app = create_app(services) if whole else create_metrics_app(services)
            server = HttpServer(app, listener)
            await server.start()
            self._servers.append(server)
        self._control = ControlServer(self._data.control, Requests(self).handlers())
        await self._control.start()

    def _schedule(self) -> None:
        self._schedule_jobs()
        self._scheduler.start()

    def _schedule_jobs(self) -> None:
        """Coroutine jobs in UTC; a late one runs once, and none runs beside itself."""
        config, rooms = self.config, self.rooms
        self._every("collect", config.collector.interval, rooms.collect)
        self._every("compact", COMPACT_EVERY, self._compact)
        self._every("evaluate", config.alerts.evaluate_every, rooms.evaluate)
        if config.forecast.enabled:
            first = self._first_forecast_after if config.forecast.at_start else config.forecast.every
            self._every("forecast", config.forecast.every, rooms.forecast, first=first)
        if self._notifier.watchdog_seconds:
            self._every("watchdog", self._notifier.watchdog_seconds / 3, self._beat)

    def _every(
        self, name: str, seconds: float, job: Callable[[], Awaitable[None]], *, first: float | None = None
    ) -> None:
        self._scheduler.add_job(
            job,
            "interval",
            seconds=seconds,
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=max(1, int(seconds)),
            next_run_time=datetime.now(UTC) + timedelta(seconds=seconds if first is None else first),
        )

    async def _compact(self) -> None:
        await self.rooms.compact()
        give_back()  # a slice works on megabytes that it does not need afterwards

    async def _beat(self) -> None:
        self._notifier.beat()

    async def _end(self) -> int:
        log.info("ending")
        self._notifier.stopping()
        self._scheduler.pause()
        await self._control.close()
        rooms = [self.rooms, *([self._coming] if self._coming else [])]
        _, *ended = await asyncio.gather(self._close_servers(), *(each.stop() for each in rooms))
        clean = all(ended)
        self._scheduler.shutdown(wait=False)
        written = self.base.close()
        if not clean:
            log.error("a driver call or a child is stuck and was left behind", extra={"hint": "see the log above"})
        return 0 if clean and written else 1

    async def _close_servers(self) -> None:
        await asyncio.gather(*(server.stop() for server in self._servers))

    def _keep(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda done: done.exception())


class _Now:
    """What whichever rooms there are now have to show: the API outlives a reload, they do not."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def page(self) -> bytes:
        """The text of /metrics."""
        return self._daemon.rooms.page()

    def latest(self) -> list[Forecast]:
        """The newest forecast of every target and statistic."""
        return self._daemon.rooms.forecasts.latest()

    def alerts(self) -> Sequence[Alert]:
        """Pending, firing and lately resolved alerts."""
        return self._daemon.rooms.engine.alerts()

    def rules(self) -> Sequence[RuleStatus]:
        """The rules in force."""
        return self._daemon.rooms.engine.rules()


def run_daemon(
    config: Config,
    data: DataDir,
    node: Node,
    *,
    reload: Callable[[], Config],
    announce: Callable[[str], None],
) -> int:
    """Hold the data directory and run a daemon on it; the exit status.

    Raises:
        ForewarnError: another daemon holds the directory, the address is taken, a database is newer.
    """
    one_arena()
    with data:
        return asyncio.run(Daemon(config, data, node, reload=reload, announce=announce).run())
