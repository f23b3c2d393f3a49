"""What an import will ask for: this node's series among all, and for each metric of ours the queries that give it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from collector.adapters import ADAPTERS, P
from collector.backfill import is_counter
from collector.catalogue import CATALOGUE, metric_of_sample
from collector.history.node import Candidate, NodeFilter, address_of, candidates, host_of, namesakes, naming, recognise
from collector.history.prometheus import Prometheus, TooMuchError, conditions_of, exactly
from collector.history.rules import DERIVED, Derived
from collector.history.translate import NOT_KNOWN, Labels, Target, Translator, uuid_of
from collector.series import Matcher, SeriesKey, labels_of
from collector.settings import EndpointSettings, HostSettings
from forewarn.base.errors import UsageError


def _prefix(source: str) -> str:
    """What the names of one server begin with."""
    found = re.match(r"gen_ai_|[a-z]+[:_]", source)
    return found[0] if found else source


_SERVERS: Final = tuple(adapter for adapter in ADAPTERS if adapter.server != "forewarn")
EXPORTERS: Final = (
    *("dcgm-exporter", "nvidia_gpu_exporter", "node_exporter", "Forewarn"),
    *(adapter.server for adapter in _SERVERS),
)
"""Whose series are looked at."""

_PREFIXES: Final = (
    *("DCGM_FI_", "nvidia_smi_", "node_", "forewarn_(gpu|mig|node|network|inference)_"),
    *sorted({_prefix(source) for adapter in _SERVERS for rule in adapter.rules for source in rule.sources}),
)
_EVERYTHING: Final = "|".join(f"{prefix}.*" for prefix in _PREFIXES)
_FEW: Final = frozenset({f"{P}requests_running", f"{P}requests_waiting", f"{P}requests_total"})
_SCOUTS: Final = (
    *(f"DCGM_FI_DEV_{name}" for name in ("GPU_UTIL", "GPU_UTIL_RATIO", "FB_USED", "GPU_TEMP", "GPU_TEMP_CELSIUS")),
    *(
        "DCGM_FI_DEV_POWER_USAGE",
        "DCGM_FI_DEV_BOARD_POWER_WATTS",
        "nvidia_smi_gpu_info",
        "nvidia_smi_memory_used_bytes",
    ),
    *("node_uname_info", "node_load1", "node_memory_MemTotal_bytes", "forewarn_gpu_info", "forewarn_node_load1"),
    *(source for adapter in _SERVERS for rule in adapter.rules if rule.target in _FEW for source in rule.sources),
)
"""Series that each exporter has in small number: they tell which nodes there are."""

_INDEX: Final = "index"
_LISTED: Final = 20
"""Nodes that an error names."""
_WITHIN: Final = frozenset({"__name__", "cpu", "mode", "device"})
"""Labels that tell the series of one exporter apart."""


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, and what its answer becomes.

    Attributes:
        source: the name of theirs that it reads.
        template: PromQL with ``$selector``, ``$window`` and ``$rate`` to be filled in.
        conditions: the selector.
        routes: targets by the labels of the answer's series, those of ``by`` only.
        by: labels that tell the answer's series apart; None for all.
    """

    source: str
    template: str
    conditions: str
    routes: Mapping[frozenset[tuple[str, str]], tuple[Target, ...]]
    by: tuple[str, ...] | None = None

    def expression(self, window_ms: int, rate_ms: int) -> str:
        """The expression for durations with at least one, and at least two samples in them."""
        filled = self.template.replace("$window", f"{window_ms}ms").replace("$rate", f"{rate_ms}ms")
        return filled.replace("$selector", self.conditions)

    def targets(self, labels: Mapping[str, str]) -> tuple[Target, ...]:
        """Where a series of the answer goes."""
        pairs = labels.items() if self.by is None else ((name, labels.get(name, "")) for name in self.by)
        return self.routes.get(frozenset(pairs), ())


