"""The store's newest samples and the forecast book's newest forecasts, held in memory."""

from collections.abc import Sequence
from dataclasses import replace

from collector.series import Matcher, SeriesKey
from collector.store.model import Latest
from forecast.anomalies.events import Anomaly, Standing
from forecast.results import Forecast
from forewarn.loganomalies import LogAnomaly


class LatestSamples:
    """What a store answers to ``latest``; ``broken`` is raised instead when set."""

    def __init__(self) -> None:
        self._latest: dict[SeriesKey, Latest] = {}
        self.broken: Exception | None = None

    def put(self, key: str, value: float, time_ms: int) -> None:
        parsed = SeriesKey.parse(key)
        self._latest[parsed] = Latest(parsed, time_ms, value)

    def latest(self, *matchers: Matcher, max_age_ms: int, now_ms: int) -> list[Latest]:
        if self.broken is not None:
            raise self.broken
        return [
            sample
            for sample in self._latest.values()
            if now_ms - sample.time_ms <= max_age_ms and all(matcher.matches(sample.key) for matcher in matchers)
        ]


class Forecasts:
    """What a forecast book answers to ``latest``."""

    def __init__(self) -> None:
        self.newest: list[Forecast] = []

    def latest(self) -> Sequence[Forecast]:
        return self.newest


class Standings:
    """What a watch for anomalies answers to ``latest``."""

    def __init__(self) -> None:
        self.now: list[Standing] = []

    def latest(self) -> Sequence[Standing]:
        return self.now


def unusual(target: str, judged_ms: int, score: float) -> Standing:
    """A target that has left its usual day and is still far from it."""
    key = SeriesKey.parse(target)
    reason = "500 W, where 100 W is usual at this hour; 40 times its usual deviation"
    anomaly = Anomaly(key, "stretch", "watts", judged_ms, judged_ms, None, score, reason)
    return Standing(key, judged_ms, score, anomaly)


class LogAnomalies:
    """What the log shipper's link answers to ``latest``."""

    def __init__(self) -> None:
        self.now: list[LogAnomaly] = []

    def latest(self) -> Sequence[LogAnomaly]:
        return self.now


def unusual_logs(heard_ms: int, score: float, *, over: bool = False, kind: str = "new_template") -> LogAnomaly:
    """A template that goes on to be unusual, or no longer does."""
    return LogAnomaly(
        id="0123456789abcdef",
        key=SeriesKey.of("log_anomaly", dataset="vllm", kind=kind, template="17"),
        heard_ms=heard_ms,
        score=score,
        reason="a new kind of line, template 17, came 5 times",
        text="CUDA error: <*> in kernel <*>",
        example="ERROR CUDA error: 700 in kernel paged_attention",
        over=over,
    )


def forecast(target: str, as_of_ms: int, *, breach_ms: int | None = None, **changes: object) -> Forecast:
    made = Forecast(
        target=SeriesKey.parse(target),
        statistic="mean",
        kind="gauge",
        unit="bytes",
        made_ms=as_of_ms,
        as_of_ms=as_of_ms,
        model="prophet",
        status="ok",
        reason="",
        history_hours=28 * 24,
        step_ms=3_600_000,
        start_ms=as_of_ms,
        limit=76 * 2**30,
        breach_ms=breach_ms,
    )
    return replace(made, **changes)  # type: ignore[arg-type]
