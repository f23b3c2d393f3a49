"""Where the values of a foreign page go, and what becomes of several that go to one place.

A page has the same series round after round: what goes where is laid out once, and each round only reckons.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from collector.series import Sample, SeriesKey

Role = Literal["value", "dividend", "divisor"]


@dataclass(frozen=True, slots=True)
class Route:
    """Where the value of one series of a server goes.

    Attributes:
        key: our series.
        counter: whether it only grows between resets.
        factor: its unit in ours.
        largest: of several that come to the same series the largest is taken, else they are added up.
        group: series of one metric that may come under several names; only those of the lowest rank on a page count.
        part: of the values that are added up those with the same part tell the same, and the largest counts; empty
            where no other tells it.
        role: a dividend is nothing without the divisor of its series.
    """

    key: SeriesKey
    counter: bool
    factor: float = 1.0
    largest: bool = False
    group: str = ""
    rank: int = 0
    part: str = ""
    role: Role = "value"


def part_of(labels: dict[str, str], replicas: frozenset[str]) -> str:
    """What tells a series from those that only repeat it; empty where none does."""
    if replicas.isdisjoint(labels):
        return ""
    return repr(sorted(pair for pair in labels.items() if pair[0] not in replicas))


@dataclass(slots=True)
class Slot:
    """The values of a page that become one of our samples.

    Attributes:
        parts: for each thing that is added up the values that tell it, as their place on the page and their factor.
        divisor: what the result is divided by.
    """

    key: SeriesKey
    counter: bool
    largest: bool
    parts: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    divisor: "Slot | None" = None

    def sample(self, values: Sequence[float]) -> Sample | None:
        """The sample that a page's values make; None where they are no numbers, or would be divided by nothing."""
        value = self.total(values)
        if value is not None and self.divisor is not None:
            divisor = self.divisor.total(values)
            value = value / divisor if divisor else None
        return None if value is None else Sample(self.key, value, self.counter)

    def total(self, values: Sequence[float]) -> float | None:
        """The parts added up, or the largest of them; None where none of them is a number."""
        parts: list[float] = []
        for terms in self.parts.values():
            found = [value for place, factor in terms if math.isfinite(value := values[place] * factor)]
            if found:
                parts.append(max(found))
        if not parts:
            return None
        return max(parts) if self.largest else sum(parts)


def lay_out(page: Sequence[Sequence[Route]]) -> list[Slot]:
    """Our samples, from where each value of a page goes: of the newest name of each metric only."""
    best: dict[str, int] = {}
    for routes in page:
        for route in routes:
            best[route.group] = min(route.rank, best.get(route.group, route.rank))
    slots: dict[tuple[Role, SeriesKey], Slot] = {}
    for place, routes in enumerate(page):
        for route in routes:
            if route.rank == best[route.group]:
                slot = slots.setdefault((route.role, route.key), Slot(route.key, route.counter, route.largest))
                part = route.part or str(place)
                slot.parts.setdefault(part, []).append((place, route.factor))
    for (role, key), slot in slots.items():
        if role == "dividend":
            slot.divisor = slots.get(("divisor", key), Slot(key, slot.counter, slot.largest))
    return [slot for (role, _), slot in slots.items() if role != "divisor"]
