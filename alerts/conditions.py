"""The five kinds of condition: each looks at what is known now and says for which series it holds."""

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from alerts.glossary import glossary
from alerts.inputs import Anomaly, LatestSample, LatestSamples, Prediction, Predictions, Reading, Standing, Standings
from alerts.rule import RuleSettings, RuleType
from collector.catalogue import metric_of_sample
from collector.series import Labels, Matcher, SeriesKey, labels_of, parse_selector
from forewarn.base.words import duration, moment, quantity

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_SAID_ELSEWHERE = "another alert says of the same trouble what to do"
_LAST_SUCCESS = "forewarn_collector_last_success_timestamp_seconds"


class View:
    """What can be known at one evaluation; the forecasts are read once for all rules."""

    def __init__(
        self,
        samples: LatestSamples,
        predictions: Predictions,
        now_ms: int,
        started_ms: int,
        standings: Standings | None = None,
    ) -> None:
        self.now_ms = now_ms
        self.started_ms = started_ms
        self._standings = standings
        self._samples = samples
        self._predictions = predictions
        self._read: Sequence[Prediction] | None = None

    def latest(self, matchers: Sequence[Matcher], max_age_ms: int) -> list[LatestSample]:
        """The newest samples that are numbers."""
        found = self._samples.latest(*matchers, max_age_ms=max_age_ms, now_ms=self.now_ms)
        return [sample for sample in found if not math.isnan(sample.value)]

    def standings(self) -> Sequence[Standing]:
        """How the capacity targets stand that are watched for anomalies."""
        return [] if self._standings is None else self._standings.latest()

    def predictions(self) -> Sequence[Prediction]:
        """The newest forecasts."""
        if self._read is None:
            self._read = self._predictions.latest()
        return self._read


def readings(rule: RuleSettings, view: View) -> list[Reading]:
    """What a rule's condition finds now, one reading for each series that it can judge."""
    found = list(_CONDITIONS[rule.type](rule, view))
    if any(reading.held for reading in found) and _said_elsewhere(rule, view):
        return [replace(reading, raised=False, held=False, ended=_SAID_ELSEWHERE) for reading in found]
    return found


def _said_elsewhere(rule: RuleSettings, view: View) -> bool:
    return bool(rule.unless) and any(s.value for s in view.latest(parse_selector(rule.unless), rule.stale_ms))


def _threshold(rule: RuleSettings, view: View) -> Iterator[Reading]:
    assert rule.op is not None
    assert rule.value is not None
    compare, end = _OPERATORS[rule.op], rule.value if rule.clear is None else rule.clear
    for sample in view.latest(parse_selector(rule.match), rule.stale_ms):
        value, unit = _measured(rule, sample, view)
        if value is None:
            continue
        held = compare(value, rule.value) or (rule.clear is not None and compare(value, end))
        yield Reading(
            labels=_with_metric(sample.key),
            time_ms=sample.time_ms if rule.measure == "value" else view.now_ms,
            value=value,
            raised=compare(value, rule.value),
            held=held,
            facts={
                "value": quantity(value, unit),
                "limit": quantity(rule.value, unit),
                "metric": sample.key.name,
                "series": str(sample.key),
                **glossary(sample.key, sample.value),
            },
            ended="" if held else _ended(rule, quantity(value, unit)),
        )


def _ended(rule: RuleSettings, value: str) -> str:
    if rule.measure == "age":
        return f"none for {value}"
    return "that is no longer so" if rule.op == "==" else f"the value is back at {value}"


def _measured(rule: RuleSettings, sample: LatestSample, view: View) -> tuple[float | None, str]:
    metric = metric_of_sample(sample.key.name)
    unit = metric.unit if metric is not None else ""
    if rule.measure == "age":
        return view.now_ms / 1000 - sample.value, "seconds"
    if rule.measure == "silence":  # what was heard before the start may since have left the configuration
        heard = sample.time_ms >= view.started_ms
        return (view.now_ms - sample.time_ms) / 1000 if heard else None, "seconds"
    if not rule.per:
        return sample.value, unit
    whole = [Matcher("__name__", "=", rule.per), *(Matcher(name, "=", value) for name, value in sample.key.labels)]
    totals = [other.value for other in view.latest(whole, rule.stale_ms) if other.key.labels == sample.key.labels]
    return (sample.value / totals[0] if totals and totals[0] else None), "ratio"


def _forecast_breach(rule: RuleSettings, view: View) -> Iterator[Reading]:
    matchers = parse_selector(rule.match)
    by_target: dict[SeriesKey, list[Prediction]] = {}
    for forecast in view.predictions():
        fresh = view.now_ms - forecast.as_of_ms <= rule.stale_ms
        if (
            fresh
            and forecast.decisive
            and forecast.status == "ok"
            and all(matcher.matches(forecast.target) for matcher in matchers)
        ):
            by_target.setdefault(forecast.target, []).append(forecast)
    for target, forecasts in by_target.items():
        yield _breach(rule, target, forecasts, view.now_ms)


