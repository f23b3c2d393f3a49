"""Pools: what the GPUs of one model serve together, so that one more of them takes a share of it.

Demand is summed over the GPUs, capacity goes with their number. What does not go with it, a disk or the host's memory,
is no pool.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collector.series import Matcher, SeriesKey
from forecast.members.statistics import mean
from forecast.plan.demand import WEEK_HOURS, Demand
from forecast.plan.loads import hourly
from forecast.prepare import History
from forecast.sources import Floats, Reader
from forecast.targets import Target

UTILIZATION = "forewarn_gpu_utilization_ratio"
MEMORY = "forewarn_gpu_memory_used_bytes"
KV_CACHE = "forewarn_inference_kv_cache_usage_ratio"
WAITING = "forewarn_inference_requests_waiting"
RUNNING = "forewarn_inference_requests_running"
INFO = "forewarn_gpu_info"
BUSY_WAITING = 1.0
UNEVEN = 1.25
FEWEST_TO_COMPARE = 2
MOST_MORE = 3
"""More GPUs than so many times those that are there, and 16, are not asked about."""

Known = Mapping[SeriesKey, tuple[Target, History]]


@dataclass(frozen=True, slots=True)
class Pool:
    """A resource that goes with the number of GPUs.

    Attributes:
        title: what it is.
        model: of the GPUs; empty for what all GPUs of the node serve.
        count: GPUs that are there.
        unit: of the figures.
        demand: summed, its limit that of the GPUs that are there.
        each: capacity that one more GPU adds.
        notes: what to know when reading the answer.
    """

    title: str
    model: str
    count: int
    unit: str
    demand: Demand
    each: float
    notes: tuple[str, ...] = ()

    def limits(self) -> Floats:
        """Capacity with 0, 1, 2... more GPUs."""
        return np.asarray(self.demand.limit + self.each * np.arange(max(16, MOST_MORE * self.count) + 1.0))


def find_pools(reader: Reader, known: Known) -> list[Pool]:
    """The pools among capacities with history; none without GPUs."""
    infos = [dict(one.key.labels) for one in reader.series(Matcher("__name__", "=", INFO))]
    names = {labels.get("uuid", ""): labels.get("name", "GPU") for labels in infos}
    models = {_uuid(key): names.get(_uuid(key), "GPU") for key in known if key.name in {UTILIZATION, MEMORY}}
    kinds = sorted(set(models.values()))
    if not kinds:
        return []
    pools: list[Pool | None] = []
    for model in kinds:
        mine = [one for key, one in known.items() if models.get(_uuid(key)) == model]
        pools.append(_of_gpus(UTILIZATION, model, mine))
        pools.append(_of_gpus(MEMORY, model, mine))
    whole = _Node(kinds[0] if len(kinds) == 1 else "", len(models), known)
    pools += [whole.caches(), whole.requests(reader), *whole.allocations()]
    return [pool for pool in pools if pool is not None]


def _of_gpus(name: str, model: str, mine: Sequence[tuple[Target, History]]) -> Pool | None:
    """Utilization or memory of GPUs of one model; of memory only what comes and goes, for weights lie on each."""
    found = [(target, history.values) for target, history in mine if target.key.name == name]
    if not found:
        return None
    target = found[0][0]
    values = stacked([values for _, values in found])
    base = np.zeros(len(found))
    if name == MEMORY:
        base = np.nan_to_num(np.fmin.reduce(values[:, -4 * WEEK_HOURS :], axis=1))
    limits = np.array([target.limit for target, _ in found], dtype=np.float64) - base
    total = (values - base[:, None]).sum(axis=0)
    demand = Demand(trimmed(total), float(limits.sum()), extreme=target.statistic != "mean")
    title = "GPU memory" if name == MEMORY else "GPU utilization"
    notes = (*_saturated(demand), *_uneven(values - base[:, None], limits))
    unit = target.unit if name == MEMORY else "GPUs"
    return Pool(title, model, len(found), unit, demand, float(limits.mean()), notes)


@dataclass(frozen=True, slots=True)
class _Node:
    """What all GPUs of the node serve together."""

    model: str
    count: int
    known: Known

    def caches(self) -> Pool | None:
        """Caches for keys and values, in GPUs: a server's cache lies on all of its GPUs."""
        found = self._named(KV_CACHE)
        if not found:
            return None
        limit = float(np.mean([target.limit or 1.0 for target, _ in found]))
        values = stacked([history.values for _, history in found]).mean(axis=0) * self.count
        demand = Demand(trimmed(values), limit * self.count)
        return Pool("KV cache", self.model, self.count, "GPUs", demand, limit, _saturated(demand))

    def requests(self, reader: Reader) -> Pool | None:
        """Requests that run or wait. What can run at once grows with the GPUs; how many may wait does not."""
        waiting = self._named(WAITING)
        running = reader.series(Matcher("__name__", "=", RUNNING))
        if not waiting or not running:
            return None
        end_ms, size = waiting[0][1].end_ms, max(history.values.size for _, history in waiting)
        at_work = stacked([hourly(reader, one, end_ms, size) for one in running]).sum(axis=0)
        queue = stacked([history.values for _, history in waiting]).sum(axis=0)
        at_work, queue = (row[-min(at_work.size, queue.size) :] for row in (at_work, queue))
        if not (np.isfinite(at_work) & np.isfinite(queue)).any():
            return None
        busy = at_work[queue >= BUSY_WAITING]
        at_once = float(np.median(busy)) if busy.size else float(np.nanmax(at_work))
        allowed = float(sum(target.limit or 0.0 for target, _ in waiting))
        demand = Demand(trimmed(at_work + queue), at_once + allowed, extreme=True)
        notes = () if busy.size else ("requests never waited: as many as ever ran are taken for what can run at once",)
        return Pool("requests", self.model, self.count, "requests", demand, at_once / self.count, notes)

    def allocations(self) -> Iterator[Pool]:
        """Declared allocations of GPUs."""
        for key, (target, history) in self.known.items():
            if target.kind == "allocation" and "gpu" in key.name and not target.below and target.limit is not None:
                demand = Demand(history.values, target.limit, extreme=target.statistic != "mean")
                yield Pool(str(key), self.model, self.count, target.unit, demand, target.limit / self.count)

    def _named(self, name: str) -> list[tuple[Target, History]]:
        return [one for key, one in self.known.items() if key.name == name]


