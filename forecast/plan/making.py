"""A plan made: every capacity read, looked ahead of, related to load, and pooled over the GPUs."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collector.series import SeriesKey
from forecast.chance import Chance
from forecast.plan.answer import Plan, Resource
from forecast.plan.apart import apart
from forecast.plan.asking import FACTORS, Ask, short_of
from forecast.plan.demand import Demand, Silence, deciding, read
from forecast.plan.loads import Allowed, Drivers
from forecast.plan.needs import find_needs
from forecast.plan.outlook import ENDS, SHORT_DAYS, Outlook, point_of
from forecast.plan.pools import Pool, find_pools
from forecast.prepare import History
from forecast.settings import HORIZON_HOURS
from forecast.sources import Floats, Reader
from forecast.targets import Target
from forewarn.base.clock import HOUR

log = logging.getLogger(__name__)

BATCH = 48
FAR = (
    "beyond 3 days this holds if the future is like the past: on measured series, of 38 answers under 5 % for 14 days"
    " 1 came true, of 7 answers under 5 % for 30 days 4 came true (docs/plan.md)"
)
"""From ``forecast.plan.evaluation``."""
Progress = Callable[[int, int], None]
Chances = Mapping[SeriesKey, Chance]


def make_plan(
    reader: Reader,
    targets: Sequence[Target],
    as_of_ms: int,
    ask: Ask | None = None,
    *,
    chances: Chances | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Answer the capacity questions as of a moment.

    Args:
        reader: where the series are.
        targets: the capacities, found by ``find_targets`` or elsewhere.
        as_of_ms: nothing later is looked at.
        ask: what is asked.
        chances: what forecasts made at this moment's hour say already of the decisive statistic.
        progress: called with how much is done and how much there is.
    """
    ask = ask or Ask()
    return _Making(reader, as_of_ms, ask, chances or {}, progress or (lambda _done, _total: None)).plan(targets)


@dataclass(frozen=True, slots=True)
class _Making:
    reader: Reader
    as_of_ms: int
    ask: Ask
    chances: Chances
    progress: Progress

    def plan(self, targets: Sequence[Target]) -> Plan:
        matchers = self.ask.matchers
        wanted = [one for one in targets if all(matcher.matches(one.key) for matcher in matchers)]
        chosen = deciding(wanted)
        known: dict[SeriesKey, tuple[Target, History]] = {}
        silent: list[Resource] = []
        total = 2 * len(chosen) + 1
        for done, target in enumerate(chosen):
            self.progress(done, total)
            found = self._read(target)
            if isinstance(found, History):
                known[target.key] = target, found
            elif target.declared or not found.gone:
                silent.append(_silent(target, found.reason))
        resources = []
        drivers = Drivers(self.reader, self.as_of_ms - self.as_of_ms % HOUR)
        pairs = list(known.values())
        for begin in range(0, len(pairs), BATCH):
            self.progress(len(chosen) + begin, total)
            part = pairs[begin : begin + BATCH]
            resources += apart(part, lambda some: self._resources(some, drivers), lambda one, why: _silent(one[0], why))
        pools = find_pools(self.reader, known)
        needs = find_needs(pools, self.ask)
        self.progress(total, total)
        ordered = sorted(resources, key=_urgency) + silent
        notes = _notes(wanted, chosen, ordered, pools, self.ask)
        ask = self.ask
        return Plan(self.as_of_ms, ask.horizons, ask.probability, ask.grow, tuple(ordered), tuple(needs), notes)

    def _read(self, target: Target) -> History | Silence:
        try:
            return read(self.reader, target, self.as_of_ms)
        except Exception as error:  # one capacity that cannot be read must not cost the others their answer
            log.warning("a capacity cannot be read", extra={"target": str(target.key)}, exc_info=True)
            return Silence(f"cannot be read: {error or type(error).__name__}")

    def _resources(self, pairs: Sequence[tuple[Target, History]], drivers: Drivers) -> list[Resource]:
        demands = [Demand.of(target, history) for target, history in pairs]
        outlook = Outlook.of(demands)
        rows = np.arange(len(demands))
        grown = np.array([_limit(demand, self.ask.grow) for demand in demands])
        curves = self._within(outlook.curves(rows, grown, self._said([target for target, _ in pairs])))
        factors = np.concatenate([demand.threshold(FACTORS) for demand in demands])
        rooms = outlook.curves(np.repeat(rows, FACTORS.size), factors, deciding=True).reshape(
            rows.size, FACTORS.size, ENDS.size
        )
        found = []
        for row, (target, _) in enumerate(pairs):
            allowed = drivers.allowed(target.key, demands[row], self.ask.probability)
            found.append(self._resource(target, demands[row], curves[row], rooms[row], allowed))
        return found

    def _resource(
        self, target: Target, demand: Demand, curve: Floats, room: Floats, allowed: Allowed | str
    ) -> Resource:
        side = -1.0 if target.below else 1.0
        peak = demand.peak()
        return Resource(
            target=str(target.key),
            statistic=target.statistic,
            kind=target.kind,
            unit=target.unit,
            limit=side * demand.limit,
            below=target.below,
            now=side * demand.last,
            peak=side * peak if np.isfinite(peak) else None,
            full=demand.last >= demand.limit,
            curve=_told(curve),
            room={days: _factor(room[:, point_of(days)], self.ask.probability) for days in self.ask.horizons},
            allowed=allowed,
            reasons=self._reasons(demand, curve),
        )

    def _reasons(self, demand: Demand, curve: Floats) -> dict[str, str]:
        unsaid = [days for days in self.ask.horizons if not np.isfinite(curve[point_of(days)])]
        sparse = {f"{days}d": "too few days of the history have values" for days in unsaid}
        reasons = sparse | short_of(demand.days, self.ask.horizons)
        if not np.isfinite(demand.threshold(self.ask.grow)):
            ungrown = "" if self.ask.grow == 1 else ", so nothing has grown here"
            reasons["grow"] = f"its level without any demand is not known{ungrown}"
        return reasons

    def _said(self, targets: Sequence[Target]) -> Floats:
        """Three days as the stored forecasts have them; where demand grows at once, they do not speak of that."""
        said = np.full((len(targets), HORIZON_HOURS), np.nan)
        if self.ask.grow == 1:
            for row, target in enumerate(targets):
                chance = self.chances.get(target.key)
                if chance is not None:
                    said[row] = chance.curve
        return said

    def _within(self, curves: Floats) -> Floats:
        return np.where(self.ask.days * 24 >= ENDS, curves, np.nan)


