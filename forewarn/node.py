"""What a node consists of: sources to ask, children to run. The demo hands in a simulated one."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from collector.attribution.source import GpuProcesses
from collector.nvml.health.records import GpuRecords
from collector.nvml.source import NvmlSource
from collector.nvml.xid.ledger import LAST_SEEN
from collector.rounds import Collector
from collector.samplers.build import build_sources, endpoint_sources
from collector.series import Labels, Matcher, Sample, SeriesKey, labels_of
from collector.settings import CanarySettings, EndpointSettings
from collector.source import CollectError
from forewarn.base.clock import DAY, Clock
from forewarn.base.frames import Frame
from forewarn.config import Config
from forewarn.datadir import DataDir
from forewarn.foundation import Foundation
from forewarn.loganomalies import FRAME as LOG_ANOMALIES
from forewarn.loganomalies import LogAnomalies
from forewarn.supervise import ChildSpec
from logship.own import folder_for, frame_of

LOGSHIP_SILENCE_SECONDS = 30.0
FRESH_ROUNDS = 3
FRESH_SECONDS = 30.0


@dataclass(frozen=True)
class Furniture:
    """What a node brings into the rooms besides the sources that it adds to the collector.

    Attributes:
        children: processes to run.
        relays: by name of a child, what takes its frames where they come over the control socket.
        nvml: the GPUs' source, None where GPUs are not watched.
        log_anomalies: what the log shipper tells of them, None where no logs are shipped.
    """

    children: tuple[ChildSpec, ...] = ()
    relays: Mapping[str, "Takes"] = field(default_factory=dict)
    nvml: NvmlSource | None = None
    log_anomalies: LogAnomalies | None = None


class Node(Protocol):
    """A real node, or a simulated one.

    Attributes:
        labels: what marks every series of the node; empty for a real one.
    """

    labels: Labels

    def furnish(self, config: Config, base: Foundation, collector: Collector) -> Furniture:
        """Add the sources that a configuration asks for to the collector, and name the children to run."""
        ...


class Takes(Protocol):
    """Takes a child's frames."""

    def on_frame(self, frame: Frame) -> None:
        """Take one frame."""
        ...


Row = tuple[str, dict[str, str], float | None, bool]
"""A sample in a frame."""


class Relay:
    """A source whose samples a child sends when it likes; they are handed on while they are fresh."""

    def __init__(self, name: str, clock: Clock, fresh_seconds: float) -> None:
        self.name = name
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._rows: Sequence[Row] = ()
        self._samples: list[Sample] | None = None
        self._keys: dict[tuple[str, Labels], SeriesKey] = {}
        self._since = clock.monotonic()  # a child that was just started has not been silent yet
        self._off = ""

    def on_frame(self, frame: Frame) -> None:
        """Take ``{"kind": "samples", "samples": [[name, {labels}, value, counter], ...]}``, or why none come."""
        if frame["kind"] == "off":
            self._off = frame["reason"]
        elif frame["kind"] == "samples":
            self._rows, self._samples = frame["samples"], None
            self._since = self._clock.monotonic()
            self._off = ""

    async def collect(self) -> Sequence[Sample]:
        """The child's newest samples."""
        if self._off:
            raise CollectError("off", self._off)
        if self._clock.monotonic() - self._since > self._fresh_seconds:
            raise CollectError("silent", f"{self.name} has sent nothing for {self._fresh_seconds:.0f} s")
        if self._samples is None:  # frames come more often than they are asked for
            before, self._keys = self._keys, {}
            self._samples = [
                Sample(self._key(before, name, tuple(labels.items())), value, counter)
                for name, labels, value, counter in self._rows
                if value is not None  # NaN has no place in a frame
            ]
        return self._samples

    def _key(self, before: Mapping[tuple[str, Labels], SeriesKey], name: str, labels: Labels) -> SeriesKey:
        """The same object as the last time: whether series have come or gone is then seen at a glance."""
        key = before.get((name, labels)) or SeriesKey(name, labels_of(dict(labels)))
        self._keys[name, labels] = key
        return key

    async def close(self) -> None:
        """Nothing to let go of."""


class LogshipRelay(Relay):
    """The log shipper's samples, and what it tells of anomalies."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("logship", clock, LOGSHIP_SILENCE_SECONDS)
        self.anomalies = LogAnomalies(clock)

    def on_frame(self, frame: Frame) -> None:
        """Take a frame of either kind."""
        super().on_frame(frame)
        self.anomalies.on_frame(frame)


class WorkerLink:
    """Adds the bundled worker to the collector once it answers: before that, nothing is missing."""

    def __init__(self, collector: Collector, patience: float, clock: Clock) -> None:
        self._collector = collector
        self._patience = patience
        self._clock = clock
        self._url = ""
        self._names: list[str] = []
        self._moving = asyncio.Lock()
        self._moves: set[asyncio.Task[None]] = set()

    def on_frame(self, frame: Frame) -> None:
        """Take the worker's word that it is ready, or why it is not."""
        if frame["kind"] == "ready" and frame["url"] != self._url:
            self._url = frame["url"]
            move = asyncio.get_running_loop().create_task(self._watch(self._url), name="worker moves")
            self._moves.add(move)
            move.add_done_callback(self._moves.discard)

    async def _watch(self, url: str) -> None:
        """Scrape the worker at this address, and send it the canary; one move after the other."""
        async with self._moving:
            for name in self._names:
                await self._collector.remove(name)
            endpoint = EndpointSettings(url=f"{url}/metrics", name="worker", canary=CanarySettings(base_url=url))
            sources = endpoint_sources(endpoint, self._patience, self._clock)
            for source in sources:
                self._collector.add(source)
            self._names = [source.name for source in sources]


