"""The daemon: the parent process from its start to its end."""

import asyncio
import contextlib
import functools
import logging
import math
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from alerts.alert import Alert
from alerts.engine import RuleStatus
from alerts.shipped import effective_rules
from api.app import create_app, create_metrics_app
from api.services import Services
from forecast.anomalies.events import Anomaly
from forecast.results import Forecast
from forecast.scorecard import Scorecard
from forewarn.base.clock import Clock, SystemClock
from forewarn.base.errors import ForewarnError
from forewarn.base.lane import Lane
from forewarn.base.logs import keep_logs
from forewarn.base.memory import give_back, settle, stay_small
from forewarn.children import Children
from forewarn.config import Config
from forewarn.control import ControlServer
from forewarn.datadir import DataDir
from forewarn.foundation import Foundation
from forewarn.gpus import GpuDesk
from forewarn.limit import TimeLimit
from forewarn.logsearch import LogSearch
from forewarn.node import Node, Takes
from forewarn.pace import Pace, follow_clock
from forewarn.plans import Plans
from forewarn.requests import Requests
from forewarn.rooms import Rooms
from forewarn.serve import HttpServer, bind, url_of
from forewarn.status import Status
from forewarn.systemd import Notifier
from logship.anomalies import reading
from logship.own import folder_for

log = logging.getLogger(__name__)