def _breach(rule: RuleSettings, target: SeriesKey, forecasts: Sequence[Prediction], now_ms: int) -> Reading:
    first = min(forecasts, key=lambda forecast: math.inf if forecast.breach_ms is None else forecast.breach_ms)
    as_of_ms = max(forecast.as_of_ms for forecast in forecasts)
    if first.breach_ms is None or first.breach_ms - now_ms > rule.window * 1000:
        ended = f"no breach is expected within {duration(rule.window)}"
        return Reading(_with_metric(target), as_of_ms, None, raised=False, held=False, ended=ended)
    return Reading(
        labels=_with_metric(target),
        time_ms=as_of_ms,
        value=max(0.0, (first.breach_ms - now_ms) / 1000),
        raised=True,
        held=True,
        facts={
            "value": _lead(first.breach_ms, now_ms),
            "metric": target.name,
            "series": str(target),
            "limit": "" if first.limit is None else quantity(first.limit, first.unit),
            "breach_in": _lead(first.breach_ms, now_ms),
            "breach_at": moment(first.breach_ms),
            "breach_early": _early(first, now_ms),
            "model": first.model,
            "history": duration(first.history_hours * 3600),
        },
    )


def _lead(time_ms: int, now_ms: int) -> str:
    return "now" if time_ms <= now_ms else f"in {duration((time_ms - now_ms) / 1000)}"


def _early(forecast: Prediction, now_ms: int) -> str:
    if forecast.breach_early_ms is None or forecast.breach_early_ms == forecast.breach_ms:
        return ""
    return f" (with one chance in ten {_lead(forecast.breach_early_ms, now_ms)})"


def _anomaly(rule: RuleSettings, view: View) -> Iterator[Reading]:
    matchers, least = parse_selector(rule.match), rule.value or 0.0
    for standing in view.standings():
        stale = view.now_ms - standing.judged_ms > rule.stale_ms
        if stale or not all(matcher.matches(standing.target) for matcher in matchers):
            continue
        anomaly = standing.anomaly
        strong = anomaly is not None and anomaly.score >= least
        yield Reading(
            labels=_with_metric(standing.target),
            time_ms=standing.judged_ms,
            value=anomaly.score if anomaly is not None else standing.score,
            raised=anomaly is not None and strong and anomaly.seen_ms >= standing.judged_ms,
            held=strong,
            facts=_anomaly_facts(standing.target, anomaly) if anomaly is not None else {},
            ended="" if strong else "it is within what is usual again",
        )


def _anomaly_facts(target: SeriesKey, anomaly: Anomaly) -> dict[str, str]:
    return {
        "value": f"{anomaly.score:.4f}",
        "metric": target.name,
        "series": str(target),
        "kind": anomaly.kind.replace("_", " "),
        "reason": anomaly.reason,
    }


def _absent(rule: RuleSettings, view: View) -> Iterator[Reading]:
    matchers = parse_selector(rule.match)
    if view.latest(matchers, rule.stale_ms):
        present, ended = True, "the series is back"
    elif view.now_ms - view.started_ms < rule.stale_ms:
        return  # the collectors have not had their time yet
    else:
        present, ended = False, ""
    yield Reading(
        labels=labels_of({m.label: m.value for m in matchers if m.operator == "=" and m.label != "__name__"}),
        time_ms=view.now_ms,
        value=None,
        raised=not present,
        held=not present,
        facts={"metric": rule.match, "silence": duration(rule.stale_ms / 1000)},
        ended=ended,
    )


def _collector_failing(rule: RuleSettings, view: View) -> Iterator[Reading]:
    for sample in view.latest(parse_selector(rule.match), rule.stale_ms):
        failing = sample.value == 0
        yield Reading(
            labels=sample.key.labels,
            time_ms=sample.time_ms,
            value=sample.value,
            raised=failing,
            held=failing,
            facts={"failing_for": _failing_for(sample, view)},
            ended="" if failing else "the collector gives data again",
        )


def _failing_for(sample: LatestSample, view: View) -> str:
    collector = Matcher("collector", "=", sample.key.label("collector"))
    found = view.latest((Matcher("__name__", "=", _LAST_SUCCESS), collector), 365 * 86_400_000)
    return f"for {duration(view.now_ms / 1000 - found[0].value)}" if found else "since the start"


def _with_metric(key: SeriesKey) -> Labels:
    return labels_of({**dict(key.labels), "metric": key.name})


_CONDITIONS: Mapping[RuleType, Callable[[RuleSettings, View], Iterator[Reading]]] = {
    "threshold": _threshold,
    "forecast_breach": _forecast_breach,
    "anomaly": _anomaly,
    "absent": _absent,
    "collector_failing": _collector_failing,
}