class RealNode:
    """This machine: its GPUs, host, network, endpoints, the bundled worker and the log shipper."""

    labels: Labels = ()

    def __init__(self) -> None:
        self._records: GpuRecords | None = None

    def furnish(self, config: Config, base: Foundation, collector: Collector) -> Furniture:
        """Add the sources that a configuration asks for to the collector, and name the children to run."""
        for source in build_sources(config.collector, base.clock):
            collector.add(source)
        children: list[ChildSpec] = []
        relays: dict[str, Takes] = {}
        nvml = log_anomalies = None
        if config.collector.nvml.enabled:
            records = self._records_of(config, base)
            processes = GpuProcesses(base.clock, config.collector.patience) if config.collector.nvml.processes else None
            nvml = NvmlSource(config.collector.interval, records, base.clock, processes)
            for source in (nvml, nvml.health, *([processes] if processes else ())):
                collector.add(source)
            children.append(_nvml_child(nvml, config, base.data))
        if config.logs.enabled:
            relays["logship"] = relay = LogshipRelay(base.clock)
            log_anomalies = relay.anomalies
            collector.add(relay)
            children += _unless_units(config, _logship_child(relay, config, base.data))
        if config.worker.enabled:
            link = WorkerLink(collector, config.collector.patience, base.clock)
            relays["worker"] = link
            children += _unless_units(config, _worker_child(link, config, base.data))
        return Furniture(tuple(children), relays, nvml, log_anomalies)

    def _records_of(self, config: Config, base: Foundation) -> GpuRecords:
        """What is known of the GPUs: made once, for it outlives a reload."""
        if self._records is None:
            settings = config.collector.nvml
            fresh_ms = round(max(FRESH_SECONDS, FRESH_ROUNDS * config.collector.interval) * 1000)
            self._records = GpuRecords(
                base.data.path,
                base.clock,
                way=settings.kernel_log,
                since_boot=settings.kernel_log_since_boot,
                newest=lambda name: _newest(base, name, fresh_ms),
                last_seen=_newest(base, LAST_SEEN, DAY),
            )
        return self._records


def _newest(base: Foundation, metric: str, max_age_ms: int) -> list[tuple[SeriesKey, float]]:
    found = base.store.latest(Matcher("__name__", "=", metric), max_age_ms=max_age_ms, now_ms=base.clock.now_ms())
    return [(each.key, each.value) for each in found]


def _unless_units(config: Config, child: ChildSpec) -> list[ChildSpec]:
    return [] if config.units else [child]


def worker_settings(config: Config, data: DataDir) -> Frame:
    """The worker's first frame."""
    return {
        "worker": config.worker.model_dump(mode="json"),
        "data_dir": str(data.path),
        "log_level": config.log_level,
        **_own_logs(config, data, "worker"),
    }


def _own_logs(config: Config, data: DataDir, name: str) -> Frame:
    return frame_of(folder_for(config.logs, data.path), name)


def logship_settings(config: Config, data: DataDir) -> Frame:
    """The log shipper's first frame."""
    return {
        "logs": config.logs.model_dump(mode="json"),
        "data_dir": str(data.path),
        "hostname": config.alerts.hostname or socket.gethostname(),
        "log_level": config.log_level,
        **_own_logs(config, data, "logship"),
    }


def _nvml_child(source: NvmlSource, config: Config, data: DataDir) -> ChildSpec:
    return ChildSpec(
        "nvml",
        "collector.nvml.child",
        lambda: {
            "interval": config.collector.interval,
            "log_level": config.log_level,
            "processes": config.collector.nvml.processes,
            "root": str(config.collector.nvml.root),
            **_own_logs(config, data, "nvml"),
        },
        source.on_frame,
        on_start=source.on_start,
        on_exit=source.on_exit,
        gate=source.records.pause.gate,
        standing=frozenset({"inventory", "layout", "round", "absent"}),
    )


def _worker_child(link: WorkerLink, config: Config, data: DataDir) -> ChildSpec:
    settings = lambda: worker_settings(config, data)  # noqa: E731
    return ChildSpec("worker", "worker.child", settings, link.on_frame, standing=frozenset({"ready"}))


def _logship_child(relay: Relay, config: Config, data: DataDir) -> ChildSpec:
    return ChildSpec(
        "logship",
        "logship.child",
        lambda: logship_settings(config, data),
        relay.on_frame,
        silence_seconds=LOGSHIP_SILENCE_SECONDS,
        standing=frozenset({"samples", "off", LOG_ANOMALIES}),
    )
