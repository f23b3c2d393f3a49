"""This node's history out of a Prometheus: the configuration and the data directory put together for the import."""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collector.backfill import HistorySink
from collector.history.load import ImportReport, Progress, Span, load_plan, oldest_samples
from collector.history.plan import Node, Plan, make_plan
from collector.history.prometheus import Access, Prometheus
from collector.nvml.health.expected import ExpectedGpus
from collector.series import Matcher, parse_selector
from collector.store import StoreReader
from forewarn.base.clock import Clock, parse_time
from forewarn.base.errors import UsageError
from forewarn.base.types import parse_duration
from forewarn.config import Config
from forewarn.datadir import DataDir

DEFAULT_SINCE = "30d"
SETTLED_MS = 60_000
"""VictoriaMetrics answers for the last half minute with the values of before."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for.

    Attributes:
        url: the server.
        access: what it wants to see.
        since: how far back, as a duration (``30d``) or a time.
        until: where to end; None for now.
        step: duration between two samples; None to go by the scrapes.
        matches: further conditions on the series, each like ``job="gpu"``.
        hostnames: this node's names in the history; empty for its own.
        instances: addresses in the history that are this node's.
        timeout: seconds for one answer.
    """

    url: str
    access: Access = field(default_factory=Access)
    since: str = DEFAULT_SINCE
    until: str | None = None
    step: str | None = None
    matches: Sequence[str] = ()
    hostnames: Sequence[str] = ()
    instances: Sequence[str] = ()
    timeout: float = 60.0


class HistoryImport:
    """An import that was looked at (``plan``), and can be made (``run``).

    Args:
        wish: what was asked for.
        config: the daemon's configuration.
        data: its data directory.
        clock: what now is.

    Attributes:
        plan: what the server has, and what becomes of it.

    Raises:
        UsageError: the wish is malformed, or the server has nothing of this node, or not clearly.
        PrometheusError: it does not answer.
    """

    def __init__(self, wish: Wish, config: Config, data: DataDir, clock: Clock) -> None:
        self._data = data
        self._span = _span(wish, clock.now_ms())
        self._server = Prometheus(wish.url, wish.access, timeout=wish.timeout)
        matchers = [matcher for text in wish.matches for matcher in _matchers(text)]
        node = _node(wish, config, data.path / "gpus.json")
        self.plan: Plan = make_plan(self._server, node, matchers, self._span.start_ms, self._span.end_ms)

    def run(self, sink: HistorySink, progress: Progress) -> ImportReport:
        """Import it.

        Raises:
            PrometheusError: the server does not answer; doing it again goes on from there.
            StoreError: the samples cannot be stored; doing it again goes on from there.
        """
        reader = StoreReader(self._data.metrics)
        try:
            oldest = oldest_samples(reader, {key for job in self.plan.jobs for key in job.keys}, self._span)
        finally:
            reader.close()
        return load_plan(self._server, self.plan, sink, span=self._span, oldest=oldest, progress=progress)


def _node(wish: Wish, config: Config, gpus: Path) -> Node:
    known = ExpectedGpus(gpus).gpus
    return Node(
        names=tuple(wish.hostnames) or (config.alerts.hostname or socket.gethostname(),),
        instances=tuple(wish.instances),
        gpus={uuid: gpu.gpu for uuid, gpu in known.items()},
        endpoints=config.collector.endpoint,
        host=config.collector.host,
        named=bool(wish.hostnames or wish.instances),
    )


def _span(wish: Wish, now_ms: int) -> Span:
    end = now_ms - SETTLED_MS if wish.until is None else _moment("--until", wish.until, now_ms)
    start = _moment("--since", wish.since, now_ms)
    step = None if wish.step is None else round(_duration("--step", wish.step) * 1000)
    if not start < end <= now_ms:
        raise UsageError("--since is to lie before --until, and neither in the future")
    if step is not None and step < 1000:
        raise UsageError("a --step of less than a second is not stored")
    return Span(start, end, step)


def _moment(option: str, text: str, now_ms: int) -> int:
    """Milliseconds of a duration back from now, or of a time."""
    if re.search(r"[a-z]\s*$", text):
        return now_ms - round(_duration(option, text) * 1000)
    try:
        return parse_time(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no time", hint="write 30d, 12h or 2026-01-31T00:00:00Z") from None


def _duration(option: str, text: str) -> float:
    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _matchers(text: str) -> tuple[Matcher, ...]:
    try:
        return parse_selector(text if "{" in text else f"{{{text}}}")
    except ValueError as error:
        raise UsageError(f"--match: {error}", hint="write it like --match 'job=\"gpu\"'") from None