COMPACT_EVERY = 10.0
FIRST_FORECAST_AFTER = 15.0
AFTER_ROUND = 1.0
"""Rules that are as frequent as rounds are evaluated so long after one: they see what it found, not the one before."""
JUDGE_EVERY = 300.0
FIRST_JUDGED_AFTER = 60.0
ROUNDS_MISSED_SECONDS = 60.0
WATCHDOG, FORECAST = "watchdog", "forecast"


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
        self._children = Children(self.clock)
        self._stop = asyncio.Event()
        self._busy = asyncio.Lock()
        self._coming: Rooms | None = None
        self._reloads: set[asyncio.Task[None]] = set()
        self._ending = contextlib.AsyncExitStack()
        self._limit = TimeLimit()
        self._clean = True

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT, which are heard from the first moment on; the exit status.

        Raises:
            ForewarnError: it could not start.
        """
        self._listen_to_signals()
        starting = asyncio.create_task(self._start(), name="start")
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await starting
                await stopped
        finally:
            stopped.cancel()
            await self._end()
        return 0 if self._clean else 1

    async def reload(self) -> None:
        """Read the configuration again and build the rooms anew; a bad one changes nothing."""
        async with self._busy:
            self._notifier.reloading()
            try:
                await self._read_again()
            except Exception:  # half of the rooms may be gone: better started anew than doing nothing
                log.exception("the daemon cannot go on after the reload, it ends")
                self._fail()
            self._notifier.ready(f"serving {self.url}")

    async def _read_again(self) -> None:
        try:
            config = self._reload()
            effective_rules(config.alerts)
        except ForewarnError as error:
            self.base.config_good = False
            log.error("the configuration is wrong, the old one stays", extra={"error": str(error)})  # noqa: TRY400
        else:
            await self._change(config)

    async def _change(self, config: Config) -> None:
        """The old rooms end before the new ones are built, so that no notification is sent by both.

        Children for which nothing changes go on, and the new rooms take them over.
        Until the new ones have collected, the API shows what the old ones had.
        """
        if (config.api, config.metrics) != (self.config.api, self.config.metrics):
            log.warning("[api] and [metrics] change at the next start only")
        for job in self._scheduler.get_jobs():
            if job.id != WATCHDOG:
                job.remove()
        await self.rooms.stop(reload=True)
        self.config, self.base.config_good = config, True
        card = self.rooms.forecasts.scorecard
        self._coming = rooms = await Rooms.build(config, self.node, self.base, self.hostname, self._children, card=card)
        await rooms.start()
        await rooms.collect()
        self.rooms, self._coming = rooms, None
        self._schedule_jobs()
        log.info("configuration read again")

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._ask_to_end)
        loop.add_signal_handler(signal.SIGHUP, self._ask_to_reload)

    def _ask_to_end(self) -> None:
        self._limit.start()
        self._stop.set()

    def _fail(self) -> None:
        """End with status 1: who started the daemon starts it anew."""
        self._clean = False
        self._ask_to_end()

    def _ask_to_reload(self) -> None:
        task = asyncio.get_running_loop().create_task(self.reload(), name="reload")
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _start(self) -> None:
        async with self._busy:
            listeners = self._bind()
            # A disk that does not answer must not keep the signals away.
            opening = Lane("opening the databases")
            self.base = await opening.call(Foundation.open, self._data, self.config, self.clock, deadline=math.inf)
            opening.close()
            self._ending.callback(self._close_base)
            self.rooms = await Rooms.build(self.config, self.node, self.base, self.hostname, self._children)
            self._ending.push_async_callback(self._stop_rooms)
            await self._serve(listeners)
            await self.rooms.start()
            await self.rooms.collect()
            self._schedule()
            self._notifier.ready(f"serving {self.url}")
            self._announce(self.url)
            settle()

    def _bind(self) -> list[tuple[socket.socket, bool]]:
        """Both sockets, before anything else is started: a taken port must cost nothing."""
        listeners = [(bind(self.config.api.address), True)]
        if self.config.metrics.address is not None:
            listeners.append((bind(self.config.metrics.address), False))
        return listeners

    async def _serve(self, listeners: list[tuple[socket.socket, bool]]) -> None:
        self.url = url_of(listeners[0][0])
        now = _Now(self)
        plans = Plans(lambda: self.config, self.base)
        self._ending.push_async_callback(plans.stop)
        searches = LogSearch(lambda: self.config, self.hostname, self.clock)
        self._ending.push_async_callback(searches.stop)
        services = Services(
            metrics=now.page,
            store=self.base.store,
            book=now,
            scorecard=now.scorecard,
            anomalies=now.anomalies,
            plan=plans.make,
            log_search=searches if self.config.api.log_search else None,
            log_templates=functools.partial(reading.templates, self._data.path),
            log_anomalies=functools.partial(reading.rows, self._data.path),
            alerts=now.alerts,
            rules=now.rules,
            status=Status(self.base, lambda: self.rooms, self.url).report,
            clock=self.clock,
            hostname=self.hostname,
            interval_seconds=self.config.collector.interval,
            settings=self.config.api,
            simulated=bool(self.node.labels),
        )
        for listener, whole in listeners:
            app = create_app(services) if whole else create_metrics_app(services)
            server = HttpServer(app, listener, self._fail)
            await server.start()
            self._servers.append(server)
        requests = Requests(self.base, self.url, now.relays, now.gpus, self._forecast_soon)
        control = ControlServer(self._data.control, requests.handlers())
        self._ending.push_async_callback(control.close)
        await control.start()

    def _schedule(self) -> None:
        self._schedule_jobs()
        if self._notifier.watchdog_seconds:
            self._every(WATCHDOG, self._notifier.watchdog_seconds / 3, self._beat)
        self._scheduler.start()
        following = asyncio.create_task(follow_clock(self._scheduler, self.clock), name="clock")
        self._ending.callback(following.cancel)
        self._ending.callback(self._scheduler.pause)

    def _schedule_jobs(self) -> None:
        """Coroutine jobs in UTC; a late one runs once, and none runs beside itself."""
        config, rooms = self.config, self.rooms
        self._every("collect", config.collector.interval, rooms.collect)
        self._every("compact", COMPACT_EVERY, self._compact)
        shortly = config.collector.interval + min(AFTER_ROUND, 0.2 * config.collector.interval)
        self._every("evaluate", config.alerts.evaluate_every, rooms.evaluate, first=shortly)
        if config.forecast.enabled:
            first = self._first_forecast_after if config.forecast.at_start else config.forecast.every
            self._every(FORECAST, config.forecast.every, rooms.forecast, first=first)
        if config.forecast.anomalies:
            self._every("anomalies", JUDGE_EVERY, rooms.anomalies.judge, first=FIRST_JUDGED_AFTER)

    def _every(
        self, name: str, seconds: float, job: Callable[[], Awaitable[None]], *, first: float | None = None
    ) -> None:
        self._scheduler.add_job(
            job,
            Pace(seconds),
            id=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=max(1, int(seconds)),
            next_run_time=datetime.now(UTC) + timedelta(seconds=seconds if first is None else first),
        )

    def _forecast_soon(self) -> bool:
        """Make forecasts now, or once more where some are being made; False where none are wanted."""
        job = self._scheduler.get_job(FORECAST)
        if job is not None and not self.rooms.forecast_again():
            job.modify(next_run_time=datetime.now(UTC))
        return job is not None

    async def _compact(self) -> None:
        await self.rooms.compact()
        give_back()  # a slice works on megabytes that it does not need afterwards

    async def _beat(self) -> None:
        """Tell systemd that all is well, as long as rounds go on: a loop that runs is not enough."""
        if self.rooms.seconds_since_round() < max(ROUNDS_MISSED_SECONDS, 3 * self.config.collector.interval):
            self._notifier.beat()

    async def _end(self) -> None:
        """Close what has been opened, in time or not at all."""
        self._limit.start()
        if self._stop.is_set():
            log.info("ending")
        self._notifier.stopping()
        for task in self._reloads:
            task.cancel()
        await asyncio.gather(*self._reloads, return_exceptions=True)
        await self._ending.aclose()
        self._limit.cancel()

    async def _stop_rooms(self) -> None:
        rooms = [self.rooms, *([self._coming] if self._coming else [])]
        _, *ended = await asyncio.gather(self._close_servers(), *(each.stop() for each in rooms))
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        if not all(ended):
            self._clean = False
            log.error("a driver call or a child is stuck and was left behind", extra={"hint": "see the log above"})

    async def _close_servers(self) -> None:
        await asyncio.gather(*(server.stop() for server in self._servers))

    def _close_base(self) -> None:
        if not self.base.close():
            self._clean = False
            log.error("a write did not come back and was left behind", extra={"hint": "does the disk answer?"})


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

    def scorecard(self) -> Scorecard:
        """How good forecasts have been."""
        return self._daemon.rooms.forecasts.scorecard

    def anomalies(self) -> list[Anomaly]:
        """The newest anomalies."""
        return self._daemon.rooms.anomalies.recent()

    def alerts(self) -> Sequence[Alert]:
        """Pending, firing and lately resolved alerts."""
        return self._daemon.rooms.engine.alerts()

    def rules(self) -> Sequence[RuleStatus]:
        """The rules in force."""
        return self._daemon.rooms.engine.rules()

    def relays(self) -> Mapping[str, Takes]:
        """What takes the frames of children that run as units of their own."""
        return self._daemon.rooms.furniture.relays

    def gpus(self) -> GpuDesk | None:
        """Serves requests about GPU collection."""
        rooms = self._daemon.rooms
        child = next((child for child in rooms.children if child.spec.name == "nvml"), None)
        return GpuDesk(rooms.furniture.nvml, child) if rooms.furniture.nvml and child else None


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
    stay_small()
    with data:
        if (folder := folder_for(config.logs, data.path)) is not None:
            keep_logs(folder, "forewarn")
        return asyncio.run(Daemon(config, data, node, reload=reload, announce=announce).run())
