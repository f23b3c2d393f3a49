"""Rules of type log_anomaly: severity by score, words with an example, an end, silence."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.alert import Alert
from alerts.rule import RuleSettings
from tests.support.alert_rig import Rig
from tests.support.latest_samples import unusual_logs

RULE: dict[str, Any] = {
    "name": "LogsUnusual",
    "type": "log_anomaly",
    "severity_by_score": {"critical": 0.9999, "info": 0.99},
    "summary": "{dataset}: {reason}",
    "description": "{template} | {example} | {value}",
}


async def told(rig: Rig, score: float, *, over: bool = False, seconds: float = 10) -> list[Alert]:
    await rig.clock.advance(seconds)
    rig.log_anomalies.now = [unusual_logs(rig.clock.now_ms(), score, over=over)]
    rig.engine.evaluate()
    return [alert for alert in rig.engine.alerts() if alert.state == "firing"]


async def test_the_score_says_how_urgent_it_is(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE)
    assert await told(rig, 0.98) == []
    [alert] = await told(rig, 0.995)
    assert (alert.severity, dict(alert.labels)["dataset"], dict(alert.labels)["template"]) == ("info", "vllm", "17")
    [alert] = await told(rig, 0.99995)
    assert alert.severity == "critical"
    assert await told(rig, 0.99995, over=True) == []


async def test_the_words_hold_template_and_example(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE, receivers=[{"name": "ops", "url": "http://127.0.0.1:9"}])
    await told(rig, 0.995)
    body = rig.deliver().body.decode()
    assert "vllm: a new kind of line, template 17, came 5 times" in body
    assert "CUDA error: <*> in kernel <*> | ERROR CUDA error: 700 in kernel paged_attention | 0.9950" in body
    assert '"anomaly":"0123456789abcdef"' in body


async def test_what_is_no_longer_heard_of_ends(tmp_path: Path) -> None:
    rig = Rig(tmp_path, RULE)
    assert len(await told(rig, 0.995)) == 1
    await rig.clock.advance(299)
    rig.engine.evaluate()
    assert [alert.state for alert in rig.engine.alerts()] == ["firing"]
    await rig.clock.advance(10)
    rig.engine.evaluate()
    assert [alert.state for alert in rig.engine.alerts()] == ["resolved"]


async def test_a_rule_may_be_about_one_data_set_or_kind(tmp_path: Path) -> None:
    here = {**RULE, "match": '{dataset="vllm",kind="new_template"}'}
    there = {**RULE, "name": "Elsewhere", "match": '{dataset="nginx"}'}
    rig = Rig(tmp_path, here, there)
    assert [alert.rule for alert in await told(rig, 0.995)] == ["LogsUnusual"]


@pytest.mark.parametrize(
    "changes",
    [
        {"severity_by_score": {"critical": 0.9, "info": 0.99}},
        {"severity_by_score": {"critical": 1.0}},
        {"value": 0.5},
        {"severity": "critical"},
        {"type": "anomaly"},
    ],
    ids=["order", "one", "value", "severity", "type"],
)
def test_what_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RuleSettings.model_validate({**RULE, "summary": "", "description": "", **changes})
