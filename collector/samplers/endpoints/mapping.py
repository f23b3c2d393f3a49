"""From a page of an endpoint to our series: what the adapters map, what the operator allows, what is refused."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from collector.adapters import ADAPTERS, SUFFIXES, Adapter, Rule
from collector.samplers.endpoints.routes import Role, Route, Slot, lay_out, part_of
from collector.series import Labels, Sample, SeriesKey, labels_of
from collector.textformat import FormatError, Page, parse_series

_OURS = "forewarn_"
_CREATED = "_created"


@dataclass(frozen=True, slots=True)
class _Entry:
    """An adapter's rule under one of the server's names: the name of our sample, and how new the server's name is."""

    adapter: Adapter
    rule: Rule
    target: str
    rank: int
    role: Role = "value"

    def concerns(self, labels: dict[str, str]) -> bool:
        """Whether a series with these labels counts."""
        rule = self.rule
        if any(labels.get(label, "") != value for label, value in rule.only.items()):
            return False
        return not rule.bounds or "le" not in labels or float(labels["le"]) in {*rule.bounds, math.inf}


def _entries() -> Iterator[tuple[str, _Entry]]:
    for adapter in ADAPTERS:
        for rule in adapter.rules:
            role: Role = "dividend" if rule.per else "value"
            for rank, source in enumerate(rule.sources):
                for suffix in SUFFIXES if rule.type == "histogram" else ("",):
                    yield source + suffix, _Entry(adapter, rule, rule.target + suffix, rank, role)
            if rule.per:
                yield rule.per, _Entry(adapter, rule, rule.target, 0, "divisor")


def _by_name(entries: Iterable[tuple[str, _Entry]]) -> dict[str, tuple[_Entry, ...]]:
    table: dict[str, tuple[_Entry, ...]] = {}
    for name, entry in entries:
        table[name] = (*table.get(name, ()), entry)
    return table


_ADAPTED = _by_name(_entries())


class Mapping:
    """Maps the pages of one endpoint. It remembers where each series goes, and looks into those that are new.

    Args:
        endpoint: value of the label ``endpoint``.
        model: value of the label ``model_name`` where the server does not tell it.
        allow: patterns of further names to keep.
    """

    def __init__(self, endpoint: str, model: str = "", allow: Sequence[str] = ()) -> None:
        self._endpoint = endpoint
        self._model = model
        self._allow = tuple(allow)
        self._types: dict[str, str] = {}
        self._series: list[str] = []
        self._routes: dict[str, tuple[Route, ...] | str] = {}
        self._slots: list[Slot] = []
        self._refused: dict[str, int] = {}

    def apply(self, page: Page) -> tuple[list[Sample], dict[str, int]]:
        """The page's samples under our names, and how many series of each refused family there are.

        Values that are no numbers (NaN of an empty summary) or infinite are left out.

        Raises:
            ValueError: a series is malformed (FormatError), or a bucket's bound is no number.
        """
        series = [series for series, _ in page.values]
        if page.types != self._types or series != self._series:
            self._learn(page.types, series)
        values = [value for _, value in page.values]
        samples = [sample for slot in self._slots if (sample := slot.sample(values)) is not None]
        return samples, self._refused

    def _learn(self, types: dict[str, str], page: list[str]) -> None:
        """Look into the series of a page; those that an earlier one had are known."""
        if types != self._types:
            self._routes = {}
        self._types, self._series, self._slots, self._refused = types, [], [], {}
        routes: dict[str, tuple[Route, ...] | str] = {}
        for series in page:
            if series not in routes:
                known = self._routes.get(series)
                routes[series] = self._route(series) if known is None else known
        self._routes = routes  # series that are gone are forgotten
        places = [routes[series] for series in page]
        self._slots = lay_out([() if isinstance(place, str) else place for place in places])
        self._refused = dict(Counter(place for place in places if isinstance(place, str)))
        self._series = page

    def _route(self, series: str) -> tuple[Route, ...] | str:
        """Where a series goes; the name of its family where it goes nowhere."""
        name, labels = parse_series(series)
        if name.endswith(_CREATED):
            return ()
        if name in _ADAPTED:
            return _routes(name, labels, self._endpoint, self._model)
        family = self._family(name)
        if not name.startswith(_OURS) and any(
            fnmatchcase(name, pattern) or fnmatchcase(family, pattern) for pattern in self._allow
        ):
            return (Route(SeriesKey(name, self._foreign_labels(labels)), self._is_counter(name, family)),)
        return family

    def _foreign_labels(self, labels: dict[str, str]) -> Labels:
        kept = {("exported_endpoint" if name == "endpoint" else name): value for name, value in labels.items()}
        return labels_of({**kept, "endpoint": self._endpoint})

    def _family(self, name: str) -> str:
        for suffix in (*SUFFIXES, "_total"):
            if name.endswith(suffix) and name.removesuffix(suffix) in self._types:
                return name.removesuffix(suffix)
        return name

    def _is_counter(self, name: str, family: str) -> bool:
        kind = self._types.get(family, "untyped")
        return kind in {"counter", "histogram"} or (kind == "summary" and name != family)


def adapted(name: str, labels: dict[str, str], *, endpoint: str, model: str) -> tuple[Route, ...]:
    """Where the adapter table sends a series of a server; nowhere, where the table does not know its name.

    Ratios that take two series of the server are left out, for one of them is not enough.

    Args:
        name: the server's name of the sample, suffixes of histograms included.
        labels: the server's labels.
        endpoint: value of the label ``endpoint``.
        model: value of the label ``model_name`` where the server does not tell it.

    Raises:
        ValueError: a bucket's bound is no number.
    """
    return tuple(route for route in _routes(name, labels, endpoint, model) if route.role == "value")


def _routes(name: str, labels: dict[str, str], endpoint: str, model: str) -> tuple[Route, ...]:
    entries = _ADAPTED.get(name, ())
    return tuple(_adapted(entry, labels, endpoint, model) for entry in entries if entry.concerns(labels))


def _adapted(entry: _Entry, labels: dict[str, str], endpoint: str, model: str) -> Route:
    rule, adapter = entry.rule, entry.adapter
    ours = {label: labels[label] for label in rule.keep if label in labels}
    ours |= {"endpoint": endpoint, "server": adapter.server}
    ours["model_name"] = next((labels[name] for name in adapter.model_labels if labels.get(name)), model)
    if rule.outcome is not None:
        outcome = rule.outcome
        ours["outcome"] = outcome.values.get(labels.get(outcome.label, ""), outcome.default)
    if rule.bound:
        ours["le"] = rule.bound
    elif "le" in labels:
        ours["le"] = _bound(labels["le"], rule.factor)
    scaled = rule.type != "histogram" or entry.target.endswith("_sum")
    return Route(
        SeriesKey(entry.target, labels_of(ours)),
        counter=rule.type != "gauge",
        factor=rule.factor if scaled else 1.0,
        largest=rule.combine == "max",
        group=f"{adapter.server} {rule.target} {entry.role}",
        rank=entry.rank,
        part=part_of(labels, adapter.replicas),
        role=entry.role,
    )


def _bound(text: str, factor: float) -> str:
    """A bucket's upper bound in our unit and in one spelling, for servers write 1, 1.0 and 1e0.

    Raises:
        ValueError: it is no number.
    """
    bound = float(text) * factor
    if math.isnan(bound):
        raise FormatError(f"{text!r} is no bound of a bucket")
    return "+Inf" if math.isinf(bound) else repr(float(f"{bound:.12g}"))
