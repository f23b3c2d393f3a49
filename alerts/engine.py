"""The engine: evaluates every rule, moves the alerts on, and leaves what must be told in the outbox."""

import logging
import socket
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from alerts.alert import Alert
from alerts.book import AlertBook
from alerts.conditions import readings
from alerts.inputs import LatestSamples, LogAnomalies, Predictions, Reading, Standings
from alerts.outbox import Outbox
from alerts.rates import Rates
from alerts.rule import RuleSettings
from alerts.settings import AlertsSettings
from alerts.shipped import effective_rules
from alerts.stages import advance_all
from alerts.states import Moment, drop, resolve
from alerts.tables import MIGRATIONS, ROOM
from alerts.view import View
from collector.series import Labels, labels_of
from forecast.scorecard import Scorecard
from forewarn.base.clock import DAY, MINUTE, Clock, rfc3339
from forewarn.base.errors import ForewarnError, StoreError
from forewarn.base.sqlite import migrate

log = logging.getLogger(__name__)

RESOLVED_SHOWN_MS = 15 * MINUTE
RESOLVED_OWED_MS = 7 * DAY
_RANK = {"firing": 2, "pending": 1}


@dataclass(frozen=True)
class RuleStatus:
    """A rule and how its last evaluation went.

    Attributes:
        error: what is wrong with it, empty where nothing is.
        evaluated_ms: when it was last evaluated, None before the first time.
        errors: evaluations that went wrong since the start.
    """

    rule: RuleSettings
    error: str = ""
    evaluated_ms: int | None = None
    seconds: float = 0.0
    errors: int = 0
    alerts: tuple[Alert, ...] = ()

    @property
    def state(self) -> str:
        """firing, pending or inactive: that of its most urgent alert."""
        return max(
            (alert.state for alert in self.alerts if alert.state in _RANK), key=_RANK.__getitem__, default="inactive"
        )

    def to_dict(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "name": self.rule.name,
            "state": self.state,
            "health": "err" if self.error else "ok",
            "lastError": self.error or None,
            "lastEvaluation": None if self.evaluated_ms is None else rfc3339(self.evaluated_ms),
            "evaluationTime": self.seconds,
            "rule": self.rule.model_dump(mode="json", by_alias=True),
            "alerts": [alert.to_dict() for alert in self.alerts],
        }


