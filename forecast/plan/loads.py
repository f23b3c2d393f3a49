"""What drives resources: requests and tokens of the inference servers, and which of them explains a resource best."""

from dataclasses import dataclass

import numpy as np

from collector.series import Matcher, SeriesKey
from collector.store import Series
from forecast.grid import GRID_HOURS
from forecast.plan.demand import WEEK_HOURS, Demand
from forecast.plan.relation import LEAST_EXPLAINED, Relation
from forecast.prepare import regular
from forecast.sources import Floats, Gauge, Rate, Reader
from forewarn.base.clock import HOUR

OWN_LABELS = ("model_name", "server", "endpoint")
"""A resource that has these is driven by the load with the same ones; others by the node's whole load."""
SEED = 5
CLOSE = 0.1
"""Of two loads that explain a resource so nearly alike, the one that ``LOADS`` has first is named."""


@dataclass(frozen=True, slots=True)
class Load:
    """A load that the catalogue knows."""

    title: str
    metric: str
    unit: str


LOADS = (
    Load("requests", "forewarn_inference_requests_total", "requests/s"),
    Load("prompt tokens", "forewarn_inference_prompt_tokens_total", "prompt tokens/s"),
    Load("generated tokens", "forewarn_inference_generation_tokens_total", "generated tokens/s"),
    Load("running requests", "forewarn_inference_requests_running", "running requests"),
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What load a resource allows.

    Attributes:
        load: title of the load that explains it best, or nearly so.
        metric: the load's metric.
        unit: of the figures.
        explained: part of the resource's variance that it explains on days left out.
        peak: highest hour of the last week.
        most: the load at which an hour breaches with the probability asked for; None where that is more than half as
            much again as the highest load seen.
        headroom: how far that lies over the peak, as a part of it; None as ``most``.
    """

    load: str
    metric: str
    unit: str
    explained: float
    peak: float
    most: float | None
    headroom: float | None


class Drivers:
    """The loads of a node, hour by hour over the last four weeks.

    Args:
        reader: the store.
        end_ms: the last hour's end.
    """

    def __init__(self, reader: Reader, end_ms: int) -> None:
        self._reader = reader
        self._end_ms = end_ms
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Floats] = {}

    def allowed(self, key: SeriesKey, demand: Demand, probability: float) -> Allowed | str:
        """The load that a resource allows; in words, why that cannot be said."""
        if demand.fills:
            return "it fills with time, not with load"
        own = tuple((name, value) for name, value in key.labels if name in OWN_LABELS)
        related: list[tuple[Load, Floats, Relation]] = []
        why = ""
        for load in LOADS:
            hours = self.hours(load.metric, own)
            if load.metric == key.name or not np.isfinite(hours).any():
                continue
            level = demand.values[-GRID_HOURS:]
            found = Relation.of(hours[-level.size :], level, np.random.default_rng(SEED))
            if isinstance(found, str):
                why = why or f"{load.title}: {found}"
            else:
                related.append((load, hours, found))
        if not related:
            return why or "no load is recorded: no inference server is scraped"
        most = max(found.explained for _, _, found in related)
        enough = max(most - CLOSE, min(most, LEAST_EXPLAINED))
        first = next(one for one in related if one[2].explained >= enough)
        return _allowed(*first, demand.limit, probability)

    def hours(self, metric: str, own: tuple[tuple[str, str], ...]) -> Floats:
        """The load by the hour, all series that fit together; NaN where one is missing between hours that it has."""
        if (metric, own) not in self._known:
            matchers = [Matcher("__name__", "=", metric), *(Matcher(name, "=", value) for name, value in own)]
            series = self._reader.series(*matchers)
            found = [hourly(self._reader, one, self._end_ms, GRID_HOURS) for one in series]
            rows = np.array([row for row in found if np.isfinite(row).any()]).reshape(-1, GRID_HOURS)
            known = np.isfinite(rows)
            begun = np.logical_or.accumulate(known, axis=1)
            goes_on = np.logical_or.accumulate(known[:, ::-1], axis=1)[:, ::-1]
            whole = known.any(axis=0) & ~(begun & goes_on & ~known).any(axis=0)
            self._known[metric, own] = np.where(whole, np.nansum(rows, axis=0), np.nan)
        return self._known[metric, own]


def hourly(reader: Reader, series: Series, end_ms: int, hours: int) -> Floats:
    """A series' hourly means, of a counter its rate a second, up to a moment, [hours]; NaN where there is nothing."""
    source = Rate(series.id) if series.counter else Gauge(series.id)
    found = source.hours(reader, end_ms - hours * HOUR, end_ms)
    values = np.full(hours, np.nan)
    if found.times.size:
        tail = regular(found, "mean", end_ms)
        values[hours - tail.size :] = tail
    return values


def _allowed(load: Load, hours: Floats, relation: Relation, limit: float, probability: float) -> Allowed | str:
    if relation.explained < LEAST_EXPLAINED:
        part = max(relation.explained, 0.0)
        return f"no load explains it: {load.title}, the best, {100 * part:.0f} % of its variance"
    peak = float(np.nanmax(hours[-WEEK_HOURS:])) if np.isfinite(hours[-WEEK_HOURS:]).any() else float(np.nanmax(hours))
    most = relation.load_at(limit, probability, float(np.nanmax(hours)))
    headroom = most / peak - 1 if most is not None and peak > 0 else None
    return Allowed(load.title, load.metric, load.unit, relation.explained, peak, most, headroom)
