"""The rooms of a running daemon: what is built from the configuration, and built anew when it is read again."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from alerts import metrics as alert_metrics
from alerts.delivery import Dispatcher
from alerts.engine import Engine
from collector.exposition import Exposition
from collector.rounds import Collector
from collector.series import Labels, Sample, Scrape
from collector.store import StoreFullError
from forecast import metrics as forecast_metrics
from forecast.scorecard import Scorecard
from forecast.scorecard_metrics import samples as scorecard_samples
from forewarn.anomalies import AnomalyRuns
from forewarn.base.errors import StoreError
from forewarn.children import Children, complain
from forewarn.config import Config
from forewarn.forecasts import ForecastRuns
from forewarn.foundation import Foundation
from forewarn.node import Node
from forewarn.selfmetrics import SelfSource

if TYPE_CHECKING:
    from collector.dcgm import DcgmPage
    from collector.remote_write.receivers import RemoteWrite

log = logging.getLogger(__name__)

FORECAST_PAGE_SECONDS = 60.0
COMPACTION_SLICES = 100
APPEND_SHARE = 0.5


class Rooms:
    """Collector, forecasts, alerts and children of one configuration. Made by ``build``.

    Attributes:
        config: what they were built from.
        children: the supervised processes, which rooms that follow take over.
        forecasts: runs, and the newest forecasts.
        anomalies: how every capacity target stands, and the newest anomalies.
        engine: rules and alert states.
    """

    def __init__(
        self, config: Config, node: Node, base: Foundation, hostname: str, *, children: Children, newest: list[Any]
    ) -> None:
        self.config = config
        self.forecasts = ForecastRuns(config, base, newest)
        self.collector = Collector([], base.clock, config.collector.interval)
        self.furniture = node.furnish(config, base, self.collector)
        self.children = children
        self.children.take(self.furniture.children)
        self.anomalies: AnomalyRuns
        self.engine: Engine
        self._base = base
        self._labels = node.labels
        self._exposition, self._forecast_exposition = Exposition(hostname), Exposition(hostname)
        self._rendered = b""
        self._dcgm = _dcgm_page(config, hostname, node.labels)
        self._remote = _remote_write(config, base, hostname)
        self._forecast_page = b""
        self._forecast_page_due = 0.0
        self._store_error = ""
        self._troubles: dict[str, str] = {}
        self._ended = False
        self._forecasting = self._again = False
        self._round_at = base.clock.monotonic()
        self._appending: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._dispatcher: Dispatcher

    @classmethod
    async def build(
        cls,
        config: Config,
        node: Node,
        base: Foundation,
        hostname: str,
        children: Children,
        *,
        card: Scorecard | None = None,
    ) -> "Rooms":
        """Rooms that are ready to start.

        Args:
            config: as it was read.
            node: what is shown of them.
            base: what outlives them.
            hostname: of this machine.
            children: those that run, and may be taken over.
            card: the scorecard of the rooms before; it is worked out where there are none.

        Raises:
            ConfigError: the configuration refers to what is not there.
        """
        newest = await base.state_writer.submit(base.book.latest)
        rooms = cls(config, node, base, hostname, children=children, newest=newest)
        if card is None:
            await rooms.forecasts.read_card()
        else:
            rooms.forecasts.scorecard = card
        known = await base.state_writer.submit(base.anomalies.recent)
        rooms.anomalies = AnomalyRuns(config, base, rooms.forecasts, known)
        rooms.engine = await base.state_writer.submit(
            lambda: Engine(
                config.alerts,
                base.store,
                rooms.forecasts,
                base.state,
                base.data.state,
                base.clock,
                anomalies=rooms.anomalies,
                log_anomalies=rooms.furniture.log_anomalies,
                card=lambda: rooms.forecasts.scorecard,
            )
        )
        rooms._dispatcher = Dispatcher(
            rooms.engine.outbox, config.alerts.receiver, base.clock, base.state_writer.submit
        )
        readings = [base.samples, rooms._alert_samples, rooms._remote_samples, rooms.anomalies.samples]
        rooms.collector.add(SelfSource(rooms.children, readings))
        return rooms

    def page(self) -> bytes:
        """The text of /metrics as of the last round."""
        return self._rendered + self._forecast_page

    async def start(self) -> None:
        """Start the children and the sending of notifications; the children's processes are there when it returns."""
        await self.children.start()
        self._spawn(self._dispatcher.run(), "notifications")
        if self._remote is not None:
            self._spawn(self._remote.run(), "remote write")

    async def stop(self, *, reload: bool = False) -> bool:
        """End everything; at a reload the children rest instead. False where a driver call or a child is stuck."""
        self._ended = True
        stuck = self.furniture.nvml is not None and self.furniture.nvml.hanging is not None
        if stuck:
            await self.children.abandon("nvml")
        ended = await asyncio.gather(self.forecasts.stop(), self.children.rest() if reload else self.children.stop())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.collector.close()
        self.anomalies.stop()
        return all(ended) and not stuck

    async def collect(self) -> None:
        """One round: ask the sources, render the page, store the samples."""
        found = await self.collector.round()
        if self._ended:  # sources that are being closed have not failed
            return
        scrape = self._marked(found)
        self._rendered = self._exposition.render(scrape)
        if self._dcgm is not None:
            self._rendered += self._dcgm.render(scrape)
        if self._base.clock.monotonic() >= self._forecast_page_due:
            self.render_forecasts()
        self._round_at = self._base.clock.monotonic()
        await self._append(scrape)

    def seconds_since_round(self) -> float:
        """How long ago the last round ended, or these rooms were made."""
        return self._base.clock.monotonic() - self._round_at

    def render_forecasts(self) -> None:
        """Render the forecasts' part of the page, which changes with the forecasts and, slowly, with time."""
        now_ms = self._base.clock.now_ms()
        samples = forecast_metrics.samples(self.forecasts.latest(), now_ms, self.forecasts.last_seconds)
        samples += scorecard_samples(self.forecasts.scorecard)
        self._forecast_page = self._forecast_exposition.render(self._marked(Scrape(now_ms, samples)))
        self._forecast_page_due = self._base.clock.monotonic() + FORECAST_PAGE_SECONDS

    async def compact(self) -> None:
        """Background work of the store, in slices, so that no append waits long."""
        for _ in range(COMPACTION_SLICES):
            try:
                if not await self._base.series_writer.submit(self._base.store.compact):
                    break
            except StoreError as error:
                self._note("compaction", error)
                return
        self._note("compaction", None)

    async def forecast(self) -> None:
        """Forecast every target, then let the rules see it; once more where that was asked for meanwhile."""
        self._forecasting = True
        try:
            while self._forecasting:
                self._again = False
                if await self.forecasts.run():
                    self.render_forecasts()
                    await self.evaluate()
                self._forecasting = self._again and not self._ended
        finally:
            self._forecasting = False

    def forecast_again(self) -> bool:
        """Ask for one more run after the one that is under way; False where none is."""
        self._again = self._forecasting
        return self._forecasting

    async def evaluate(self) -> None:
        """Evaluate the rules; what is to be sent lies in the outbox when this returns."""
        try:
            await self._base.change_state(self._evaluate)
        except StoreError as error:
            self._note("alert states", error)
        else:
            self._base.evaluated_ms = self._base.clock.now_ms()
            self._note("alert states", None)
        self._dispatcher.wake()

    def _evaluate(self) -> None:
        self.engine.evaluate()
        self._base.probe_state()

    def _alert_samples(self) -> list[Sample]:
        return alert_metrics.samples(self.engine, self._dispatcher)

    def _remote_samples(self) -> list[Sample]:
        return [] if self._remote is None else list(self._remote.samples(self._base.stats.newest_ms))

    def _marked(self, scrape: Scrape) -> Scrape:
        if not self._labels:
            return scrape
        return Scrape(
            scrape.time_ms,
            [Sample(each.key.with_labels(self._labels), each.value, each.counter) for each in scrape.samples],
        )

    async def _append(self, scrape: Scrape) -> None:
        """Store a scrape; a disk that does not answer holds up no round, it costs the scrapes that come meanwhile."""
        if self._appending is not None and not self._appending.done():
            self._note_store(StoreError("the disk does not answer", hint="see the kernel's log"))
            return
        self._appending = asyncio.get_running_loop().create_task(self._keep(scrape), name="append")
        await asyncio.wait({self._appending}, timeout=APPEND_SHARE * self.config.collector.interval)

    async def _keep(self, scrape: Scrape) -> None:
        try:
            await self._base.keep(scrape)
        except StoreError as error:
            self._note_store(error)
        else:
            self._note_store(None)
            if self._remote is not None:
                self._remote.wake()

    def _note_store(self, error: StoreError | None) -> None:
        """Say once that samples are lost, and once that they are kept again."""
        text = error.message if error else ""
        if error and text != self._store_error:
            kind = "the store is full" if isinstance(error, StoreFullError) else "the store cannot be written"
            log.error("%s: samples are not kept", kind, extra={"error": text, "hint": error.hint})
        elif self._store_error and not error:
            log.info("samples are kept again")
        self._store_error = text
        self._base.writable = error is None

    def _note(self, what: str, error: StoreError | None) -> None:
        """Say once that something fails, and once that it works again."""
        text = error.message if error else ""
        if error and text != self._troubles.get(what):
            log.error("%s: cannot be written", what, extra={"error": text, "hint": error.hint})
        elif self._troubles.get(what) and not error:
            log.info("%s: written again", what)
        self._troubles[what] = text

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(complain)
        self._tasks.append(task)


def _remote_write(config: Config, base: Foundation, hostname: str) -> "RemoteWrite | None":
    if not config.remote_write:
        return None
    from collector.remote_write.receivers import RemoteWrite  # noqa: PLC0415  most nodes have no use for it

    return RemoteWrite(
        config.remote_write,
        hostname,
        base.store,
        keeps_seconds=config.store.raw_retention,
        submit=base.series_writer.submit,
        clock=base.clock,
    )


def _dcgm_page(config: Config, hostname: str, labels: Labels) -> "DcgmPage | None":
    if not config.metrics.dcgm:
        return None
    from collector.dcgm import DcgmPage  # noqa: PLC0415  most nodes have no use for it

    return DcgmPage(hostname, labels)
