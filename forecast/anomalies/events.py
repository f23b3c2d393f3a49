"""Anomalies as events: when one begins, what kind it is, when it is over, and why, in words with numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from collector.series import SeriesKey
from forecast.anomalies.calibration import score_of, still_score_of
from forecast.anomalies.detector import Envelope, Floats, Verdict
from forewarn.base import words
from forewarn.base.clock import HOUR, MINUTE, rfc3339

Kind = Literal["point", "stretch", "level_shift", "flat_line"]
OPENS = 4.0
"""Deviation with which an anomaly begins: under two parts in a hundred of normal time have more."""
HOLDS = 3.0
"""It goes on while the value lies this far from its usual day."""
STILL_OPENS = 6.0
STILL_LEAST_HOURS = 3.0
SHIFT_SUM = 20.0
POINT_MS = 30 * MINUTE
REST_MS = HOUR
"""It is over when nothing has held it for so long."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One anomaly of one series.

    Attributes:
        target: the series; for a histogram its family's name.
        kind: point (half an hour at most), stretch, level_shift (a new level that stays), flat_line.
        unit: base unit of the series.
        started_ms: start of the window that began it.
        seen_ms: end of the newest window that held it.
        ended_ms: when it was over, None while it goes on.
        score: the highest so far: 1 less the share of normal time that deviates as much.
        reason: what was seen and what was expected, in words.
    """

    target: SeriesKey
    kind: Kind
    unit: str
    started_ms: int
    seen_ms: int
    ended_ms: int | None
    score: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; times as RFC 3339."""
        return {
            "target": str(self.target),
            "name": self.target.name,
            "labels": dict(self.target.labels),
            "kind": self.kind,
            "unit": self.unit,
            "started": rfc3339(self.started_ms),
            "seen": rfc3339(self.seen_ms),
            "ended": None if self.ended_ms is None else rfc3339(self.ended_ms),
            "score": self.score,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """How a watched series stands now.

    Attributes:
        target: the series.
        judged_ms: end of the newest window that was judged.
        score: that window's, None before there is history enough.
        anomaly: what goes on, None where all is well.
    """

    target: SeriesKey
    judged_ms: int
    score: float | None
    anomaly: Anomaly | None


@dataclass(frozen=True, slots=True)
class Window:
    """One judged window of n series: its bounds, values and what was said of them."""

    start_ms: int
    end_ms: int
    values: Floats
    verdict: Verdict
    envelope: Envelope | None


def follow(targets: Sequence[tuple[SeriesKey, str]], standings: Sequence[Standing], window: Window) -> list[Standing]:
    """How the series stand after one more window; those that it says nothing of stand as they did.

    An anomaly that has just ended is still there, with its end; without it the series stands next time.
    """
    verdict = window.verdict
    judged = np.isfinite(verdict.deviation)
    return [
        _one(place, key, unit, standing, window) if judged[place] else _unjudged(standing, window)
        for place, ((key, unit), standing) in enumerate(zip(targets, standings, strict=True))
    ]


def _unjudged(standing: Standing, window: Window) -> Standing:
    """Without values nothing is known to go on: after a while it is over."""
    anomaly = standing.anomaly
    if anomaly is not None and anomaly.ended_ms is not None:
        return replace(standing, anomaly=None)
    if anomaly is not None and window.end_ms - anomaly.seen_ms >= REST_MS:
        return replace(standing, score=None, anomaly=replace(anomaly, ended_ms=anomaly.seen_ms))
    silent = window.end_ms - standing.judged_ms >= REST_MS
    return replace(standing, score=None) if silent and anomaly is None else standing


def _one(place: int, key: SeriesKey, unit: str, standing: Standing, window: Window) -> Standing:
    verdict = window.verdict
    deviation, still = float(verdict.deviation[place]), float(verdict.still[place])
    stands_still = still >= STILL_OPENS and verdict.still_hours[place] >= STILL_LEAST_HOURS
    score = max(score_of(deviation), still_score_of(still) if stands_still else 0.0)
    anomaly = standing.anomaly if standing.anomaly and standing.anomaly.ended_ms is None else None
    if anomaly is None:
        if deviation < OPENS and not stands_still:
            return Standing(key, window.end_ms, score, None)
        kind: Kind = "flat_line" if deviation < OPENS else "point"
        text = _reason(kind, place, unit, window, window.start_ms)
        anomaly = Anomaly(key, kind, unit, window.start_ms, window.end_ms, None, score, text)
        return Standing(key, window.end_ms, score, anomaly)
    return Standing(key, window.end_ms, score, _grown(anomaly, place, score, window, stands_still=stands_still))


def _grown(anomaly: Anomaly, place: int, score: float, window: Window, *, stands_still: bool) -> Anomaly:
    verdict = window.verdict
    far = verdict.deviation[place] >= OPENS / 2 or verdict.seasonal[place] >= HOLDS
    held = stands_still if anomaly.kind == "flat_line" else bool(far)
    if not held:
        over = window.end_ms - anomaly.seen_ms >= REST_MS
        return replace(anomaly, ended_ms=anomaly.seen_ms) if over else anomaly
    kind = anomaly.kind
    if kind == "point" and window.end_ms - anomaly.started_ms > POINT_MS:
        kind = "stretch"
    if kind == "stretch" and abs(verdict.shift[place]) >= SHIFT_SUM:
        kind = "level_shift"
    reason = anomaly.reason
    if score > anomaly.score or (kind == "level_shift" and kind != anomaly.kind):
        reason = _reason(kind, place, anomaly.unit, window, anomaly.started_ms)
    return replace(anomaly, kind=kind, seen_ms=window.end_ms, score=max(score, anomaly.score), reason=reason)


def _reason(kind: Kind, place: int, unit: str, window: Window, started_ms: int) -> str:
    verdict, envelope = window.verdict, window.envelope
    value, expected = (words.quantity(float(each[place]), unit) for each in (window.values, verdict.expected))
    lasting = words.duration((window.end_ms - started_ms) / 1000)
    if kind == "flat_line":
        still, longest = (words.duration(3600 * float(each[place])) for each in (verdict.still_hours, verdict.longest))
        return f"has stood still at {value} for {still}; it used to move at least every {longest}"
    if kind == "level_shift":
        return f"has moved to another level: {value} after {lasting}, where {expected} was to be expected"
    times = f"{min(float(verdict.deviation[place]), 1000.0):.3g} times its usual deviation"
    if envelope is not None and np.isfinite(envelope.mean[place]):
        low, high = (words.quantity(float(each[place]), unit) for each in (envelope.low, envelope.high))
        return f"{value}, where the forecast has {expected} (95 %: {low} to {high}); {times}"
    return f"{value}, where {expected} is usual at this hour; {times}"
