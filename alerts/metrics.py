"""The room's own metrics; their rows are in collector.catalogue.alerts."""

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import get_args

from alerts.alert import State
from alerts.delivery import Dispatcher
from alerts.engine import Engine
from alerts.rule import Severity
from collector.series import Sample, SeriesKey

_ACTIVE: tuple[State, ...] = ("pending", "firing")


def samples(engine: Engine, dispatcher: Dispatcher) -> list[Sample]:
    """What the engine and the dispatcher say of themselves now; may be asked from any thread."""
    return [*_alerts(engine), *_notifications(dispatcher)]


def _alerts(engine: Engine) -> Iterator[Sample]:
    counts = Counter((alert.state, alert.severity) for alert in engine.alerts())
    for state, severity in product(_ACTIVE, get_args(Severity)):
        key = SeriesKey.of("forewarn_alerts_active", state=state, severity=severity)
        yield Sample(key, float(counts[state, severity]))
    if engine.evaluation_seconds is not None:
        yield Sample(SeriesKey.of("forewarn_alert_evaluation_duration_seconds"), engine.evaluation_seconds)
    for rule, errors in engine.rule_errors().items():
        yield Sample(SeriesKey.of("forewarn_alert_rule_errors_total", rule=rule), float(errors), counter=True)


def _notifications(dispatcher: Dispatcher) -> Iterator[Sample]:
    for receiver, count in dispatcher.delivered.copy().items():
        yield Sample(SeriesKey.of("forewarn_notifications_total", receiver=receiver), float(count), counter=True)
    for (receiver, reason), count in dispatcher.failed.copy().items():
        key = SeriesKey.of("forewarn_notifications_failed_total", receiver=receiver, reason=reason)
        yield Sample(key, float(count), counter=True)
    for state in ("queued", "sending", "dead"):
        count = dispatcher.outbox.lengths.get(state, 0)
        yield Sample(SeriesKey.of("forewarn_notifications_outbox", state=state), float(count))
