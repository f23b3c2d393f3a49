"""Alerts about GPUs say what the tables of the collector say, and tell of exactly what the tables ask for."""

from pathlib import Path

import pytest

from alerts.glossary import glossary
from alerts.rule import RuleSettings
from alerts.shipped import shipped_rules
from collector.nvml.health.diagnosis import DIAGNOSES
from collector.nvml.xid.ledger import LAST_SEEN
from collector.nvml.xid.meanings import CRITICAL, WARNING, XIDS
from collector.series import SeriesKey, parse_selector
from tests.support.alert_rig import Rig

RULES = {rule.name: rule for rule in shipped_rules()}
HOUR = 3600.0


def told_by(key: SeriesKey) -> list[RuleSettings]:
    return [
        rule
        for rule in RULES.values()
        if rule.type == "threshold" and all(matcher.matches(key) for matcher in parse_selector(rule.match))
    ]


@pytest.mark.parametrize("code", sorted({*(row.code for row in XIDS.values()), 999, 1}))
def test_xids_alert_by_the_allow_list_alone(code: int) -> None:
    rules = told_by(SeriesKey.of(LAST_SEEN, gpu="0", uuid="GPU-0", xid=str(code)))
    expected = ["critical"] if code in CRITICAL else ["warning"] if code in WARNING else []
    assert [rule.severity for rule in rules] == expected
    assert all(rule.measure == "age" and rule.for_ == 0 for rule in rules)


@pytest.mark.parametrize("condition", DIAGNOSES)
def test_every_condition_is_told_of_by_the_rule_that_the_table_names(condition: str) -> None:
    row = DIAGNOSES[condition]
    rules = [rule.name for rule in told_by(SeriesKey.of("forewarn_gpu_diagnosis", condition=condition, gpu="0"))]
    assert rules == ([row.alert] if rules else [])
    assert (row.alert == "") == (row.severity == "hint")
    if row.alert:
        rule = RULES[row.alert]
        assert rule.severity == row.severity
        assert rule.description == "{next_step}"
        metric = rule.match.partition("{")[0]
        shown = SeriesKey.of(metric, condition=condition if metric == "forewarn_gpu_diagnosis" else "", gpu="0")
        words = glossary(shown, 1.0)
        assert (words["meaning"], words["next_step"]) == (row.meaning, row.next_step)


@pytest.mark.parametrize(
    ("metric", "value", "detail"),
    [
        ("forewarn_gpu_recovery_action", 2, "reboot the node"),
        ("forewarn_gpu_recovery_action", 9, "number 9"),
        ("forewarn_gpu_fabric_misconfigured", 3, "no partition"),
        ("forewarn_gpu_remapped_rows_failure", 1, ""),
        ("forewarn_gpu_power_watts", 1, ""),
    ],
)
def test_a_number_is_told_in_words(metric: str, value: float, detail: str) -> None:
    assert glossary(SeriesKey.of(metric, gpu="3", uuid="GPU-3"), value)["detail"] == detail


def test_a_series_that_no_table_knows_has_no_words() -> None:
    for key in (SeriesKey.of("forewarn_node_load1"), SeriesKey.of("x", condition="no such thing")):
        assert glossary(key, 1.0) == {"meaning": "", "next_step": "", "detail": ""}


async def test_the_first_xid_alerts_at_once_with_its_meaning_and_ends_after_an_hour(tmp_path: Path) -> None:
    rig = Rig(tmp_path, shipped_rules=True)
    key = str(SeriesKey.of(LAST_SEEN, gpu="3", uuid="GPU-3", xid="79"))
    seen = rig.clock.now_ms() / 1000
    rig.store.put(key, seen, rig.clock.now_ms())
    (alert,) = await rig.at(2)
    assert (alert.rule, alert.state, alert.severity) == ("GpuXidCritical", "firing", "critical")
    words = dict(alert.annotations)
    assert words["summary"].startswith("GPU 3 reported XID 79 2 s ago: the GPU has fallen off the bus")
    assert words["description"] == XIDS["79"].next_step
    await rig.clock.advance(HOUR + 1)
    rig.store.put(key, seen, rig.clock.now_ms())
    [ended] = [each for each in await rig.at(0) if each.rule == "GpuXidCritical"]
    assert ended.state == "resolved"
    assert "none for 1 h" in dict(ended.annotations)["ended"]
