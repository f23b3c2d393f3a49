"""What a plan says, as values that are sent and shown."""

from dataclasses import asdict, dataclass
from typing import Any

from forecast.plan.loads import Allowed
from forecast.plan.outlook import ENDS
from forecast.settings import Statistic
from forewarn.base.clock import HOUR, rfc3339

CHANCES = {"24h": 24, "48h": 48, "72h": 72, "14d": 14 * 24, "30d": 30 * 24}


@dataclass(frozen=True, slots=True)
class Resource:
    """One capacity.

    Attributes:
        target: the series.
        statistic: which value of each hour decides.
        kind: how the capacity is used up.
        unit: base unit.
        limit: where it ends.
        below: whether it runs out at the lower end.
        now: its newest hour; None without history.
        peak: its fullest hour of the last week; None without history.
        full: whether it is at its limit now.
        curve: the probability to have reached the limit by each of ``ENDS``; None where that cannot be said.
        room: by horizon in days, the factor by which its demand may grow; None where that cannot be said.
        allowed: the load that it allows, or why that cannot be said.
        reasons: by ``14d`` and the like, why nothing is said; ``all`` where nothing is said at all.
    """

    target: str
    statistic: Statistic
    kind: str
    unit: str
    limit: float
    below: bool
    now: float | None
    peak: float | None
    full: bool
    curve: tuple[float | None, ...]
    room: dict[int, float | None]
    allowed: Allowed | str
    reasons: dict[str, str]

    def chance(self, hours: int) -> float | None:
        """The probability to reach the limit within so many hours, one of those of ``CHANCES``."""
        return self.curve[int(ENDS.searchsorted(hours))] if self.curve else None

    def time(self, level: float) -> int | None:
        """Hours by whose end the probability is at the level; 0 where it is full, None beyond what is said."""
        if self.full:
            return 0
        places = (place for place, chance in enumerate(self.curve) if chance is not None and chance >= level)
        place = next(places, None)
        return None if place is None else int(ENDS[place])

    def to_dict(self, as_of_ms: int) -> dict[str, Any]:
        """As JSON has it."""
        times = {name: self.time(level) for name, level in (("t10", 0.1), ("t50", 0.5), ("t90", 0.9))}
        said = isinstance(self.allowed, Allowed)
        return {
            "target": self.target,
            "statistic": self.statistic,
            "kind": self.kind,
            "unit": self.unit,
            "limit": self.limit,
            "below": self.below,
            "now": self.now,
            "peak": self.peak,
            "full": self.full,
            "chances": {name: _rounded(self.chance(hours)) for name, hours in CHANCES.items()},
            **{name: None if hours is None else rfc3339(_after(as_of_ms, hours)) for name, hours in times.items()},
            "room": {f"{days}d": _rounded(factor) for days, factor in self.room.items()},
            "load": asdict(self.allowed) if isinstance(self.allowed, Allowed) else None,
            "load_reason": "" if said else self.allowed,
            "reasons": self.reasons,
            "curve": [_rounded(chance) for chance in self.curve],
        }


@dataclass(frozen=True, slots=True)
class Need:
    """How many more GPUs one resource asks for.

    Attributes:
        title: the resource.
        model: of the GPUs; empty for all of the node.
        count: GPUs that are there.
        unit: of capacity and peak.
        capacity: of the GPUs that are there.
        peak: the highest hour of the last week.
        more: by horizon in days, the fewest more; None where that cannot be said.
        chances: by horizon, the probability of a breach with the GPUs that are there; None where that cannot be said.
        reasons: by ``14d`` and the like, why nothing is said.
        notes: what to know when reading the answer.
    """

    title: str
    model: str
    count: int
    unit: str
    capacity: float
    peak: float | None
    more: dict[int, int | None]
    chances: dict[int, float | None]
    reasons: dict[str, str]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "resource": self.title,
            "model": self.model,
            "count": self.count,
            "unit": self.unit,
            "capacity": self.capacity,
            "peak": self.peak,
            "more": {f"{days}d": count for days, count in self.more.items()},
            "chances": {f"{days}d": _rounded(chance) for days, chance in self.chances.items()},
            "reasons": self.reasons,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """The answers of one moment.

    Attributes:
        as_of_ms: nothing later was looked at.
        horizons: in days.
        probability: of a breach, that is still borne.
        grow: the factor by which demand was taken to grow at once.
        resources: the one that is full first leads.
        needs: by resource and model of GPU.
        notes: what could not be answered, one line each.
    """

    as_of_ms: int
    horizons: tuple[int, ...]
    probability: float
    grow: float
    resources: tuple[Resource, ...]
    needs: tuple[Need, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "as_of": rfc3339(self.as_of_ms),
            "horizons_days": list(self.horizons),
            "probability": self.probability,
            "grow": self.grow,
            "curve_hours": ENDS.tolist(),
            "resources": [each.to_dict(self.as_of_ms) for each in self.resources],
            "gpus": [each.to_dict() for each in self.needs],
            "notes": list(self.notes),
        }


def _after(as_of_ms: int, hours: int) -> int:
    """The end of so many hours, the one under way being the first; without any, the moment itself."""
    return as_of_ms - as_of_ms % HOUR + hours * HOUR if hours else as_of_ms


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
