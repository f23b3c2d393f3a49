"""What the log shipper tells of anomalies, as the rules see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from collector.series import SeriesKey, labels_of
from forewarn.base.clock import Clock
from forewarn.base.frames import Frame

NAME = "log_anomaly"
FRAME = "log_anomalies"


@dataclass(frozen=True, slots=True)
class LogAnomaly:
    """One of them; see alerts.inputs.LogAnomaly."""

    id: str
    key: SeriesKey
    heard_ms: int
    score: float
    reason: str
    text: str
    example: str
    over: bool


class LogAnomalies:
    """What goes on and what was over lately, as it was last told."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: list[LogAnomaly] = []

    def on_frame(self, frame: Frame) -> None:
        """Take ``{"kind": "log_anomalies", "rows": [...]}``, rows as ``forewarn logs anomalies --json`` has them."""
        if frame["kind"] == FRAME:
            now_ms = self._clock.now_ms()
            self._latest = [_read(row, now_ms) for row in frame["rows"]]

    def latest(self) -> list[LogAnomaly]:
        """What goes on, and what was over lately."""
        return self._latest


def _read(row: Mapping[str, Any], heard_ms: int) -> LogAnomaly:
    labels = {"dataset": row["dataset"], "kind": row["kind"]}
    if row["template"] is not None:
        labels["template"] = str(row["template"])
    if row["what"] == "new errors":
        labels["level"] = "error"
    return LogAnomaly(
        id=row["id"],
        key=SeriesKey(NAME, labels_of(labels)),
        heard_ms=heard_ms,
        score=row["score"],
        reason=row["reason"],
        text=row["text"],
        example=next(iter(row["examples"]), ""),
        over=row["ended"] is not None,
    )
