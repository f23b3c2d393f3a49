"""What the API asks of the rest of the program; the daemon hands it in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from alerts.alert import Alert
from alerts.engine import RuleStatus
from api.routes.logs import Finder
from api.settings import ApiSettings
from collector.series import Matcher
from collector.store import Latest, Rollup, Series, Table
from forecast.anomalies.events import Anomaly
from forecast.plan.asking import Ask
from forecast.results import Forecast
from forecast.scorecard import Scorecard
from forewarn.base.clock import Clock


class SeriesStore(Protocol):
    """The store's query surface. All but ``latest``, which is served from memory, may block: threads call them."""

    def series(self, *matchers: Matcher) -> list[Series]:
        """The series that fulfil all conditions."""
        ...

    def latest(self, *matchers: Matcher, max_age_ms: int, now_ms: int) -> list[Latest]:
        """The newest value of each such series, where it is young enough."""
        ...

    def rollup(self, series_id: int, start_ms: int, end_ms: int, step_ms: int) -> Rollup:
        """A series in windows of ``step_ms``, the non-empty ones."""
        ...

    def select(self, *matchers: Matcher, start_ms: int, end_ms: int, step_ms: int, columns: Sequence[str]) -> Table:
        """Many series in windows of ``step_ms``, as matrices."""
        ...


class Forecasts(Protocol):
    """The newest forecasts, in memory."""

    def latest(self) -> list[Forecast]:
        """The newest forecast of every target and statistic."""
        ...


@dataclass(frozen=True)
class Services:
    """Everything behind the routes.

    Attributes:
        metrics: the text of /metrics as the last round rendered it.
        store: recorded series.
        book: forecasts.
        alerts: pending, firing and lately resolved alerts.
        rules: the rules that are evaluated.
        status: the daemon's own account of itself, a JSON object: version, uptime_seconds, gpus, collectors, children,
            store, receivers and whatever else it runs.
        scorecard: how good the forecasts of the last 30 days were.
        anomalies: the newest first, those that go on among them.
        plan: makes capacity plans; None where none are made.
        log_templates: what the templates of the node's log lines say; None where there are none yet.
        log_anomalies: what has been unusual in its logs, the newest first. Both read files: threads call them.
        log_search: searches log lines; None where that is switched off.
        clock: the time.
        hostname: this node's name.
        interval_seconds: time between two rounds of the collector.
        settings: names and addresses.
        simulated: True where the series are made up (the demo).
    """

    metrics: Callable[[], bytes]
    store: SeriesStore
    book: Forecasts
    alerts: Callable[[], Sequence[Alert]]
    rules: Callable[[], Sequence[RuleStatus]]
    status: Callable[[], Mapping[str, Any]]
    clock: Clock
    hostname: str
    interval_seconds: float = 5.0
    settings: ApiSettings = field(default_factory=ApiSettings)
    simulated: bool = False
    scorecard: Callable[[], Scorecard] = Scorecard
    anomalies: Callable[[], Sequence[Anomaly]] = list
    plan: Callable[[Ask], Awaitable[dict[str, Any]]] | None = None
    log_search: Finder | None = None
    log_templates: Callable[[], Mapping[str, Any] | None] = lambda: None
    log_anomalies: Callable[[], Sequence[Mapping[str, Any]]] = list

    @property
    def fresh_ms(self) -> int:
        """The age up to which a sample counts as current: three rounds, a minute at least."""
        return round(max(60.0, 3 * self.interval_seconds) * 1000)
