"""What still has to be told, kept in state.db until it was.

A row says that a receiver must hear of a group. What it will hear is put together when an attempt begins, from the
alerts as they are then: a newer state of the group replaces an older one that was not sent, and a resolve that
overtakes its firing cancels both. Once an attempt may have reached the receiver, the resolve is owed to it.

Every method but ``lengths`` runs on the thread that owns the connection.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from alerts.alert import Alert
from alerts.book import AlertBook
from alerts.groups import Firing, Group, News, Pace, Wanted, due, has_moved, news, reason, wanted_groups
from alerts.outcome import Outcome
from alerts.payload import webhook_body
from alerts.settings import AlertsSettings, ReceiverSettings
from alerts.shelf import Row, Shelf
from forewarn.base.clock import Clock


@dataclass(frozen=True)
class Delivery:
    """One attempt: what goes to whom.

    Attributes:
        offered: what the body says is firing.
        attempts: attempts for this row, this one included.
    """

    id: int
    receiver: str
    group_key: str
    body: bytes
    offered: Firing
    attempts: int
    created_ms: int


@dataclass(frozen=True)
class Idle:
    """Nothing to send before ``until_ms``; None: nothing at all."""

    until_ms: int | None


class Outbox:
    """Notifications on their way, by receiver and group."""

    def __init__(self, settings: AlertsSettings, book: AlertBook, connection: sqlite3.Connection, clock: Clock) -> None:
        self._settings = settings
        self._receivers = {receiver.name: receiver for receiver in settings.receiver}
        self._book = book
        self._connection = connection
        self._shelf = Shelf(connection)
        self._clock = clock
        self._pace = Pace(
            wait_ms=round(settings.group_wait * 1000),
            interval_ms=round(settings.group_interval * 1000),
            repeat_ms=round(settings.repeat_interval * 1000),
            ahead_ms=round(settings.evaluate_every * 1000),
        )
        with connection:
            self._shelf.recover(self._receivers, clock.now_ms())
            self._resolve_moved()
        self.lengths: Mapping[str, int] = self._shelf.lengths()

    def reconcile(self, alerts: Mapping[str, Alert]) -> None:
        """Queue what receivers must hear and cancel what they need not, within the caller's transaction."""
        wanted = wanted_groups(alerts, self._settings.group_by)
        for receiver in self._receivers.values():
            groups, rows = self._shelf.groups(receiver.name), self._shelf.live(receiver.name)
            for key in wanted.keys() | groups.keys():
                if rows.get(key) != "sending":
                    want = wanted.get(key) or Wanted(groups[key].labels)
                    self._plan(receiver, key, groups.get(key), want, alerts, queued=key in rows)
        self.lengths = self._shelf.lengths()

    def claim(self, receiver: str) -> Delivery | Idle:
        """The next notification for a receiver, marked as being sent; or until when there is none."""
        with self._connection:
            while row := self._shelf.next(receiver):
                if row.created_ms <= self._clock.now_ms() < row.next_ms:  # made later than now: the clock was set back
                    return Idle(row.next_ms)
                delivery = self._compose(self._receivers[receiver], row)
                if delivery is not None:
                    self._shelf.sending(delivery.id, delivery.attempts, delivery.offered)
                    return delivery
                self._shelf.remove(row.ident)
        return Idle(None)

    def settle(self, delivery: Delivery, outcome: Outcome, retry_seconds: float) -> bool:
        """Keep how an attempt ended; the next one is due in ``retry_seconds``. True where there will be none."""
        now_ms, shelf, place = self._clock.now_ms(), self._shelf, (delivery.receiver, delivery.group_key)
        expired = now_ms - delivery.created_ms >= self._settings.give_up_after * 1000
        dead = outcome.verdict == "refused" or (outcome.verdict == "retry" and expired)
        with self._connection:
            if outcome.verdict == "delivered":
                shelf.told(*place, delivery.offered)
                shelf.remove(delivery.id)
            elif outcome.reached:
                shelf.maybe_told(*place, delivery.offered)
            if dead:
                shelf.bury(delivery.id, outcome.detail, delivery.body)
                shelf.give_up(*place, delivery.offered)
            elif outcome.verdict == "retry":
                shelf.retry(delivery.id, now_ms, round(retry_seconds * 1000), outcome.detail)
            if dead or outcome.verdict == "delivered":
                shelf.handled(*place, delivery.offered, now_ms)
        self.lengths = shelf.lengths()
        return dead

    def owed(self) -> set[str]:
        """Fingerprints of alerts that a receiver believes, or may believe, to be firing."""
        return self._shelf.owed()

    def deliveries(self) -> list[dict[str, object]]:
        """What is queued, on its way or dead, for people: the newest first."""
        return self._shelf.deliveries()

    def _resolve_moved(self) -> None:
        """After a change of ``group_by``: end the old groups at once, before their alerts are told of in new ones."""
        alerts, now_ms = self._book.current, self._clock.now_ms()
        wanted = wanted_groups(alerts, self._settings.group_by)
        for receiver in [receiver for receiver in self._receivers.values() if receiver.send_resolved]:
            for key, group in self._shelf.groups(receiver.name).items():
                want = wanted.get(key) or Wanted(group.labels)
                if has_moved(group, want.firing, alerts):
                    self._shelf.cancel(receiver.name, key)
                    self._shelf.queue(receiver.name, key, group.labels, cause="change", now_ms=now_ms, next_ms=now_ms)

    def _plan(
        self,
        receiver: ReceiverSettings,
        key: str,
        group: Group | None,
        want: Wanted,
        alerts: Mapping[str, Alert],
        *,
        queued: bool,
    ) -> None:
        known, now_ms = group or Group(want.labels), self._clock.now_ms()
        owed = news(known, want.firing, alerts, send_resolved=receiver.send_resolved)
        plan = due(known, want.firing, owed, self._pace, now_ms)
        if plan is None:
            if queued:
                self._shelf.cancel(receiver.name, key)
            rested = now_ms - (known.handled_ms or 0) >= self._pace.interval_ms
            if group is not None and not want.firing and not owed and rested:
                self._shelf.forget(receiver.name, key)
        elif not queued:
            next_ms, cause = plan
            self._shelf.queue(receiver.name, key, want.labels, cause=cause, now_ms=now_ms, next_ms=next_ms)

    def _compose(self, receiver: ReceiverSettings, row: Row) -> Delivery | None:
        alerts, group = self._book.current, self._shelf.group(receiver.name, row.group_key)
        want = wanted_groups(alerts, self._settings.group_by).get(row.group_key) or Wanted(group.labels)
        owed = news(group, want.firing, alerts, send_resolved=receiver.send_resolved)
        if not owed and not (row.cause == "repeat" and want.firing):
            return None
        return Delivery(
            id=row.ident,
            receiver=receiver.name,
            group_key=row.group_key,
            body=self._body(receiver, group, want.firing, owed, alerts),
            offered=want.firing,
            attempts=row.attempts + 1,
            created_ms=row.created_ms,
        )

    def _over(self, alert: Alert) -> Alert:
        """As it is over; one that fires on in another group ends now in this one."""
        ended_ms = self._clock.now_ms() if alert.resolved_ms is None else alert.resolved_ms
        return alert.with_state("resolved", resolved_ms=ended_ms)

    def _body(
        self, receiver: ReceiverSettings, group: Group, firing: Firing, owed: News, alerts: Mapping[str, Alert]
    ) -> bytes:
        over = [self._over(alerts[mark]) for mark in owed.over]
        return webhook_body(
            [*(alerts[mark] for mark in firing), *over],
            receiver=receiver.name,
            group_labels=group.labels,
            reason=reason(group, firing, owed),
            external_url=self._settings.external_url,
            max_alerts=receiver.max_alerts,
        )
