"""Alertmanager's webhook payload, version "4".

Keys and their order as in ``notify/webhook/webhook.go`` and ``template/template.go`` of prometheus/alertmanager, with
``notification_reason`` of 0.32. There are no routes here, hence no ``routeLabels``.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from alerts.alert import Alert
from forewarn.base.clock import rfc3339

VERSION = "4"
_STILL_FIRING = "0001-01-01T00:00:00Z"


def group_key(labels: Mapping[str, str]) -> str:
    """The name of a group, as Alertmanager writes that of its top route's groups."""
    pairs = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(labels.items()))
    return f"{{}}:{{{', '.join(pairs)}}}"


def webhook_body(
    alerts: Sequence[Alert],
    *,
    receiver: str,
    group_labels: Mapping[str, str],
    reason: str,
    external_url: str = "",
    max_alerts: int = 0,
) -> bytes:
    """The body of one notification; firing alerts come first, then those that are over."""
    ordered = sorted(alerts, key=lambda alert: (alert.state != "firing", alert.labels))
    shown = ordered[:max_alerts] if max_alerts else ordered
    return orjson.dumps(
        {
            "receiver": receiver,
            "status": "firing" if any(alert.state == "firing" for alert in ordered) else "resolved",
            "alerts": [_alert(alert, external_url) for alert in shown],
            "groupLabels": dict(sorted(group_labels.items())),
            "commonLabels": _common([dict(alert.labels) for alert in shown]),
            "commonAnnotations": _common([dict(alert.annotations) for alert in shown]),
            "externalURL": external_url,
            "version": VERSION,
            "groupKey": group_key(group_labels),
            "truncatedAlerts": len(ordered) - len(shown),
            "notification_reason": reason,
        }
    )


def _alert(alert: Alert, external_url: str) -> dict[str, Any]:
    firing = alert.state == "firing"
    return {
        "status": "firing" if firing else "resolved",
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": rfc3339(alert.fired_ms or alert.active_ms),
        "endsAt": _STILL_FIRING if firing or alert.resolved_ms is None else rfc3339(alert.resolved_ms),
        "generatorURL": external_url,
        "fingerprint": alert.fingerprint,
    }


def _common(pairs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = pairs
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
