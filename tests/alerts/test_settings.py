"""Wrong settings, each with words that say what is wrong."""

import tomllib
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.settings import AlertsSettings, ReceiverSettings, RuleSettings

BREACH = {"name": "A", "type": "forecast_breach"}
THRESHOLD = {"name": "A", "type": "threshold", "match": "x", "op": ">", "value": 5}
RECEIVER = {"name": "ops", "url": "http://h/"}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (THRESHOLD | {"op": None}, "a threshold needs op and value"),
        (THRESHOLD | {"value": None}, "a threshold needs op and value"),
        (THRESHOLD | {"match": ""}, "'match' must say which series"),
        (THRESHOLD | {"match": "x{"}, "is no series"),
        (THRESHOLD | {"match": '{a=~"["}'}, "no regular expression"),
        (THRESHOLD | {"unless": "x{"}, "is no series"),
        (THRESHOLD | {"clear": 6}, "an alert on > 5 cannot clear at 6"),
        (THRESHOLD | {"op": "<", "clear": 4}, "an alert on < 5 cannot clear at 4"),
        (THRESHOLD | {"op": "==", "clear": 4}, "clear has no meaning with =="),
        (THRESHOLD | {"window": "1h"}, "'window' has no meaning in a rule of type 'threshold'"),
        (THRESHOLD | {"severity_by_lead": {"info": "1h"}}, "'severity_by_lead' has no meaning"),
        (BREACH | {"clear": 0.6}, "clear must lie between 0 and the probability of 0.6"),
        (BREACH | {"probability": 60}, "less than or equal to 1"),
        (BREACH | {"severity_by_lead": {"info": "1h"}, "severity": "info"}, "says severity and window already"),
        (BREACH | {"severity_by_lead": {"info": "1h", "critical": "6h"}}, "the more urgent, the shorter"),
        (BREACH | {"severity_by_lead": {"info": "4d"}}, "72h at most"),
        (BREACH | {"severity_by_lead": {"page": "4h"}}, "'critical', 'warning' or 'info'"),
        (THRESHOLD | {"summary": "{breach_in}"}, "{breach_in} is not known for 'threshold'"),
        (THRESHOLD | {"summary": "{value"}, "lone '{'"),
        (THRESHOLD | {"summary": "{value.__class__}"}, "no placeholder"),
        (THRESHOLD | {"summary": "{labels}"}, "no placeholder"),
        (THRESHOLD | {"summary": "{value!r}"}, "lone '{'"),
        (THRESHOLD | {"summary": "{value:>9999999999}"}, "lone '{'"),
        (THRESHOLD | {"name": "a b"}, "no alert name"),
        (THRESHOLD | {"labels": {"severity": "x"}}, "cannot be a label"),
        (THRESHOLD | {"labels": {"a-b": "x"}}, "cannot be a label"),
        (THRESHOLD | {"severity": "page"}, "'critical', 'warning' or 'info'"),
        (THRESHOLD | {"for": "soon"}, "no duration"),
        (THRESHOLD | {"fro": "1m"}, "Extra inputs"),
        ({"name": "A", "type": "absent"}, "'match' must say which series"),
        ({"name": "A", "type": "absent", "match": "x", "op": ">"}, "'op' has no meaning"),
        ({"name": "A", "type": "forecast_breach", "value": 3}, "'value' has no meaning"),
    ],
)
def test_wrong_rules(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RuleSettings.model_validate(rule)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("receiver", "words"),
    [
        ({"name": "ops"}, "either url or url_file"),
        (RECEIVER | {"url_file": "/x"}, "either url or url_file"),
        (RECEIVER | {"url": "ftp://h/"}, "must look like https://"),
        (RECEIVER | {"url": "http://"}, "must look like https://"),
        (RECEIVER | {"url": "http://user:secret@h/"}, "must not hold a user"),
        (RECEIVER | {"url": "http://h:99999/"}, "port"),
        (RECEIVER | {"type": "slack"}, "'webhook'"),
        (RECEIVER | {"timeout": 0}, "greater than 0"),
    ],
)
def test_wrong_receivers(receiver: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ReceiverSettings.model_validate(receiver)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"receiver": [RECEIVER, RECEIVER]}, "'ops' is given twice"),
        ({"rule": [THRESHOLD, THRESHOLD]}, "'A' is given twice"),
        ({"labels": {"alertname": "x"}}, "cannot be a label of all alerts"),
        ({"external_url": "n1:7470"}, "must look like https://"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AlertsSettings.model_validate(settings)
    assert words in str(caught.value)


def test_a_whole_file() -> None:
    text = """
    external_url = "http://n1:7470/"
    repeat_interval = "2h"
    [[receiver]]
    name = "ops"
    url_file = "/run/credentials/url"
    [[rule]]
    name = "Slow"
    type = "threshold"
    match = 'forewarn_canary_duration_seconds{endpoint="e"}'
    op = ">"
    value = 3
    for = "5m"
    summary = "{labels.endpoint} takes {value}, {{sic}}"
    """
    settings = AlertsSettings.model_validate(tomllib.loads(text))
    assert settings.external_url == "http://n1:7470"
    assert settings.repeat_interval == 7200
    assert settings.rule[0].for_ == 300


def test_the_address_is_not_shown() -> None:
    assert "s3cr3t" not in repr(ReceiverSettings.model_validate(RECEIVER | {"url": "http://h/s3cr3t"}))


def test_settings_survive_a_round_trip() -> None:
    settings = AlertsSettings.model_validate({"rule": [THRESHOLD | {"for": "1m"}]})
    assert AlertsSettings.model_validate(settings.model_dump(mode="json")) == settings


def test_every_field_is_described() -> None:
    for model in (AlertsSettings, ReceiverSettings, RuleSettings):
        assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_no_problem_repeats_an_address() -> None:
    with pytest.raises(ValidationError) as caught:
        AlertsSettings.model_validate({"receiver": [RECEIVER | {"url": "ftp://h/s3cr3t"}]})
    assert [isinstance(problem["input"], str) for problem in caught.value.errors()] == [False]
