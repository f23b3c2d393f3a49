"""The schemas of the answers, for the API's description; new fields may be added, none is taken away."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Health(BaseModel):
    """Whether the collector's rounds go on."""

    status: str
    time: str
    last_round: str | None = Field(description="When the last round was, RFC 3339.")


class NodeState(BaseModel):
    """How the node stands."""

    level: Literal["quiet", "starting", "warning", "critical"]
    sentence: str


class Status(BaseModel):
    """The daemon's account of itself."""

    model_config = ConfigDict(extra="allow")

    hostname: str
    time: str
    interval_seconds: float
    simulated: bool
    log_search: bool = Field(description="Whether /v1/logs has anything to search.")
    state: NodeState


class SeriesName(BaseModel):
    """A series' identity."""

    series: str = Field(description="Name and labels in one text, usable as a selector.")
    name: str
    labels: dict[str, str]


class DescribedSeries(SeriesName):
    """A recorded series."""

    type: Literal["gauge", "counter"]
    unit: str
    help: str


class SeriesAnswer(BaseModel):
    """Recorded series."""

    series: list[DescribedSeries]
    truncated: bool


class LatestValue(SeriesName):
    """A newest value."""

    time: str
    value: float | None


class LatestAnswer(BaseModel):
    """Newest values."""

    time: str
    values: list[LatestValue]


class RangeSeries(SeriesName):
    """A series in windows, column by column."""

    counter: bool
    times: list[str] = Field(description="Starts of the windows that have samples, RFC 3339.")
    min: list[float | None] | None = None
    max: list[float | None] | None = None
    mean: list[float | None] | None = None
    last: list[float | None] | None = Field(None, description="Of counters: the last value.")
    increase: list[float | None] | None = Field(None, description="Of counters: growth, resets corrected.")
    rate: list[float | None] | None = Field(None, description="Of counters: growth a second; for function=rate.")
    quantile: list[float | None] | None = Field(None, description="Of histograms; for function=quantile.")


class RangeAnswer(BaseModel):
    """Series over a time range."""

    start: str
    end: str
    step_seconds: float
    series: list[RangeSeries]


class ForecastSummary(BaseModel):
    """A forecast in short."""

    status: Literal["ok", "not_enough_history", "no_data", "failed"]
    reason: str
    model: str
    made: str
    as_of: str
    history_hours: float
    worst: float | None = Field(description="The expected value of the worst hour of the next 72.")
    breach: str | None = Field(
        description="When it is as likely as not that the limit is reached; in the past where it is crossed already."
    )
    breach_early: str | None = Field(description="When one chance in ten is reached.")
    breach_late: str | None = Field(description="When nine chances in ten are reached.")
    breach_reason: str
    probability: dict[str, float] | None = Field(
        description="To reach the limit within 24h, 48h and 72h; null without a limit, or where it is crossed already."
    )
    crossed_last_72h: bool | None = Field(description="What the plain rule says, for comparison.")


class TargetRow(BaseModel):
    """A capacity target."""

    target: str
    name: str
    labels: dict[str, str]
    title: str
    kind: str
    unit: str
    limit: float | None
    below: bool = Field(description="True where it runs out at the lower end.")
    current: float | None
    breach: str | None
    breach_statistic: str | None
    lead: str = Field(description="The statistic that most probably reaches the limit; breach and probability are its.")
    crossed: bool = Field(description="Whether the limit is crossed already.")
    probability: dict[str, float] | None = Field(description="To reach the limit within 24h, 48h and 72h.")
    statistics: dict[str, ForecastSummary]


class TargetsAnswer(BaseModel):
    """Capacity targets."""

    time: str
    targets: list[TargetRow]


class HistoryAnswer(BaseModel):
    """What was recorded of a target, hour by hour."""

    time: str
    target: str
    times: list[str] = Field(description="Starts of the hours that have samples, RFC 3339.")
    mean: list[float]
    min: list[float]
    max: list[float]


class ChanceOfBreach(BaseModel):
    """The way to the limit, in probabilities."""

    p24: float = Field(description="To reach it within 24 hours of the forecast's start.")
    p48: float
    p72: float
    t10: int | None = Field(description="The hour, counted from 0, by whose end one chance in ten is reached.")
    t50: int | None
    t90: int | None
    crossed_lately: bool = Field(description="Whether the plain rule says so: it was reached in the last 72 hours.")
    curve: list[float] = Field(description="The probability to have reached it by the end of each of the 72 hours.")


class Changepoint(BaseModel):
    """Where the slope of Prophet's trend changed."""

    time: str
    slope_change_a_day: float


