"""From one evaluation to the next: inactive, pending, firing, resolved.

``for`` is counted between the times of the evidence, not by the wall clock: a value that was measured once and then
only grew old never turns a pending alert into a firing one, and a forecast rule with any ``for`` asks for a second
forecast that says the same.

What silence means. A reading older than the rule's ``stale_after`` no longer counts. A pending alert is then dropped.
A firing one goes on until the silence has lasted ``stale_after`` (counted from the start of the daemon if that is
later, for the collectors must first be heard), then it is resolved and says so in its annotation ``ended``: an alert
must neither flap because of one failed scrape, nor stand for ever for a disk that was taken out. That the source went
silent is the business of other rules (collector failing, GPU lost, absent series).
"""

from dataclasses import dataclass, replace

from alerts.alert import Alert
from alerts.inputs import Reading
from alerts.rule import RuleSettings
from alerts.wording import fill
from collector.series import Labels, labels_of
from forewarn.base.clock import rfc3339
from forewarn.base.words import duration


@dataclass(frozen=True)
class Moment:
    """When an evaluation takes place, and since when the daemon runs."""

    now_ms: int
    started_ms: int


def advance(
    rule: RuleSettings, alert: Alert | None, reading: Reading | None, labels: Labels, moment: Moment
) -> Alert | None:
    """The alert after this evaluation; None where there is none any more."""
    if reading is None:
        return alert and _silent(rule, alert, moment)
    if alert is None or alert.state == "resolved":
        return _begin(rule, alert, reading, labels, moment) if reading.raised else alert
    if alert.state == "pending":
        return _pending(rule, alert, reading, moment) if reading.raised else drop(alert)
    return _firing(rule, alert, reading, moment)


def drop(alert: Alert) -> Alert | None:
    """A pending alert whose condition ended; an earlier firing of it stays known as resolved."""
    return None if alert.resolved_ms is None else alert.with_state("resolved")


def resolve(alert: Alert, now_ms: int, ended: str) -> Alert:
    """A firing alert that is over."""
    lasted = duration((now_ms - (alert.fired_ms or now_ms)) / 1000)
    annotations = labels_of({**dict(alert.annotations), "ended": f"{ended}, after {lasted}"})
    return alert.with_state("resolved", resolved_ms=now_ms, annotations=annotations, ended=ended)


def _begin(rule: RuleSettings, alert: Alert | None, reading: Reading, labels: Labels, moment: Moment) -> Alert:
    fresh = Alert(
        rule=rule.name,
        labels=labels,
        annotations=(),
        state="pending",
        value=reading.value,
        active_ms=moment.now_ms,
        evidence_ms=reading.time_ms,
        reading_ms=reading.time_ms,
        held_ms=moment.now_ms,
        fired_ms=alert.fired_ms if alert else None,
        resolved_ms=alert.resolved_ms if alert else None,
    )
    return _pending(rule, fresh, reading, moment)


def _pending(rule: RuleSettings, alert: Alert, reading: Reading, moment: Moment) -> Alert:
    if reading.time_ms - alert.reading_ms > rule.stale_ms:  # nobody knows what happened in between: count anew
        alert = replace(alert, active_ms=moment.now_ms, evidence_ms=reading.time_ms)
    seen = _seen(rule, alert, reading, moment)
    if reading.time_ms - alert.evidence_ms < rule.for_ * 1000:
        return seen
    return seen.with_state("firing", fired_ms=moment.now_ms, resolved_ms=None, ended="")


def _firing(rule: RuleSettings, alert: Alert, reading: Reading, moment: Moment) -> Alert:
    if reading.held:
        return _seen(rule, alert, reading, moment)
    if moment.now_ms - alert.held_ms < rule.keep_firing_for * 1000:
        return replace(alert, reading_ms=reading.time_ms)
    return resolve(alert, moment.now_ms, reading.ended)


def _seen(rule: RuleSettings, alert: Alert, reading: Reading, moment: Moment) -> Alert:
    return replace(
        alert,
        value=reading.value,
        reading_ms=reading.time_ms,
        held_ms=moment.now_ms,
        annotations=_annotations(rule, alert, reading),
    )


def _silent(rule: RuleSettings, alert: Alert, moment: Moment) -> Alert | None:
    if alert.state == "resolved":
        return alert
    silence_ms = moment.now_ms - max(alert.reading_ms, moment.started_ms)
    if silence_ms < rule.stale_ms:
        return alert
    if alert.state == "pending":
        return drop(alert)
    if moment.now_ms - alert.held_ms < rule.keep_firing_for * 1000:
        return alert
    return resolve(alert, moment.now_ms, f"no data for {duration(silence_ms / 1000)}")


def _annotations(rule: RuleSettings, alert: Alert, reading: Reading) -> Labels:
    labels = dict(alert.labels)
    facts = {**reading.facts, "since": rfc3339(alert.active_ms), "hostname": labels.get("hostname", "")}
    return labels_of(
        {
            "summary": fill(rule.summary, facts, labels),
            "description": fill(rule.description, facts, labels),
            "runbook_url": rule.runbook_url,
            **reading.notes,
        }
    )
