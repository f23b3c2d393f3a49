"""Of one trouble told at several severities the most urgent speaks; the others keep still."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from alerts.alert import Alert
from alerts.inputs import Reading
from alerts.rule import URGENCY, RuleSettings
from alerts.states import Moment, advance, drop, resolve
from collector.series import Labels


def advance_all(
    rule: RuleSettings, before: Mapping[Labels, Alert], found: Mapping[Labels, Reading], moment: Moment
) -> Iterator[tuple[Labels, Alert | None]]:
    """Every alert of a rule after this evaluation; None where there is none any more.

    Where an alert ends and a less urgent one of the same trouble is not cleared yet, that one takes over at once,
    though it would not have begun by itself: what fades is told as fading.
    """
    stages = {severity for severity, _ in rule.stages}
    for group in _troubles({*before, *found}):
        speaking, faded = "", False
        for labels in group:
            alert = before.get(labels)
            if speaking:
                after = None if alert is None else _overtaken(alert, speaking, moment)
            else:
                after = advance(rule, alert, _taken_over(found.get(labels), faded=faded), labels, moment)
            if after is not None and after.state == "firing" and after.severity in stages:
                speaking = after.severity
            faded = faded or (alert is not None and alert.state == "firing")
            yield labels, after


def _troubles(labels: Iterable[Labels]) -> Iterator[list[Labels]]:
    """Identities that differ in their severity only, the most urgent first."""
    ordered = sorted(labels, key=lambda each: (_trouble(each), [*URGENCY].index(dict(each)["severity"])))  # type: ignore[arg-type]
    for _, group in groupby(ordered, _trouble):
        yield list(group)


def _trouble(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != "severity")


def _taken_over(reading: Reading | None, *, faded: bool) -> Reading | None:
    return replace(reading, raised=True) if reading is not None and faded and reading.held else reading


def _overtaken(alert: Alert, speaking: str, moment: Moment) -> Alert | None:
    if alert.state == "firing":
        return resolve(alert, moment.now_ms, f"it is {speaking} now")
    return drop(alert) if alert.state == "pending" else alert