def _limit(demand: Demand, grow: float) -> float:
    """The threshold for a demand that grows at once; its own limit where it is not known what grows."""
    grown = float(demand.threshold(grow))
    return grown if np.isfinite(grown) else demand.limit


def _told(curve: Floats) -> tuple[float | None, ...]:
    return tuple(chance if np.isfinite(chance) else None for chance in curve.tolist())


def _factor(chances: Floats, probability: float) -> float | None:
    """The growth at which a breach has the probability; the outermost one asked about where it lies beyond."""
    if not np.isfinite(chances).all():
        return None
    rising = np.maximum.accumulate(chances)
    reached = np.flatnonzero(rising >= probability)
    if not reached.size:
        return float(FACTORS[-1])
    place = int(reached[0])
    if place == 0:
        return float(FACTORS[0])
    ends = slice(place - 1, place + 1)
    return float(np.exp(np.interp(probability, rising[ends], np.log(FACTORS[ends]))))


def _silent(target: Target, reason: str) -> Resource:
    return Resource(
        str(target.key), target.statistic, target.kind, target.unit, target.limit or 0.0, target.below, None, None,
        full=False, curve=(), room={}, allowed=reason, reasons={"all": reason},
    )  # fmt: skip


def _urgency(resource: Resource) -> tuple[bool, float, str]:
    farthest = max((chance for chance in resource.curve if chance is not None), default=0.0)
    half = resource.time(0.5)
    return not resource.full, half if half is not None else 10_000 - 1_000 * farthest, resource.target


def _notes(
    wanted: Sequence[Target], chosen: Sequence[Target], told: Sequence[Resource], pools: Sequence[Pool], ask: Ask
) -> tuple[str, ...]:
    notes = []
    if not wanted:
        return ("no capacity fits the selector" if ask.target else "no capacity is recorded",)
    if chosen and not told:
        return ("of these capacities nothing was recorded on the day before",)
    limitless = Counter(key.name for key in sorted({one.key for one in wanted if one.limit is None}))
    if limitless:
        names = [f"{name} ({count} series)" if count > 1 else name for name, count in limitless.items()]
        notes.append(f"without a limit, so never full: {', '.join(names)}")
    if not chosen:
        notes.append("no capacity has a limit: give it one in a [[target]] row")
    if not pools:
        notes.append("no GPUs: none with a day of history is among these capacities")
    disks = [one for one in told if one.kind == "fill"]
    if pools and disks:
        notes.append("more GPUs do not help what fills up: disks, quotas, wear")
    if any(one.chance(days * 24) is not None for one in told for days in ask.horizons if days > SHORT_DAYS):
        notes.append(FAR)
    return tuple(notes)
