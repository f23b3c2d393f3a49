"""Where the values of a foreign page go, and what becomes of several that go to one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from collector.series import Sample, SeriesKey

Role = Literal["value", "dividend", "divisor"]
_Totals = dict[SeriesKey, tuple[float, bool]]


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


def combine(found: Sequence[tuple[Route, float]]) -> list[Sample]:
    """One sample a series of ours: the newest name of each metric, engines added up or the largest taken."""
    best: dict[str, int] = {}
    for route, _ in found:
        best[route.group] = min(route.rank, best.get(route.group, route.rank))
    totals: dict[Role, _Totals] = {"value": {}, "dividend": {}, "divisor": {}}
    repeated: dict[tuple[SeriesKey, str, Role], tuple[Route, float]] = {}
    for route, raw in found:
        if route.rank != best[route.group]:
            continue
        value = raw * route.factor
        if route.part:
            slot = route.key, route.part, route.role
            repeated[slot] = route, max(value, repeated[slot][1] if slot in repeated else value)
        else:
            _add(totals[route.role], route, value)
    for route, value in repeated.values():
        _add(totals[route.role], route, value)
    values = totals["value"]
    for key, (value, counter) in totals["dividend"].items():
        divisor, _ = totals["divisor"].get(key, (0.0, False))
        if divisor:
            values[key] = value / divisor, counter
    return [Sample(key, value, counter) for key, (value, counter) in values.items()]


def _add(totals: _Totals, route: Route, value: float) -> None:
    before = totals.get(route.key)
    if before is not None:
        value = max(value, before[0]) if route.largest else value + before[0]
    totals[route.key] = value, route.counter
