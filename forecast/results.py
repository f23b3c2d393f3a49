"""What a forecast says, as one value that is stored, sent and shown."""

from dataclasses import dataclass, field
from typing import Any, Literal

from collector.catalogue import Kind
from collector.series import SeriesKey, labels_of
from forecast.chance import Chance
from forecast.reference import Reference
from forecast.settings import Statistic
from forewarn.base import words
from forewarn.base.clock import HOUR, parse_time, rfc3339

Status = Literal["ok", "not_enough_history", "no_data", "failed"]
POINT_NAMES = ("mean", "p2.5", "p10", "p90", "p97.5")


def decides(kind: str, statistic: str) -> bool:
    """Whether a statistic says when a capacity ends: peaks of a level that is capped at full touch the cap any day."""
    return kind != "saturated" or statistic == "mean"


@dataclass(frozen=True, slots=True)
class Forecast:
    """One statistic of one capacity, 72 hours ahead.

    Attributes:
        target: the series; for a histogram its family's name.
        statistic: mean, max or min of each hour.
        kind: how the capacity is used up.
        unit: base unit of points and limit.
        made_ms: when it was made.
        as_of_ms: the moment whose knowledge it uses.
        model: combiner, prophet, prophet_map, snaive24 or fill; empty where there is no forecast.
        status: ok, not_enough_history, no_data or failed.
        reason: why there is none, or why it is not the model that was to be expected; empty otherwise.
        history_hours: length of the history that was there.
        step_ms: time between points.
        start_ms: start of the first point's hour.
        points: by name (mean, and the edges p2.5, p10, p90, p97.5) one value an hour; empty where there is none.
            ``mean`` is the point forecast, of the combiner the median.
        limit: where the capacity ends, or None.
        below: whether it runs out at the lower end.
        breach_ms: start of the hour by whose end it is as likely as not that the limit was reached; a time in the past
            where it is crossed already; None where it stays less likely than that for 72 hours.
        breach_early_ms: the same for one chance in ten.
        breach_reason: why no breach is expected, or since when there is one.
        prophet: what Prophet's model says of the same series; None where it has nothing to say.
        chance: the probability to reach the limit; None without one, or where it is crossed already.
        widening: what the 95 % and the 80 % band were multiplied by, for how earlier ones held.
        demand: of a level that is capped and stood at its cap, the demand expected at each hour; empty otherwise.
    """

    target: SeriesKey
    statistic: Statistic
    kind: Kind
    unit: str
    made_ms: int
    as_of_ms: int
    model: str
    status: Status
    reason: str
    history_hours: float
    step_ms: int
    start_ms: int
    points: dict[str, list[float]] = field(default_factory=dict)
    limit: float | None = None
    below: bool = False
    breach_ms: int | None = None
    breach_early_ms: int | None = None
    breach_reason: str = ""
    prophet: Reference | None = None
    chance: Chance | None = None
    widening: tuple[float, float] = (1.0, 1.0)
    demand: tuple[float, ...] = ()

    @property
    def decisive(self) -> bool:
        """Whether it says when the capacity ends."""
        return decides(self.kind, self.statistic)

    @property
    def crossed(self) -> bool:
        """Whether the limit was crossed already when it was made."""
        return self.chance is None and self.breach_ms is not None and self.breach_ms < self.start_ms

    def probability(self, from_ms: int, window_ms: int) -> float:
        """The probability to reach the limit between the forecast's start and the end of a window that begins later.

        1 where it is crossed already, 0 where there is no limit. The window is cut at the forecast's end.
        """
        if self.chance is None:
            return float(self.crossed)
        return self.chance.within((from_ms - self.start_ms + window_ms) / HOUR)

    @property
    def outlook(self) -> str:
        """What it says, in one sentence."""
        if self.status != "ok":
            return self.reason
        if self.breach_ms is None or self.breach_ms < self.start_ms or self.limit is None:
            return self.breach_reason
        verb = "falls to" if self.below else "reaches"
        text = f"{verb} {words.quantity(self.limit, self.unit)} on {words.moment(self.breach_ms)}"
        if self.breach_early_ms is not None and self.breach_early_ms < self.breach_ms:
            text += f", possibly as early as {words.moment(self.breach_early_ms)}"
        return text

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: the series as text and as name and labels, times as RFC 3339, ``outlook`` added."""
        return {
            "target": str(self.target),
            "name": self.target.name,
            "labels": dict(self.target.labels),
            "statistic": self.statistic,
            "kind": self.kind,
            "unit": self.unit,
            "made": rfc3339(self.made_ms),
            "as_of": rfc3339(self.as_of_ms),
            "model": self.model,
            "status": self.status,
            "reason": self.reason,
            "history_hours": self.history_hours,
            "step_seconds": self.step_ms / 1000,
            "start": rfc3339(self.start_ms),
            "points": self.points,
            "limit": self.limit,
            "below": self.below,
            "breach": _time_out(self.breach_ms),
            "breach_early": _time_out(self.breach_early_ms),
            "breach_reason": self.breach_reason,
            "outlook": self.outlook,
            "prophet": self.prophet.to_dict() if self.prophet is not None else None,
            "chance": self.chance.to_dict() if self.chance is not None else None,
            "widening": self.widening,
            "demand": self.demand,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Forecast":
        """The forecast that ``to_dict`` wrote.

        Raises:
            ValueError: the series or a time is not of its form.
            KeyError: a field is missing.
        """
        return cls(
            target=SeriesKey(data["name"], labels_of(data["labels"])),
            statistic=data["statistic"],
            kind=data["kind"],
            unit=data["unit"],
            made_ms=parse_time(data["made"]),
            as_of_ms=parse_time(data["as_of"]),
            model=data["model"],
            status=data["status"],
            reason=data["reason"],
            history_hours=data["history_hours"],
            step_ms=round(data["step_seconds"] * 1000),
            start_ms=parse_time(data["start"]),
            points=data["points"],
            limit=data["limit"],
            below=data["below"],
            breach_ms=_time_in(data["breach"]),
            breach_early_ms=_time_in(data["breach_early"]),
            breach_reason=data["breach_reason"],
            prophet=Reference.from_dict(data["prophet"]) if data.get("prophet") is not None else None,
            chance=Chance.from_dict(data["chance"]) if data.get("chance") is not None else None,
            widening=tuple(data["widening"]) if "widening" in data else (1.0, 1.0),
            demand=tuple(data.get("demand", ())),
        )


def _time_out(time_ms: int | None) -> str | None:
    return None if time_ms is None else rfc3339(time_ms)


def _time_in(text: str | None) -> int | None:
    return None if text is None else parse_time(text)
