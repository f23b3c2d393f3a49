"""One alert rule as it is written in a file."""

import re
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from alerts.glossary import GLOSSARY_FACTS
from alerts.wording import placeholders
from collector.series import parse_selector
from forecast.episodes import Bar
from forewarn.base.types import Seconds, Settings

RuleType = Literal["threshold", "forecast_breach", "anomaly", "log_anomaly", "absent", "collector_failing"]
Severity = Literal["critical", "warning", "info"]
URGENCY: tuple[Severity, ...] = ("critical", "warning", "info")
"""The most urgent first."""
Operator = Literal[">", ">=", "<", "<=", "==", "!="]

_SHARED_FACTS = frozenset({"labels", "since", "hostname"})
FACTS: dict[RuleType, frozenset[str]] = {
    "threshold": _SHARED_FACTS | GLOSSARY_FACTS | {"value", "limit", "metric", "series"},
    "forecast_breach": _SHARED_FACTS
    | {"value", "limit", "metric", "series", "outlook", "timing", "evidence", "window", "model", "history", "score"},
    "anomaly": _SHARED_FACTS | {"value", "metric", "series", "kind", "reason"},
    "log_anomaly": _SHARED_FACTS | {"value", "kind", "reason", "dataset", "template", "example"},
    "absent": _SHARED_FACTS | {"metric", "silence"},
    "collector_failing": _SHARED_FACTS | {"failing_for"},
}
"""Words that the templates of a rule of each type may use."""