class Engine:
    """Alerts of one node. ``evaluate`` runs on the thread that owns the connection; the rest may be asked anywhere.

    Attributes:
        outbox: what its dispatcher delivers.
        evaluation_seconds: how long the last evaluation took.
    """

    def __init__(  # noqa: PLR0917  called once, by the daemon's wiring
        self,
        settings: AlertsSettings,
        store: LatestSamples,
        book: Predictions,
        connection: sqlite3.Connection,
        path: Path,
        clock: Clock,
        *,
        anomalies: Standings | None = None,
        log_anomalies: LogAnomalies | None = None,
        card: Callable[[], Scorecard] = Scorecard,
    ) -> None:
        migrate(connection, path, ROOM, MIGRATIONS)
        self._settings = settings
        self._store = store
        self._forecasts = book
        self._anomalies = anomalies
        self._log_anomalies = log_anomalies
        self._card = card
        self._rates = Rates()
        self._connection = connection
        self._path = path
        self._clock = clock
        self._started_ms = clock.now_ms()
        self._own_labels = {**settings.labels, "hostname": settings.hostname or socket.gethostname()}
        self._alerts = AlertBook(connection)
        self._status = {rule.name: RuleStatus(rule) for rule in effective_rules(settings)}
        self.outbox = Outbox(settings, self._alerts, connection, clock)
        self.evaluation_seconds: float | None = None

    def alerts(self) -> list[Alert]:
        """Alerts that are pending, firing, or were resolved within the last 15 minutes; the most urgent first."""
        oldest = self._clock.now_ms() - RESOLVED_SHOWN_MS
        shown = [a for a in self._alerts.current.values() if a.state != "resolved" or (a.resolved_ms or 0) > oldest]
        severities = {"critical": 0, "warning": 1, "info": 2}
        return sorted(shown, key=lambda a: (-_RANK.get(a.state, 0), severities[a.severity], a.labels))

    def rules(self) -> list[RuleStatus]:
        """The rules in force, each with its alerts."""
        by_rule: dict[str, list[Alert]] = {}
        for alert in self.alerts():
            by_rule.setdefault(alert.rule, []).append(alert)
        return [replace(s, alerts=tuple(by_rule.get(name, ()))) for name, s in self._status.items()]

    def rule_errors(self) -> dict[str, int]:
        """How often each rule's evaluation went wrong since the start; rules that always went well are left out."""
        return {name: status.errors for name, status in self._status.items() if status.errors}

    def evaluate(self) -> None:
        """Evaluate all rules once; states and outbox change together or not at all.

        Raises:
            StoreError: state.db cannot be written; the alerts stay as they were.
        """
        begin, now_ms = self._clock.monotonic(), self._clock.now_ms()
        self._started_ms = min(self._started_ms, now_ms)
        moment = Moment(now_ms, self._started_ms)
        view = View(
            self._store,
            self._forecasts,
            now_ms,
            moment.started_ms,
            standings=self._anomalies,
            log_anomalies=self._log_anomalies,
            card=self._card(),
            rates=self._rates,
        )
        self._rates.forget(now_ms)
        alerts = {mark: alert.not_after(now_ms) for mark, alert in self._alerts.current.items()}
        for name in self._status:
            self._evaluate_rule(name, view, alerts, moment)
        self._retire(alerts, moment.now_ms)
        try:
            with self._connection:
                saved = self._alerts.save(alerts)
                self.outbox.reconcile(alerts)
        except sqlite3.Error as error:
            raise StoreError(
                f"cannot keep the alerts in {self._path}: {error}", hint="is there room on the disk?"
            ) from error
        _report(self._alerts.current, alerts)
        self._alerts.committed(alerts, saved)
        self.evaluation_seconds = self._clock.monotonic() - begin

    def _evaluate_rule(self, name: str, view: View, alerts: dict[str, Alert], moment: Moment) -> None:
        status, begin = self._status[name], self._clock.monotonic()
        error = ""
        try:
            found, error = self._distinct(status.rule, readings(status.rule, view))
        except ForewarnError as caught:
            error = str(caught)  # its alerts stay as they are: nothing was learnt of them
        else:
            self._advance(status.rule, found, alerts, moment)
        if error and error != status.error:
            log.error("alert rule failing", extra={"rule": name, "error": error})
        self._status[name] = replace(
            status,
            error=error,
            errors=status.errors + bool(error),
            evaluated_ms=moment.now_ms,
            seconds=self._clock.monotonic() - begin,
        )

    def _distinct(self, rule: RuleSettings, found: list[Reading]) -> tuple[dict[Labels, Reading], str]:
        by_labels: dict[Labels, list[Reading]] = {}
        for reading in found:
            by_labels.setdefault(self._identity(rule, reading), []).append(reading)
        twice = sorted(labels for labels, group in by_labels.items() if len(group) > 1)
        error = f"several series give the same alert {dict(twice[0])}; nothing is sent for them" if twice else ""
        return {labels: group[0] for labels, group in by_labels.items() if len(group) == 1}, error

    def _identity(self, rule: RuleSettings, reading: Reading) -> Labels:
        fixed = {"alertname": rule.name, "severity": reading.severity or rule.severity}
        return labels_of({**dict(reading.labels), **self._own_labels, **rule.labels, **fixed})

    def _advance(
        self, rule: RuleSettings, found: Mapping[Labels, Reading], alerts: dict[str, Alert], moment: Moment
    ) -> None:
        marks = {alert.labels: mark for mark, alert in alerts.items() if alert.rule == rule.name}
        before = {labels: alerts[mark] for labels, mark in marks.items()}
        for labels, after in advance_all(rule, before, found, moment):
            mark = marks.get(labels)
            if after is not None:
                alerts[mark or after.fingerprint] = after
            elif mark is not None:
                del alerts[mark]

    def _retire(self, alerts: dict[str, Alert], now_ms: int) -> None:
        for mark, alert in list(alerts.items()):
            if alert.rule in self._status or alert.state == "resolved":
                continue
            after = drop(alert) if alert.state == "pending" else resolve(alert, now_ms, "the rule is gone")
            alerts.pop(mark) if after is None else alerts.update({mark: after})
        ages = {mark: now_ms - (a.resolved_ms or now_ms) for mark, a in alerts.items() if a.state == "resolved"}
        old = {mark for mark, age in ages.items() if age > RESOLVED_SHOWN_MS}
        owed = self.outbox.owed() if old else set()
        for mark in old:
            if mark not in owed or ages[mark] > RESOLVED_OWED_MS:
                del alerts[mark]


def _report(before: Mapping[str, Alert], after: Mapping[str, Alert]) -> None:
    for mark, alert in after.items():
        known = before.get(mark)
        if alert.state != "pending" and (known is None or known.state != alert.state):
            facts = {"rule": alert.rule, "labels": dict(alert.labels), "ended": alert.ended or None}
            level = logging.WARNING if alert.state == "firing" else logging.INFO
            log.log(level, "alert %s", alert.state, extra=facts)