def stacked(rows: Sequence[Floats]) -> Floats:
    """Hours that end together, [n, hours], NaN before a row began."""
    longest = max(row.size for row in rows)
    found = np.full((len(rows), longest), np.nan)
    for place, row in enumerate(rows):
        found[place, longest - row.size :] = row
    return found


def trimmed(values: Floats) -> Floats:
    """Without the hours before the first that is known."""
    known = np.flatnonzero(np.isfinite(values))
    return values[known[0] :] if known.size else values[:0]


def _saturated(demand: Demand) -> tuple[str, ...]:
    """Where demand is cut off at the limit, how much more there would be is not seen."""
    week = demand.values[-WEEK_HOURS:]
    hours = int((week >= demand.limit).sum())
    if not hours:
        return ()
    return (f"at the limit in {hours} h of the last week: demand beyond it is not seen, more may be needed",)


def _uneven(values: Floats, limits: Floats) -> tuple[str, ...]:
    """Where one GPU is far fuller than the others, more GPUs help only if load moves to them."""
    shares = np.nan_to_num(mean(values[:, -24:])) / limits
    usual = float(np.mean(shares))
    if len(limits) < FEWEST_TO_COMPARE or usual <= 0 or shares.max() < UNEVEN * usual:
        return ()
    return (f"one GPU has {shares.max() / usual:.1f} times the mean: more GPUs help it only if load moves to them",)


def _uuid(key: SeriesKey) -> str:
    return dict(key.labels).get("uuid", "")
