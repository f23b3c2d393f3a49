"""How good Forewarn has been on this node: every stored forecast scored once its 72 hours are over.

The forecast child works the scores out (``forecast.scoring``), the parent keeps them (``forecast.scorebook``).
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from forewarn.base.clock import rfc3339

FEWEST_OUTCOMES = 30
"""So many crossings, and so many forecasts without one, make a calibration error."""


@dataclass(frozen=True, slots=True)
class Score:
    """How good one forecast was; None where there is nothing to tell.

    Attributes:
        forecast_id: its number in the book.
        hours: how many of its hours were measured.
        mase: mean absolute error in units of same-hour-yesterday's over the 28 days before, 20 at most.
        mase_yesterday: the same of same hour yesterday.
        mase_prophet: the same of Prophet's model, where it was stored.
        coverage_80: share of measured hours in the 80 % band.
        coverage_95: in the 95 % band.
        quantile_score: twice the mean quantile loss in the scale's units.
        p24: the probability that it gave to a crossing within 24 hours; None without a limit, or where it was crossed
            already.
        p48: within 48 hours.
        p72: within 72 hours.
        crossed: whether the limit was reached.
        crossed_hour: the hour in which it was, counted from 0; None where it was not.
        rule_warned: whether the plain rule 'it crossed in the last 72 h' would have warned.
        lead_error_hours: hours by which it expected the crossing too late, below 0 too early.
    """

    forecast_id: int
    hours: int
    mase: float | None = None
    mase_yesterday: float | None = None
    mase_prophet: float | None = None
    coverage_80: float | None = None
    coverage_95: float | None = None
    quantile_score: float | None = None
    p24: float | None = None
    p48: float | None = None
    p72: float | None = None
    crossed: bool | None = None
    crossed_hour: int | None = None
    rule_warned: bool | None = None
    lead_error_hours: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As a frame has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over scored forecasts; None where there is nothing to take a mean of.

    Attributes:
        forecasts: how many were scored.
        mase: see ``Score``.
        mase_yesterday: of same hour yesterday.
        mase_prophet: of Prophet's model, over the forecasts that have it.
        to_yesterday: our error over same hour yesterday's: below 1 is better.
        to_prophet: our error over Prophet's, over the forecasts that have both.
        coverage_80: share of hours in the 80 % band.
        coverage_95: share of hours in the 95 % band.
        quantile_score: see ``Score``.
        judged: forecasts that gave a probability to a crossing, and whose outcome is known.
        crossed: how many of these saw one.
        brier_24: mean squared difference between the probability and what came (0 or 1), within 24 hours.
        brier_48: within 48 hours.
        brier: within 72 hours.
        brier_rule: the same of the plain rule 'it crossed in the last 72 h', its yes and its no each given the
            probability that was the best in hindsight; ours is of use where it is smaller.
        calibration_error: mean distance of the stated 72-hour probability from the share that came, over ten bins;
            None before there are 30 forecasts of either outcome.
        came_true: warnings after which the limit was reached within 72 hours; see ``forecast.episodes``.
        false_warnings: warnings after which it was not.
        missed: crossings before which there was no warning.
        lead_hours: of warnings that came true, the median time from their beginning to the crossing.
        rule_came_true: the same as ``came_true`` for the plain rule.
        rule_false_warnings: the plain rule's false ones.
        rule_missed: crossings that it did not announce.
        lead_error_hours: median distance of the expected crossing (t50) from the real one.
        lead_bias_hours: median of how much too late it was expected, below 0 too early.
    """

    forecasts: int = 0
    mase: float | None = None
    mase_yesterday: float | None = None
    mase_prophet: float | None = None
    to_yesterday: float | None = None
    to_prophet: float | None = None
    coverage_80: float | None = None
    coverage_95: float | None = None
    quantile_score: float | None = None
    judged: int = 0
    crossed: int = 0
    brier_24: float | None = None
    brier_48: float | None = None
    brier: float | None = None
    brier_rule: float | None = None
    calibration_error: float | None = None
    came_true: int = 0
    false_warnings: int = 0
    missed: int = 0
    lead_hours: float | None = None
    rule_came_true: int = 0
    rule_false_warnings: int = 0
    rule_missed: int = 0
    lead_error_hours: float | None = None
    lead_bias_hours: float | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts whose stated probability lies in one tenth of its range.

    Attributes:
        tenth: 0 for probabilities under 0.1, 9 for those from 0.9 on.
        forecasts: how many.
        stated: their mean probability of a crossing within 72 hours.
        seen: share of them after which it came.
    """

    tenth: int
    forecasts: int
    stated: float
    seen: float


@dataclass(frozen=True, slots=True)
class TargetFigures:
    """The figures of one target and statistic."""

    target: str
    statistic: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Scorecard:
    """How good the forecasts made since a moment were.

    Attributes:
        since_ms: only forecasts from then on count; None where there is no card yet.
        overall: of all.
        targets: one by one, the worst beside same hour yesterday first.
        reliability: what was stated beside what came, of all together.
    """

    since_ms: int | None = None
    overall: Figures = field(default_factory=Figures)
    targets: tuple[TargetFigures, ...] = ()
    reliability: tuple[Bin, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        targets = [{"target": one.target, "statistic": one.statistic, **asdict(one.figures)} for one in self.targets]
        since = None if self.since_ms is None else rfc3339(self.since_ms)
        return {
            "since": since,
            "overall": asdict(self.overall),
            "targets": targets,
            "reliability": [asdict(one) for one in self.reliability],
        }
