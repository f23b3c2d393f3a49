"""The body, byte by byte, and the fingerprint."""

import json

from alerts.alert import Alert
from alerts.fingerprint import fingerprint
from alerts.payload import group_key, webhook_body
from collector.series import labels_of

START = 1_800_000_000_000
GOLDEN = (
    b'{"receiver":"ops","status":"firing","alerts":['
    b'{"status":"firing","labels":{"alertname":"Hot","gpu":"0","severity":"warning"},'
    b'"annotations":{"runbook_url":"https://wiki/hot","summary":"GPU 0 is at 91 \xc2\xb0C"},'
    b'"startsAt":"2027-01-15T08:00:00Z","endsAt":"0001-01-01T00:00:00Z",'
    b'"generatorURL":"http://n1:7470","fingerprint":"6049825fdba9af9e"},'
    b'{"status":"resolved","labels":{"alertname":"Hot","gpu":"1","severity":"warning"},'
    b'"annotations":{"ended":"cooled","runbook_url":"https://wiki/hot"},'
    b'"startsAt":"2027-01-15T08:00:00Z","endsAt":"2027-01-15T08:01:00.250Z",'
    b'"generatorURL":"http://n1:7470","fingerprint":"7974dd2be7f15469"}],'
    b'"groupLabels":{"alertname":"Hot"},"commonLabels":{"alertname":"Hot","severity":"warning"},'
    b'"commonAnnotations":{"runbook_url":"https://wiki/hot"},"externalURL":"http://n1:7470","version":"4",'
    b'"groupKey":"{}:{alertname=\\"Hot\\"}","truncatedAlerts":0,"notification_reason":"some alerts resolved"}'
)


def alert(gpu: str, *, resolved_ms: int | None = None, **annotations: str) -> Alert:
    return Alert(
        rule="Hot",
        labels=labels_of({"alertname": "Hot", "gpu": gpu, "severity": "warning"}),
        annotations=labels_of({"runbook_url": "https://wiki/hot", **annotations}),
        state="firing" if resolved_ms is None else "resolved",
        value=91.0,
        active_ms=START - 5000,
        evidence_ms=START - 5000,
        reading_ms=START,
        held_ms=START,
        fired_ms=START,
        resolved_ms=resolved_ms,
    )


def body(*alerts: Alert, max_alerts: int = 0) -> bytes:
    return webhook_body(
        alerts,
        receiver="ops",
        group_labels={"alertname": "Hot"},
        reason="some alerts resolved",
        external_url="http://n1:7470",
        max_alerts=max_alerts,
    )


COOLED = alert("1", resolved_ms=START + 60_250, ended="cooled")
HOT = alert("0", summary="GPU 0 is at 91 °C")


def test_the_whole_body() -> None:
    assert body(COOLED, HOT) == GOLDEN


def test_status_is_resolved_when_all_are() -> None:
    assert json.loads(body(COOLED))["status"] == "resolved"


def test_max_alerts_keeps_the_firing_ones_and_counts_the_others() -> None:
    short = json.loads(body(COOLED, HOT, max_alerts=1))
    assert [entry["status"] for entry in short["alerts"]] == ["firing"]
    assert short["truncatedAlerts"] == 1
    assert short["status"] == "firing"


def test_known_fingerprint() -> None:
    assert fingerprint({"foo": "bar"}) == "3fff2c2d7595e046"


def test_fingerprint_of_nothing_is_the_offset_and_order_does_not_matter() -> None:
    assert fingerprint({}) == "cbf29ce484222325"
    assert fingerprint({"b": "ü", "a": "1"}) == fingerprint({"a": "1", "b": "ü"})


def test_group_key_quotes_as_alertmanager_does() -> None:
    labels = {"severity": 'a"b\\c', "alertname": "X"}
    assert group_key(labels) == '{}:{alertname="X", severity="a\\"b\\\\c"}'