@dataclass(slots=True)
class Job:
    """The queries that together give one metric of ours: they are asked and put together for the same times."""

    metric: str
    queries: list[Query] = field(default_factory=list)

    @property
    def keys(self) -> set[SeriesKey]:
        """Our series."""
        return {target.key for query in self.queries for targets in query.routes.values() for target in targets}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Series of this node that are not imported: their name, how many, and why."""

    name: str
    series: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """An import to be made.

    Attributes:
        jobs: by metric of ours, those that forecasts need first.
        left_out: by name.
        instances: the addresses that were taken for this node's.
        others: the other nodes that the history knows.
    """

    jobs: tuple[Job, ...]
    left_out: tuple[LeftOut, ...]
    instances: tuple[str, ...]
    others: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """What is known of the node whose history is wanted.

    Attributes:
        names: its names.
        instances: addresses that are its whatever the series say.
        gpus: its GPUs, index by UUID; empty where they are not known.
        endpoints: its inference servers.
        host: what it leaves out of its devices and file systems.
        named: whether a person gave the names or addresses.
    """

    names: tuple[str, ...]
    instances: tuple[str, ...]
    gpus: Mapping[str, str]
    endpoints: Sequence[EndpointSettings]
    host: HostSettings
    named: bool = False


def make_plan(server: Prometheus, node: Node, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Plan:
    """Look at what the server has of this node.

    Raises:
        UsageError: it has nothing of it, or what it has may be of several nodes.
        PrometheusError: it does not answer.
    """
    scouts = _scouts(server, node, matchers, start_ms, end_ms)
    chosen = _choose(server, node, scouts)
    mine = [one for one in scouts if chosen.mine(one)]
    places = Matcher("instance", "=~", _at((one.get("instance", "") for one in mine), node.instances))
    series = server.series([_of_names(_EVERYTHING, [*matchers, places])], start_ms, end_ms)
    chosen.learn([*scouts, *series])
    wanted = [one for one in series if chosen.mine(one)]
    indices = {uuid_of(one): one[_INDEX] for one in wanted if _INDEX in one and uuid_of(one)}
    translator = Translator(node.gpus, indices, node.endpoints, node.host)
    jobs, left_out = _sort(wanted, translator)
    instances = sorted({one.get("instance", "") for one in wanted})
    others = [one for one in candidates(scouts, chosen) if not set(one.instances) & set(instances)]
    return Plan(tuple(jobs), tuple(left_out), tuple(instances), tuple(others))


def _scouts(
    server: Prometheus, node: Node, matchers: Sequence[Matcher], start_ms: int, end_ms: int
) -> list[dict[str, str]]:
    """Some series of every node; where those are more than the server gives, some of what names this node."""
    names = "|".join(_SCOUTS)
    try:
        return server.series([_of_names(names, matchers)], start_ms, end_ms)
    except TooMuchError:
        conditions = naming(node.names, node.instances, node.gpus)
        return server.series([_of_names(names, [*matchers, one]) for one in conditions], start_ms, end_ms)


def _choose(server: Prometheus, node: Node, scouts: Sequence[Labels]) -> NodeFilter:
    """A filter under which there is something of this node.

    Raises:
        UsageError: there is none.
    """
    if not scouts:
        names = ", ".join(EXPORTERS)
        raise UsageError(
            f"{server.url} has nothing of {names} in that time that is of {', '.join(node.names)}",
            hint="is it the right server, and --since long enough? --hostname tells what this node is called there",
        )
    chosen = recognise(scouts, names=node.names, instances=node.instances, gpus=node.gpus)
    if several := namesakes(scouts, chosen):
        raise UsageError(
            f"{server.url} knows several nodes of that name: {_listed(several, ', ')}",
            hint="--hostname names this node with its domain",
        )
    if any(chosen.mine(one) for one in scouts):
        return chosen
    found = candidates(scouts, chosen)
    if len(found) == 1 and not node.named and not (node.gpus and found[0].gpus):
        return recognise(scouts, names=node.names, instances=found[0].instances, gpus=node.gpus)
    lines = _listed([f"  {one.name or '?'}: {', '.join(one.instances)}; {one.gpus} GPUs" for one in found], "\n")
    raise UsageError(
        f"{server.url} has nothing of {' or '.join((*node.names, *node.instances))}; it knows\n{lines}",
        hint="--hostname names this node as it is called there, --instance an address of it",
    )


def _listed(found: Sequence[str], between: str) -> str:
    more = [f"  and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
    return between.join([*found[:_LISTED], *more])


def _of_names(expression: str, matchers: Iterable[Matcher]) -> str:
    return f"{{{conditions_of([Matcher('__name__', '=~', expression), *matchers])}}}"


def _at(instances: Iterable[str], named: Iterable[str]) -> str:
    """An expression for all addresses on the hosts of these, for each exporter has a port of its own."""
    found = set(instances)
    return address_of({host_of(instance) for instance in (*found, *named)} - {""}) + ("|" if "" in found else "")


def _sort(series: Sequence[Labels], translator: Translator) -> tuple[list[Job], list[LeftOut]]:
    routes: dict[str, dict[str, list[tuple[Labels, tuple[Target, ...]]]]] = {}
    refused: dict[tuple[str, str], int] = {}
    by_name: dict[str, list[Labels]] = {}
    for one in series:
        name = one["__name__"]
        by_name.setdefault(name, []).append(one)
        targets = translator.targets(one)
        if isinstance(targets, str):
            refused[name, targets] = refused.get((name, targets), 0) + 1
            continue
        for metric in {_family(target.key) for target in targets}:
            part = tuple(target for target in targets if _family(target.key) == metric)
            routes.setdefault(metric, {}).setdefault(name, []).append((one, part))
    jobs = {
        metric: Job(metric, [_query(name, found) for name, found in names.items()]) for metric, names in routes.items()
    }
    for derived in DERIVED:
        if derived.source in by_name and derived.target in CATALOGUE:
            job = jobs.setdefault(derived.target, Job(derived.target))
            job.queries.append(_derived(derived, by_name[derived.source], translator))
            refused.pop((derived.source, NOT_KNOWN), None)
    left_out = [LeftOut(name, count, reason) for (name, reason), count in sorted(refused.items())]
    return sorted(jobs.values(), key=_urgency), left_out


def _query(name: str, found: Sequence[tuple[Labels, tuple[Target, ...]]]) -> Query:
    """Each sample of the name's series counts for one window: a gap stays a gap."""
    conditions = conditions_of(exactly([labels for labels, _ in found]))
    routes = {frozenset(pair for pair in labels.items() if pair[0] != "__name__"): targets for labels, targets in found}
    return Query(name, f"last_over_time({name}{{$selector}}[$window])", conditions, routes)


def _derived(derived: Derived, series: Sequence[Labels], translator: Translator) -> Query:
    wanted = [one for one in series if not translator.ignored(derived.target, one)]
    conditions = conditions_of(exactly([{k: v for k, v in one.items() if k not in _WITHIN} for one in wanted]))
    routes: dict[frozenset[tuple[str, str]], tuple[Target, ...]] = {}
    for one in wanted:
        labels = {name: one.get(name, "") for name in derived.keep}
        key = SeriesKey(derived.target, labels_of(labels))
        target = Target(key, is_counter(key), 1.0, 1.0, add=False, scope=str(key), rank=0)
        routes[frozenset(labels.items())] = (target,)
    return Query(derived.source, derived.expression, conditions, routes, derived.keep)


def _family(key: SeriesKey) -> str:
    metric = metric_of_sample(key.name)
    return key.name if metric is None else metric.name


def _urgency(job: Job) -> tuple[bool, bool, str]:
    """Capacities first: whoever stops an import half-way has what forecasts need."""
    metric = CATALOGUE.get(job.metric)
    return metric is None or metric.kind is None, metric is None or metric.core is None, job.metric
