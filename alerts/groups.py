"""Groups of alerts, and whether a receiver has to hear of one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from alerts.alert import Alert
from alerts.payload import group_key

Firing = dict[str, int]
"""Fingerprints of firing alerts, each with the time that it began to fire."""


@dataclass(frozen=True)
class Wanted:
    """What fires in a group now."""

    labels: dict[str, str]
    firing: Firing = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """What a receiver knows of a group.

    Attributes:
        told: what the receiver acknowledged as firing.
        maybe: what attempts of unknown outcome told it.
        handled: what fired when the last notification came to its end, delivered or dead.
        handled_ms: when that was.
    """

    labels: dict[str, str]
    told: Firing = field(default_factory=dict)
    maybe: Firing = field(default_factory=dict)
    handled: Firing | None = None
    handled_ms: int | None = None


@dataclass(frozen=True)
class Pace:
    """The intervals of notification, in milliseconds."""

    wait_ms: int
    interval_ms: int
    repeat_ms: int
    ahead_ms: int


@dataclass(frozen=True)
class News:
    """What a receiver does not know yet."""

    new: Collection[str]
    over: Collection[str]

    def __bool__(self) -> bool:
        return bool(self.new or self.over)


def wanted_groups(alerts: Mapping[str, Alert], group_by: Collection[str]) -> dict[str, Wanted]:
    """Firing alerts by group key."""
    groups: dict[str, Wanted] = {}
    for mark, alert in alerts.items():
        if alert.state == "firing":
            labels = {name: value for name, value in alert.labels if name in group_by}
            groups.setdefault(group_key(labels), Wanted(labels)).firing[mark] = alert.fired_ms or 0
    return groups


def news(group: Group, firing: Firing, alerts: Mapping[str, Alert], *, send_resolved: bool) -> News:
    """What the receiver has to be told, however often that was tried already."""
    new = [mark for mark, fired_ms in firing.items() if group.told.get(mark) != fired_ms]
    known = {**group.maybe, **group.told}
    over = [mark for mark in known if mark not in firing and _has_left(alerts.get(mark))]
    return News(new, over if send_resolved else ())


def due(group: Group, firing: Firing, news: News, pace: Pace, now_ms: int) -> tuple[int, str] | None:
    """When and for what cause to notify; None where there is nothing to say."""
    if news.over or (news.new and firing != (group.handled or {})):
        return max(now_ms + pace.wait_ms, min(group.handled_ms or 0, now_ms) + pace.interval_ms), "change"
    if not firing or group.handled_ms is None:
        return None
    repeat_ms = min(group.handled_ms, now_ms) + pace.repeat_ms
    return (repeat_ms, "repeat") if repeat_ms <= now_ms + pace.ahead_ms else None


def reason(group: Group, firing: Firing, news: News) -> str:
    """``notification_reason`` in Alertmanager's words (``notify/notify.go``)."""
    if not group.told and not group.maybe:
        return "first notification"
    if news.new:
        return "new alerts added"
    if news.over:
        return "some alerts resolved" if firing else "all alerts resolved"
    return "repeat interval elapsed"


def has_moved(group: Group, firing: Firing, alerts: Mapping[str, Alert]) -> bool:
    """Whether what the receiver was told in this group fires in another one since: ``group_by`` has changed."""
    told = group.told.keys() | group.maybe.keys()
    return any(mark in alerts and alerts[mark].state == "firing" for mark in told - firing.keys())


def _has_left(alert: Alert | None) -> bool:
    """Whether an alert that does not fire in a group is over in it: resolved, or firing in another group."""
    return alert is not None and (alert.resolved_ms is not None or alert.state == "firing")