_ONLY_FOR: dict[str, frozenset[RuleType]] = {
    "op": frozenset({"threshold"}),
    "value": frozenset({"threshold", "anomaly", "log_anomaly"}),
    "clear": frozenset({"threshold", "forecast_breach"}),
    "measure": frozenset({"threshold"}),
    "per": frozenset({"threshold"}),
    "window": frozenset({"forecast_breach"}),
    "severity_by_lead": frozenset({"forecast_breach"}),
    "severity_by_score": frozenset({"log_anomaly"}),
    "probability": frozenset({"forecast_breach"}),
}
_MATCH_DEFAULT: dict[RuleType, str] = {
    "forecast_breach": '{__name__=~".+"}',
    "anomaly": '{__name__=~".+"}',
    "log_anomaly": '{__name__=~".+"}',
    "collector_failing": "forewarn_collector_success",
}
_STALE_DEFAULT: dict[RuleType, float] = {
    "threshold": 300.0,
    "forecast_breach": 3 * 3600.0,
    "anomaly": 1800.0,
    "log_anomaly": 300.0,
    "absent": 300.0,
    "collector_failing": 300.0,
}
_STALE_SILENCE = 86400.0
_BAR = Bar()
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ALERTNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class RuleSettings(Settings):
    """A condition and what to say when it holds: ``[[alerts.rule]]``.

    A severity is a label, hence part of an alert's identity: what becomes more urgent is another alert, which takes
    the place of the first.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    name: str = Field(description="The alertname, such as GpuHot.")
    type: RuleType = Field(description="What kind of condition this is.")
    match: str = Field(
        "", description='Series that it is about, like name{label="value"}; of forecasts, those of such series.'
    )
    op: Operator | None = Field(None, description="threshold: how the value is compared.")
    value: float | None = Field(
        None,
        description="threshold: what it is compared with, in the metric's base unit; anomaly, log_anomaly: the"
        " least score, 0 to 1.",
    )
    clear: float | None = Field(
        None,
        description="threshold: a firing alert ends only when the value is back beyond this one; forecast_breach: only"
        " when the probability is below this one, unless given two thirds of 'probability'.",
    )
    measure: Literal["value", "rate", "age", "silence"] = Field(
        "value",
        description="threshold: 'rate' compares a counter's growth a second over the last minute; 'age' takes the"
        " value as a time and compares the seconds since then; 'silence' compares the"
        " seconds since the newest sample of a series that was heard since the start.",
    )
    per: str = Field(
        "", description="threshold: the value is divided by the newest one of this metric with the same labels."
    )
    probability: float = Field(
        _BAR.begin,
        gt=0,
        le=1,
        description=f"forecast_breach: told is what is so probable within the window; at {_BAR.begin:g} about four of"
        " five warnings come true.",
    )
    window: Seconds = Field(72 * 3600.0, gt=0, le=72 * 3600.0, description="forecast_breach: how far ahead it looks.")
    severity_by_lead: dict[Severity, Seconds] = Field(
        default_factory=dict,
        description="forecast_breach: instead of severity and window, a window for each severity, such as"
        ' {critical = "6h", warning = "48h", info = "72h"}; the most urgent one that applies is told.',
    )
    severity_by_score: dict[Severity, float] = Field(
        default_factory=dict,
        description="log_anomaly: instead of severity and value, the least score for each severity, such as"
        " {warning = 0.999, info = 0.99}; the most urgent one that applies is told.",
    )
    unless: str = Field(
        "", description="Series that say of the same trouble already: while one of them is not 0, nothing is raised."
    )
    for_: Seconds = Field(
        0.0, alias="for", ge=0, description="How long the condition must hold, by the times of its evidence."
    )
    keep_firing_for: Seconds = Field(0.0, ge=0, description="How long an alert goes on after its condition ended.")
    stale_after: Seconds | None = Field(
        None, gt=0, description="Age at which evidence no longer counts: unless given 5m, forecasts 3h, silence 1d."
    )
    severity: Severity = Field("warning", description="critical, warning or info; a label of the alert.")
    labels: dict[str, str] = Field(default_factory=dict, description="More labels; they win over the series' own.")
    summary: str = Field("", description="One line; placeholders such as {value} or {labels.gpu}.")
    description: str = Field("", description="What it means and what to do; the same placeholders.")
    runbook_url: str = Field("", description="Where the way out is written down.")
    enabled: bool = Field(True, description="Whether the rule is evaluated.")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_type(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("match") and given.get("type") in _MATCH_DEFAULT:
            return given | {"match": _MATCH_DEFAULT[given["type"]]}
        return given

    @field_validator("name")
    @classmethod
    def _alertname(cls, name: str) -> str:
        if not _ALERTNAME.fullmatch(name):
            raise ValueError(f"{name!r} is no alert name; letters, digits and _ only, a letter first")
        return name

    @field_validator("labels")
    @classmethod
    def _label_names(cls, labels: dict[str, str]) -> dict[str, str]:
        for name in labels:
            if not _LABEL.fullmatch(name) or name in {"alertname", "severity"}:
                raise ValueError(f"{name!r} cannot be a label of a rule; alertname and severity are set by it")
        return labels

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self._check_selectors()
        foreign = [field for field, types in _ONLY_FOR.items() if self._given(field) and self.type not in types]
        if foreign:
            raise ValueError(f"rule {self.name}: {foreign[0]!r} has no meaning in a rule of type {self.type!r}")
        if self.type == "threshold" and (self.op is None or self.value is None):
            raise ValueError(f"rule {self.name}: a threshold needs op and value")
        self._check_clear()
        self._check_stages()
        self._check_scores()
        for template in (self.summary, self.description):
            if unknown := sorted(placeholders(template) - FACTS[self.type]):
                known = ", ".join(f"{{{name}}}" for name in sorted(FACTS[self.type] - {"labels"}))
                raise ValueError(
                    f"rule {self.name}: {{{unknown[0]}}} is not known for {self.type!r};"
                    f" there are {known}, {{labels.NAME}}"
                )
        return self

    def _given(self, field: str) -> bool:
        return bool(getattr(self, field) != type(self).model_fields[field].get_default(call_default_factory=True))

    def _check_selectors(self) -> None:
        if not self.match:
            raise ValueError(f"rule {self.name}: 'match' must say which series it is about")
        for selector in filter(None, (self.match, self.unless)):
            try:
                parse_selector(selector)
            except ValueError as error:
                raise ValueError(f"rule {self.name}: {error}") from error

    def _check_clear(self) -> None:
        if self.type == "forecast_breach" and self.clear is not None and not 0 < self.clear < self.probability:
            raise ValueError(f"rule {self.name}: clear must lie between 0 and the probability of {self.probability:g}")
        if self.clear is None or self.value is None or self.op is None:
            return
        wrong_side = {">": self.clear > self.value, "<": self.clear < self.value}.get(self.op[0])
        if wrong_side is None:
            raise ValueError(f"rule {self.name}: clear has no meaning with {self.op}")
        if wrong_side:
            raise ValueError(f"rule {self.name}: an alert on {self.op} {self.value:g} cannot clear at {self.clear:g}")

    def _check_stages(self) -> None:
        if not self.severity_by_lead:
            return
        if self._given("severity") or self._given("window"):
            raise ValueError(f"rule {self.name}: severity_by_lead says severity and window already")
        windows = [window for _, window in self.stages]
        if windows != sorted(set(windows)) or not 0 < windows[0] <= windows[-1] <= 72 * 3600:
            raise ValueError(f"rule {self.name}: severity_by_lead: the more urgent, the shorter; 72h at most")

    def _check_scores(self) -> None:
        if not self.severity_by_score:
            return
        if self._given("severity") or self.value is not None:
            raise ValueError(f"rule {self.name}: severity_by_score says severity and value already")
        scores = [score for _, score in self.stages]
        if scores != sorted(set(scores), reverse=True) or not 0 <= scores[-1] <= scores[0] < 1:
            raise ValueError(f"rule {self.name}: severity_by_score: the more urgent, the higher; below 1")

    @property
    def stages(self) -> tuple[tuple[Severity, float], ...]:
        """Severities with their windows in seconds (log_anomaly: their least scores), the most urgent first.

        Of most rules there is one.
        """
        if not self.severity_by_lead and not self.severity_by_score:
            return ((self.severity, (self.value or 0.0) if self.type == "log_anomaly" else self.window),)
        bounds = self.severity_by_lead or self.severity_by_score
        return tuple((each, bounds[each]) for each in URGENCY if each in bounds)

    @property
    def clear_probability(self) -> float:
        """The probability below which a firing forecast_breach alert ends."""
        return self.probability * _BAR.end / _BAR.begin if self.clear is None else self.clear

    @property
    def stale_ms(self) -> int:
        """Age in milliseconds at which evidence no longer counts."""
        if self.stale_after is not None:
            return round(self.stale_after * 1000)
        return round(1000 * (_STALE_SILENCE if self.measure == "silence" else _STALE_DEFAULT[self.type]))
