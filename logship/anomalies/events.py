"""Anomalies of logs as events: what began, what goes on, what is over; and the file that they are written to.

The file holds a document in each line, which is shipped like any other log: what was written there arrives once,
whatever happens to the process. It is also what commands and the API read, and what a process that begins goes on from.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from forewarn.base.clock import MINUTE, parse_time, rfc3339
from logship.anomalies.rates import Kind
from logship.anomalies.reading import EVENTS, KEPT, rows

REST_MS = 5 * MINUTE
"""It is over when nothing has shown it for so long."""
TOLD_MS = 10 * MINUTE
MOST_OPEN = 100
MOST_LISTED = 20
_MOST_BYTES = 4 << 20
_WORSE = 0.5
"""It is written down anew when the number of such that chance brings has fallen to this share."""


@dataclass(frozen=True, slots=True)
class Key:
    """What an anomaly is about: of one trouble one is open at a time.

    Attributes:
        dataset: the data set.
        what: ``more``, ``less``, ``new``, ``new errors``, ``requests``.
        template: the template, None where it is about the data set.
    """

    dataset: str
    what: str
    template: int | None = None


@dataclass(frozen=True, slots=True)
class LogAnomaly:
    """One anomaly.

    Attributes:
        key: what it is about.
        kind: what it is.
        score: the highest so far: 1 less the number of such that chance brings a day.
        reason: what happened, a sentence without its subject.
        text: the template's text.
        examples: lines, redacted as documents are.
        observed: lines (or requests) in the window.
        expected: usual in it.
        seconds: length of the window.
        started_ms: when it began.
        seen_ms: when it was last seen.
        ended_ms: when it was over, None while it goes on.
        templates: of several, their ids.
    """

    key: Key
    kind: Kind
    score: float
    reason: str
    text: str
    examples: tuple[str, ...]
    observed: float
    expected: float
    seconds: float
    started_ms: int
    seen_ms: int
    ended_ms: int | None = None
    templates: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        """A name for it that stays."""
        text = f"{self.key.dataset} {self.key.what} {self.key.template} {self.started_ms}"
        return blake2b(text.encode(), digest_size=8).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "score": round(self.score, 6),
            "dataset": self.key.dataset,
            "what": self.key.what,
            "template": self.key.template,
            "text": self.text,
            "templates": list(self.templates),
            "reason": self.reason,
            "observed": round(float(self.observed), 1),
            "expected": round(float(self.expected), 2),
            "window_seconds": float(self.seconds),
            "examples": list(self.examples),
            "started": rfc3339(self.started_ms),
            "seen": rfc3339(self.seen_ms),
            "ended": None if self.ended_ms is None else rfc3339(self.ended_ms),
        }


class EventBook:
    """The anomalies that go on, and the file of all of them.

    Args:
        directory: where the file is.
        now_ms: those that an earlier process left open count as seen now.
    """

    def __init__(self, directory: Path, now_ms: int) -> None:
        self.path = directory / EVENTS
        self.begun = 0
        self.open: dict[Key, LogAnomaly] = {}
        self._over: dict[Key, LogAnomaly] = {}
        _end_line(self.path)
        for row in rows(directory):
            if row["ended"] is None and (anomaly := _from_row(row, now_ms)) is not None:
                self.open[anomaly.key] = anomaly

    def show(self, anomaly: LogAnomaly) -> None:
        """Something is so: it begins, or goes on.

        Raises:
            OSError: the file cannot be written.
        """
        known = self.open.get(anomaly.key)
        if known is None:
            if len(self.open) < MOST_OPEN:
                self.open[anomaly.key] = anomaly
                self.begun += 1
                self._write([(anomaly, "begun")], anomaly.seen_ms)
            return
        worse = anomaly.score > known.score or anomaly.templates != known.templates
        merged = replace(
            anomaly if worse else known,
            kind=known.kind,
            score=max(known.score, anomaly.score),
            started_ms=known.started_ms,
            seen_ms=anomaly.seen_ms,
        )
        self.open[anomaly.key] = merged
        if 1 - merged.score < _WORSE * (1 - known.score) or merged.templates != known.templates:
            self._write([(merged, "changed")], anomaly.seen_ms)

    def told(self) -> list[LogAnomaly]:
        """What goes on, and what was over within the last ten minutes and has not begun again."""
        return [*self.open.values(), *(one for key, one in self._over.items() if key not in self.open)]

    def hold(self, key: Key, now_ms: int) -> None:
        """It is still so."""
        self.open[key] = replace(self.open[key], seen_ms=now_ms)

    def end(self, now_ms: int) -> None:
        """End what was not seen for a while.

        Raises:
            OSError: the file cannot be written.
        """
        self._over = {key: one for key, one in self._over.items() if now_ms - one.seen_ms < REST_MS + TOLD_MS}
        over = [replace(one, ended_ms=one.seen_ms) for one in self.open.values() if now_ms - one.seen_ms >= REST_MS]
        for one in over:
            del self.open[one.key]
        if over:
            self._over |= {one.key: one for one in over}
            self._write([(one, "over") for one in over], now_ms)

    def _write(self, changes: Sequence[tuple[LogAnomaly, str]], now_ms: int) -> None:
        """Append documents, and wait until they are on the disk."""
        self._make_room()
        opened = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(opened, b"".join(self._document(one, action, now_ms) for one, action in changes))
            os.fsync(opened)
        finally:
            os.close(opened)

    def _document(self, one: LogAnomaly, action: str, now_ms: int) -> bytes:
        level = "warning" if action != "over" else "info"
        body = {
            "@timestamp": rfc3339(now_ms),
            "log.level": level,
            "message": f"{one.key.dataset}: {one.reason}",
            "event": {
                "kind": "alert",
                "action": f"log-anomaly-{action}",
                "start": rfc3339(one.started_ms),
                **({} if one.ended_ms is None else {"end": rfc3339(one.ended_ms)}),
            },
            "anomaly": one.to_dict(),
        }
        return orjson.dumps(body) + b"\n"

    def _make_room(self) -> None:
        """Begin a new file where this one is large."""
        try:
            if self.path.stat().st_size < _MOST_BYTES:
                return
        except FileNotFoundError:
            return
        for number in range(KEPT - 1, 0, -1):
            older = self.path.with_name(f"{EVENTS}.{number}")
            if older.exists():
                older.replace(self.path.with_name(f"{EVENTS}.{number + 1}"))
        self.path.replace(self.path.with_name(f"{EVENTS}.1"))


def _end_line(path: Path) -> None:
    """The file, there and at a line's end: a power cut may have kept half of one."""
    path.touch(mode=0o600)
    with path.open("a+b") as file:
        size = file.tell()
        file.seek(max(0, size - 1))
        if file.read(1) not in {b"", b"\n"}:
            file.write(b"\n")


def _from_row(row: dict[str, Any], now_ms: int) -> LogAnomaly | None:
    """The anomaly of a row; None where another version wrote it otherwise."""
    try:
        return LogAnomaly(
            key=Key(row["dataset"], row["what"], row["template"]),
            kind=row["kind"],
            score=float(row["score"]),
            reason=row["reason"],
            text=row["text"],
            examples=tuple(row["examples"]),
            observed=float(row["observed"]),
            expected=float(row["expected"]),
            seconds=float(row["window_seconds"]),
            started_ms=parse_time(row["started"]),
            seen_ms=now_ms,
            templates=tuple(row["templates"]),
        )
    except (TypeError, ValueError, AttributeError):
        return None
