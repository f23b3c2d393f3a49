"""The alerts as they stand, in memory and in state.db."""

import sqlite3
from collections.abc import Mapping

import orjson

from alerts.alert import Alert
from forewarn.base.clock import MINUTE

SAVE_EVERY_MS = MINUTE
"""How far the saved times of an unchanged alert may lag; a restart loses no more of them."""


class AlertBook:
    """Alerts by fingerprint. ``current`` is replaced whole, so any thread may read it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        rows = connection.execute("SELECT body FROM alert_states").fetchall()
        alerts = [Alert.from_row(orjson.loads(body)) for (body,) in rows]
        self.current: Mapping[str, Alert] = {alert.fingerprint: alert for alert in alerts}
        self._saved: dict[str, Alert] = dict(self.current)

    def save(self, alerts: Mapping[str, Alert]) -> dict[str, Alert]:
        """Write what differs enough, within the caller's transaction; the answer goes to ``committed``."""
        gone = [(mark,) for mark in self._saved if mark not in alerts]
        changed = {mark: alert for mark, alert in alerts.items() if _differs(self._saved.get(mark), alert)}
        if gone:
            self._connection.executemany("DELETE FROM alert_states WHERE fingerprint = ?", gone)
        if changed:
            self._connection.executemany(
                "INSERT INTO alert_states VALUES (?, ?) ON CONFLICT (fingerprint) DO UPDATE SET body = excluded.body",
                [(mark, orjson.dumps(alert.to_row())) for mark, alert in changed.items()],
            )
        return {mark: changed.get(mark) or self._saved[mark] for mark in alerts}

    def committed(self, alerts: Mapping[str, Alert], saved: dict[str, Alert]) -> None:
        """Take over what the finished transaction holds."""
        self.current, self._saved = alerts, saved


def _differs(saved: Alert | None, alert: Alert) -> bool:
    if saved is None or saved.state != alert.state or saved.labels != alert.labels:
        return True
    if (saved.active_ms, saved.fired_ms, saved.resolved_ms) != (alert.active_ms, alert.fired_ms, alert.resolved_ms):
        return True
    return max(alert.held_ms - saved.held_ms, alert.reading_ms - saved.reading_ms) >= SAVE_EVERY_MS
