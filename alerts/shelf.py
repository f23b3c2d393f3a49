"""The rows behind the outbox; transactions belong to the caller."""

import sqlite3
from collections.abc import Collection, Mapping
from typing import NamedTuple

import orjson

from alerts.groups import Firing, Group
from forewarn.base.clock import rfc3339

DEAD_LETTERS_KEPT = 500
_GROUP_COLUMNS = "group_key, labels, told, maybe, handled, handled_ms"


class Row(NamedTuple):
    """A queued notification."""

    ident: int
    group_key: str
    next_ms: int
    attempts: int
    cause: str
    created_ms: int


class Shelf:
    """Reads and writes of ``notified_groups`` and ``outbox``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def groups(self, receiver: str) -> dict[str, Group]:
        """What a receiver knows, by group key."""
        rows = self._execute(f"SELECT {_GROUP_COLUMNS} FROM notified_groups WHERE receiver = ?", (receiver,))
        return {row[0]: _group(*row[1:]) for row in rows}

    def group(self, receiver: str, key: str) -> Group:
        """What a receiver knows of one group; every queued row has one."""
        return self.groups(receiver)[key]

    def live(self, receiver: str) -> dict[str, str]:
        """The state of a receiver's rows that are not dead, by group key."""
        rows = self._execute("SELECT group_key, state FROM outbox WHERE receiver = ? AND state <> 'dead'", (receiver,))
        return dict(rows.fetchall())

    def next(self, receiver: str) -> Row | None:
        """The queued row that is due first."""
        row = self._execute(
            "SELECT id, group_key, next_ms, attempts, cause, created_ms FROM outbox"
            " WHERE receiver = ? AND state = 'queued' ORDER BY next_ms, id LIMIT 1",
            (receiver,),
        ).fetchone()
        return None if row is None else Row(*row)

    def queue(
        self, receiver: str, key: str, labels: Mapping[str, str], *, cause: str, now_ms: int, next_ms: int
    ) -> None:
        """A new row, and what the receiver knows of the group where it knew nothing."""
        self._execute(
            "INSERT INTO notified_groups (receiver, group_key, labels, told, maybe) VALUES (?, ?, ?, '{}', '{}')"
            " ON CONFLICT DO NOTHING",
            (receiver, key, orjson.dumps(labels)),
        )
        self._execute(
            "INSERT INTO outbox (receiver, group_key, state, cause, created_ms, next_ms)"
            " VALUES (?, ?, 'queued', ?, ?, ?)",
            (receiver, key, cause, now_ms, next_ms),
        )

    def remove(self, ident: int) -> None:
        """A row that is done."""
        self._execute("DELETE FROM outbox WHERE id = ?", (ident,))

    def cancel(self, receiver: str, key: str) -> None:
        """A queued row that nobody needs any more."""
        self._execute("DELETE FROM outbox WHERE receiver = ? AND group_key = ? AND state = 'queued'", (receiver, key))

    def forget(self, receiver: str, key: str) -> None:
        """A group that has nothing left to tell."""
        self._execute("DELETE FROM notified_groups WHERE receiver = ? AND group_key = ?", (receiver, key))

    def sending(self, ident: int, attempts: int, offered: Firing) -> None:
        """An attempt begins."""
        self._execute(
            "UPDATE outbox SET state = 'sending', attempts = ?, offered = ? WHERE id = ?",
            (attempts, orjson.dumps(offered), ident),
        )

    def retry(self, ident: int, now_ms: int, wait_ms: int, error: str) -> None:
        """An attempt failed; there will be another."""
        self._execute(
            "UPDATE outbox SET state = 'queued', created_ms = min(created_ms, ?), next_ms = ?, error = ?,"
            " offered = NULL WHERE id = ?",
            (now_ms, now_ms + wait_ms, error, ident),
        )

    def bury(self, ident: int, error: str, body: bytes | None) -> None:
        """There will be no other attempt; the oldest dead letters make room."""
        self._execute("UPDATE outbox SET state = 'dead', error = ?, body = ? WHERE id = ?", (error, body, ident))
        self._execute(
            "DELETE FROM outbox WHERE state = 'dead' AND id NOT IN"
            " (SELECT id FROM outbox WHERE state = 'dead' ORDER BY id DESC LIMIT ?)",
            (DEAD_LETTERS_KEPT,),
        )

    def told(self, receiver: str, key: str, told: Firing) -> None:
        """The receiver acknowledged what fires."""
        self._execute(
            "UPDATE notified_groups SET told = ?, maybe = '{}' WHERE receiver = ? AND group_key = ?",
            (orjson.dumps(told), receiver, key),
        )

    def maybe_told(self, receiver: str, key: str, offered: Firing) -> None:
        """The receiver may have heard what fires."""
        maybe = {**self.group(receiver, key).maybe, **offered}
        self._execute(
            "UPDATE notified_groups SET maybe = ? WHERE receiver = ? AND group_key = ?",
            (orjson.dumps(maybe), receiver, key),
        )

    def give_up(self, receiver: str, key: str, offered: Firing) -> None:
        """What is over and could not be told is not told any more."""
        group = self.group(receiver, key)
        told, maybe = ({m: t for m, t in side.items() if m in offered} for side in (group.told, group.maybe))
        self._execute(
            "UPDATE notified_groups SET told = ?, maybe = ? WHERE receiver = ? AND group_key = ?",
            (orjson.dumps(told), orjson.dumps(maybe), receiver, key),
        )

    def handled(self, receiver: str, key: str, offered: Firing, now_ms: int) -> None:
        """A notification came to its end, one way or the other."""
        self._execute(
            "UPDATE notified_groups SET handled = ?, handled_ms = ? WHERE receiver = ? AND group_key = ?",
            (orjson.dumps(offered), now_ms, receiver, key),
        )

    def recover(self, receivers: Collection[str], now_ms: int) -> None:
        """After a start: what was being sent is tried again, what is for nobody is dead."""
        rows = self._execute("SELECT id, receiver, group_key, offered, state FROM outbox WHERE state <> 'dead'")
        for ident, receiver, key, offered, state in rows.fetchall():
            if receiver not in receivers:
                self.bury(ident, "the receiver is no longer configured", None)
            elif state == "sending":
                self.maybe_told(receiver, key, orjson.loads(offered))
                self.retry(ident, now_ms, 0, "Forewarn ended during the attempt")
        for (receiver,) in self._execute("SELECT DISTINCT receiver FROM notified_groups").fetchall():
            if receiver not in receivers:
                self._execute("DELETE FROM notified_groups WHERE receiver = ?", (receiver,))

    def owed(self) -> set[str]:
        """Fingerprints of alerts that a receiver believes, or may believe, to be firing."""
        rows = self._execute("SELECT told, maybe FROM notified_groups").fetchall()
        return {mark for row in rows for column in row for mark in orjson.loads(column)}

    def lengths(self) -> dict[str, int]:
        """Number of rows by state."""
        return dict(self._execute("SELECT state, count(*) FROM outbox GROUP BY state").fetchall())

    def deliveries(self) -> list[dict[str, object]]:
        """What is queued, on its way or dead, for people: the newest first."""
        rows = self._execute(
            "SELECT id, receiver, group_key, state, attempts, created_ms, next_ms, error FROM outbox ORDER BY id DESC"
        )
        return [
            {
                "id": ident,
                "receiver": receiver,
                "groupKey": key,
                "state": state,
                "attempts": attempts,
                "createdAt": rfc3339(created_ms),
                "nextAttemptAt": rfc3339(next_ms) if state == "queued" else None,
                "error": error or None,
            }
            for ident, receiver, key, state, attempts, created_ms, next_ms, error in rows
        ]


def _group(labels: bytes, told: bytes, maybe: bytes, handled: bytes | None, handled_ms: int | None) -> Group:
    return Group(
        labels=orjson.loads(labels),
        told=orjson.loads(told),
        maybe=orjson.loads(maybe),
        handled=None if handled is None else orjson.loads(handled),
        handled_ms=handled_ms,
    )