class ProphetRow(BaseModel):
    """Prophet's forecast of the same series, and its parts; their sum is the mean."""

    mean: list[float]
    trend: list[float]
    weekly: list[float]
    daily: list[float]
    changepoints: list[Changepoint]


class ForecastRow(BaseModel):
    """A forecast in full."""

    model_config = ConfigDict(extra="allow")

    title: str
    statistic: str
    status: str
    points: dict[str, list[float]]
    chance: ChanceOfBreach | None = Field(description="null without a limit, or where it is crossed already.")
    demand: list[float] = Field(
        description="Of a level that is capped and stood at its cap, the demand behind it; else empty."
    )
    prophet: ProphetRow | None = Field(description="null where the history is too short for it.")


class ForecastsAnswer(BaseModel):
    """Forecasts."""

    forecasts: list[ForecastRow]


class ScoredFigures(BaseModel):
    """Means over forecasts; null where there is nothing to take a mean of."""

    forecasts: int
    mase: float | None = Field(description="Absolute error in units of same-hour-yesterday's over the 28 days before.")
    mase_yesterday: float | None = Field(description="The same of same hour yesterday.")
    mase_prophet: float | None = Field(description="The same of Prophet's model.")
    to_yesterday: float | None = Field(description="Our error over same hour yesterday's; below 1 is better.")
    to_prophet: float | None = Field(description="Our error over Prophet's.")
    coverage_80: float | None
    coverage_95: float | None
    quantile_score: float | None
    judged: int = Field(description="Forecasts with a probability of a crossing whose outcome is known.")
    crossed: int = Field(description="How many of these saw one.")
    brier_24: float | None = Field(description="Mean squared difference between the probability and what came.")
    brier_48: float | None
    brier: float | None = Field(description="The same within 72 hours.")
    brier_rule: float | None = Field(
        description="The same of the plain rule, its yes and no each at the probability that was best in hindsight."
    )
    calibration_error: float | None = Field(
        description="Mean distance of the stated probability from the share that came; null before there are enough."
    )
    came_true: int = Field(description="Warnings after which the limit was reached within 72 hours.")
    false_warnings: int
    missed: int = Field(description="Crossings before which there was no warning.")
    lead_hours: float | None = Field(description="Of warnings that came true, the median time to the crossing.")
    rule_came_true: int = Field(description="The same for the plain rule that it crossed in the last 72 hours.")
    rule_false_warnings: int
    rule_missed: int
    lead_error_hours: float | None = Field(description="Median distance of the expected crossing from the real one.")
    lead_bias_hours: float | None = Field(description="Above 0 where crossings are expected too late.")


class ScoredTarget(ScoredFigures):
    """One target and statistic."""

    target: str
    statistic: str


class AnomalyRow(BaseModel):
    """Something unusual about a capacity target."""

    title: str
    target: str
    kind: str = Field(description="point, stretch, level_shift or flat_line.")
    unit: str
    started: str
    seen: str = Field(description="When it was last seen.")
    ended: str | None
    score: float = Field(description="1 less the share of normal time that deviates as much.")
    reason: str


class AnomaliesAnswer(BaseModel):
    """The newest anomalies first."""

    time: str
    anomalies: list[AnomalyRow]


class ReliabilityBin(BaseModel):
    """What was stated beside what came."""

    tenth: int = Field(description="0 for stated probabilities under 0.1, 9 for those from 0.9 on.")
    forecasts: int
    stated: float
    seen: float


class ScorecardAnswer(BaseModel):
    """How good the forecasts were."""

    time: str
    since: str | None = Field(description="Forecasts made from then on count.")
    overall: ScoredFigures
    targets: list[ScoredTarget] = Field(description="The worst beside same hour yesterday first.")
    reliability: list[ReliabilityBin] = Field(description="Of all probabilities within 72 hours, by tenths.")


class AlertRow(BaseModel):
    """An alert."""

    model_config = ConfigDict(extra="allow")

    state: str
    labels: dict[str, str]
    annotations: dict[str, str]


class AlertsAnswer(BaseModel):
    """Pending and firing alerts."""

    time: str
    alerts: list[AlertRow]


class RulesAnswer(BaseModel):
    """Rules."""

    rules: list[dict[str, Any]]


class CatalogueMetric(BaseModel):
    """A metric of the catalogue."""

    model_config = ConfigDict(extra="allow")

    name: str
    type: str
    unit: str
    help: str
    labels: list[str]
    core: int | None = Field(description="Its number among the twelve core metrics.")


class CatalogueAnswer(BaseModel):
    """The catalogue."""

    metrics: list[CatalogueMetric]
