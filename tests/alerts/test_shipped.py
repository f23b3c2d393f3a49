"""The shipped rules: about metrics that exist, with labels that exist, and each able to fire."""

import re
from collections import Counter
from pathlib import Path

import pytest

from alerts.rule import RuleSettings
from alerts.settings import AlertsSettings
from alerts.shipped import effective_rules, shipped_rules
from collector.catalogue import CATALOGUE, Metric, metric_of_sample
from collector.series import Matcher, SeriesKey, labels_of, parse_selector
from forewarn.base.errors import ConfigError
from tests.support.alert_rig import Rig
from tests.support.hourly import chance
from tests.support.latest_samples import forecast, unusual, unusual_logs

RULES = shipped_rules()
BY_NAME = {rule.name: rule for rule in RULES}
ODD = re.compile(r"[{}]|  | [.,]|^\s*$")
SPAN = re.compile(r"\b(second|minute|hour|day)s?\b")
COUNTED = re.compile(r"\{value\} \w+s\b")
LABEL = re.compile(r"\{labels\.(\w+)\}")
EXAMPLES = {"sensor": "core", "state": "queued"}


def metrics_of(rule: RuleSettings) -> list[Metric]:
    name = next((m for m in parse_selector(rule.match) if m.label == "__name__"), None)
    if name is None or name.operator != "=":
        return [metric for metric in CATALOGUE.values() if all(matches(metric, m) for m in parse_selector(rule.match))]
    metric = metric_of_sample(name.value)
    return [] if metric is None else [metric]


def matches(metric: Metric, matcher: Matcher) -> bool:
    return matcher.label != "__name__" or matcher.matches(SeriesKey(metric.name))


def example(rule: RuleSettings, metric: Metric, name: str = "") -> SeriesKey:
    asked = [m for m in parse_selector(rule.match) if m.label != "__name__"]
    fixed = {m.label: m.value.partition("|")[0] for m in asked if m.operator in {"=", "=~"}}
    values = {label: fixed.get(label) or EXAMPLES.get(label) or f"some-{label}" for label in metric.labels}
    return SeriesKey(name or metric.name, labels_of(values))


def names_in(rule: RuleSettings) -> set[str]:
    literal = re.findall(r"forewarn_[a-z0-9_]+[a-z0-9](?![a-z0-9_]*[(.*])", rule.match)
    return {*literal, *([rule.per] if rule.per else [])}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_its_metrics_and_labels_are_in_the_catalogue(rule: RuleSettings) -> None:
    assert all(metric_of_sample(name) is not None for name in names_in(rule)), names_in(rule)
    metrics = metrics_of(rule)
    assert metrics
    asked = {m.label for m in parse_selector(rule.match)} - {"__name__"}
    asked |= set(LABEL.findall(rule.summary + rule.description))
    for metric in metrics:
        assert asked <= set(metric.labels), metric.name
    if rule.per:
        assert CATALOGUE[rule.per].labels == metrics[0].labels


def raising(rule: RuleSettings, now_ms: int) -> float:
    assert rule.value is not None
    if rule.measure == "age":
        return now_ms / 1000 - rule.value / 2
    shift = {">": 1, "<": -1}.get((rule.op or "")[0], 0)
    return rule.value + shift * max(0.01, abs(rule.value) / 10)


def arrange(rig: Rig, rule: RuleSettings) -> None:
    now, [metric, *_] = rig.clock.now_ms(), metrics_of(rule)
    key = str(example(rule, metric))
    if rule.type == "forecast_breach":
        rig.forecasts.newest = [forecast(key, now, chance=chance({2: 0.1, 4: 0.7}))]
    elif rule.type == "anomaly":
        rig.standings.now = [unusual(key, now, rule.value or 1.0)]
    elif rule.type == "log_anomaly":
        rig.log_anomalies.now = [unusual_logs(now, 0.9999)]
    elif rule.type == "collector_failing":
        rig.store.put(key, 0, now)
    elif rule.type == "threshold" and not (rule.measure == "silence" and rig.clock.monotonic()):
        rig.store.put(key, raising(rule, now), now)
        if rule.per:
            rig.store.put(str(example(rule, metric, rule.per)), 1, now)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
