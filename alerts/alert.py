"""An alert: one rule about one series, and where it stands."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from alerts.fingerprint import fingerprint
from collector.series import Labels
from forewarn.base.clock import rfc3339

State = Literal["pending", "firing", "resolved"]


@dataclass(frozen=True)
class Alert:
    """Frozen: every evaluation makes a new one. Times are milliseconds since the epoch.

    Attributes:
        labels: its identity, sorted by name; no value that changes is ever among them.
        active_ms: when the evaluation first saw the condition hold, of this occurrence.
        evidence_ms: time of the first sample or forecast for which it held, of this occurrence.
        reading_ms: time of the newest evidence, whatever it said.
        held_ms: the evaluation that last saw the condition hold.
        fired_ms: when it last began to fire; kept while a new occurrence is pending.
        resolved_ms: when that firing ended; None while it fires or if it never fired.
        ended: why it ended, in words.
    """

    rule: str
    labels: Labels
    annotations: Labels
    state: State
    value: float | None
    active_ms: int
    evidence_ms: int
    reading_ms: int
    held_ms: int
    fired_ms: int | None = None
    resolved_ms: int | None = None
    ended: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """Alertmanager's fingerprint of the labels."""
        return fingerprint(dict(self.labels))

    @property
    def severity(self) -> str:
        """critical, warning or info."""
        return dict(self.labels)["severity"]

    def with_state(self, state: State, **changes: Any) -> "Alert":
        """The same alert in another state."""
        return replace(self, state=state, **changes)

    def not_after(self, now_ms: int) -> "Alert":
        """The same alert with no time in the future, for a clock that was set back; ``fired_ms`` is told and stays."""
        if max(self.active_ms, self.evidence_ms, self.reading_ms, self.held_ms, self.resolved_ms or 0) <= now_ms:
            return self
        return replace(
            self,
            active_ms=min(self.active_ms, now_ms),
            evidence_ms=min(self.evidence_ms, now_ms),
            reading_ms=min(self.reading_ms, now_ms),
            held_ms=min(self.held_ms, now_ms),
            resolved_ms=None if self.resolved_ms is None else min(self.resolved_ms, now_ms),
        )

    def to_row(self) -> dict[str, Any]:
        """As it is kept in the database."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Alert":
        """From the database."""
        pairs = {name: tuple((key, value) for key, value in row[name]) for name in ("labels", "annotations")}
        return cls(**{**row, **pairs})

    def to_dict(self) -> dict[str, Any]:
        """As the API shows it: times in RFC 3339."""
        return {
            "fingerprint": self.fingerprint,
            "state": self.state,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "value": self.value,
            "activeAt": rfc3339(self.active_ms),
            "firedAt": _moment(self.fired_ms),
            "resolvedAt": _moment(self.resolved_ms),
            "ended": self.ended or None,
        }


def _moment(time_ms: int | None) -> str | None:
    return None if time_ms is None else rfc3339(time_ms)
