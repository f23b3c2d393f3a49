"""The six kinds of condition: each looks at what is known now and says for which series it holds."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from alerts.breaches import breaches
from alerts.glossary import glossary
from alerts.inputs import Anomaly, LatestSample, LogAnomaly, Reading, with_metric
from alerts.rule import RuleSettings, RuleType
from alerts.view import View
from collector.catalogue import metric_of_sample
from collector.series import Matcher, SeriesKey, labels_of, parse_selector
from forewarn.base.words import duration, quantity

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
            labels=with_metric(sample.key),
            time_ms=sample.time_ms if rule.measure in {"value", "rate"} else view.now_ms,
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
    if rule.measure == "rate":
        return view.rates.rate(sample), f"{unit}/s"
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


def _anomaly(rule: RuleSettings, view: View) -> Iterator[Reading]:
    matchers, least = parse_selector(rule.match), rule.value or 0.0
    for standing in view.standings():
        stale = view.now_ms - standing.judged_ms > rule.stale_ms
        if stale or not all(matcher.matches(standing.target) for matcher in matchers):
            continue
        anomaly = standing.anomaly
        strong = anomaly is not None and anomaly.score >= least
        yield Reading(
            labels=with_metric(standing.target),
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


def _log_anomaly(rule: RuleSettings, view: View) -> Iterator[Reading]:
    matchers = parse_selector(rule.match)
    for found in view.log_anomalies():
        if view.now_ms - found.heard_ms > rule.stale_ms or not all(one.matches(found.key) for one in matchers):
            continue
        for severity, least in rule.stages:
            strong = found.score >= least and not found.over
            yield Reading(
                labels=found.key.labels,
                time_ms=found.heard_ms,
                value=found.score,
                raised=strong,
                held=strong,
                facts=_log_facts(found),
                ended="" if strong else "the logs are as usual again",
                severity=severity,
                notes={"anomaly": found.id, "template": found.text, "example": found.example},
            )


def _log_facts(found: LogAnomaly) -> dict[str, str]:
    return {
        "value": f"{found.score:.4f}",
        "kind": found.key.label("kind").replace("_", " "),
        "reason": found.reason,
        "dataset": found.key.label("dataset"),
        "template": found.text,
        "example": found.example,
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


_CONDITIONS: Mapping[RuleType, Callable[[RuleSettings, View], Iterator[Reading]]] = {
    "threshold": _threshold,
    "forecast_breach": breaches,
    "anomaly": _anomaly,
    "log_anomaly": _log_anomaly,
    "absent": _absent,
    "collector_failing": _collector_failing,
}