async def test_it_fires_and_its_words_are_whole(tmp_path: Path, rule: RuleSettings) -> None:
    rig = Rig(tmp_path, rule.model_dump(by_alias=True, exclude_defaults=True))
    for _ in range(max(33, 3 + int(rule.for_ // 30))):
        arrange(rig, rule)
        await rig.at(30)
    [alert] = rig.engine.alerts()
    assert alert.state == "firing"
    words = dict(alert.annotations)
    assert words["summary"]
    assert words["description"]
    for sentence in (words["summary"], words["description"]):
        assert not ODD.search(re.sub(r"\w+\{[^}]*\}", "series", sentence)), sentence


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_its_words_are_true_before_it_fires_and_of_one_as_of_many(rule: RuleSettings) -> None:
    words = f"{rule.summary} {rule.description}"
    assert not rule.for_ or not SPAN.search(words), "while it is pending, no fixed time has passed"
    assert rule.clear is None or not re.search(r"than \{limit\} since", words), "between clear and value it is less"
    assert not COUNTED.search(words), "'1 notifications'"
    assert "for {silence}" not in words, "{silence} is when it began, not how long it is by now"


@pytest.mark.parametrize(
    ("diagnosis", "rules"),
    [
        ('{condition="driver_stuck"}', []),
        ('{condition="driver_mismatch"}', ["GpuDriverUnusable"]),
        ('{condition="container_lost_gpus"}', ["GpuDriverUnusable"]),
        ('{condition="no_permission"}', ["GpuDriverUnusable"]),
        ('{condition="driver_slow"}', ["GpuDriverSlow"]),
        ('{condition="gpu_missing",gpu="1",uuid="GPU-1"}', ["GpuLost"]),
        ('{condition="persistence_off",gpu="1",uuid="GPU-1"}', ["GpuCollectorFailing"]),
    ],
)
async def test_gpus_without_data_are_one_alert_which_knows_why(
    tmp_path: Path, diagnosis: str, rules: list[str]
) -> None:
    rig = Rig(tmp_path, shipped_rules=True)
    for _ in range(10):
        now = rig.clock.now_ms()
        rig.store.put('forewarn_collector_success{collector="nvml"}', 0, now)
        rig.store.put(f"forewarn_gpu_diagnosis{diagnosis}", 1, now)
        found = await rig.at(30)
    assert [each.rule for each in found if each.rule != "HostMetricsAbsent"] == rules  # of the host nothing is stored


def test_names_are_unique() -> None:
    assert max(Counter(rule.name for rule in RULES).values()) == 1


@pytest.mark.parametrize("metric", [m for m in CATALOGUE.values() if m.kind], ids=lambda metric: metric.name)
def test_each_capacity_has_exactly_one_rule_for_the_next_three_days(metric: Metric) -> None:
    three_days = [r for r in RULES if r.type == "forecast_breach" and r.stages[-1][1] == 72 * 3600]
    assert sum(metric in metrics_of(rule) for rule in three_days) == 1


def test_a_rule_of_the_same_name_replaces_the_shipped_one() -> None:
    own = {"name": "GpuHot", "type": "threshold", "match": "forewarn_gpu_temperature_celsius", "op": ">", "value": 60}
    other = own | {"name": "Mine"}
    rules = {rule.name: rule for rule in effective_rules(AlertsSettings.model_validate({"rule": [own, other]}))}
    assert rules["GpuHot"].value == 60
    assert rules["GpuHot"].clear is None
    assert rules.keys() == BY_NAME.keys() | {"Mine"}


def test_rules_can_be_left_out() -> None:
    names = {rule.name for rule in effective_rules(AlertsSettings(disabled_rules=("GpuHot",)))}
    assert names == BY_NAME.keys() - {"GpuHot"}
    assert effective_rules(AlertsSettings(shipped_rules=False)) == ()
    off = {"name": "GpuHot", "type": "threshold", "match": "x", "op": ">", "value": 1, "enabled": False}
    assert "GpuHot" not in {rule.name for rule in effective_rules(AlertsSettings.model_validate({"rule": [off]}))}


def test_a_wrong_name_to_leave_out_is_an_error_that_knows_better() -> None:
    with pytest.raises(ConfigError, match="did you mean GpuHot"):
        effective_rules(AlertsSettings(disabled_rules=("GpuHott",)))
