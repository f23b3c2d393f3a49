"""Which of a fleet's series are this node's.

A GPU is known by its UUID; else a label names the host; else the address that was scraped does, and an address at
which one series of this node was found is this node's for all others.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from collector.history.prometheus import escaped
from collector.history.translate import GPU_LABELS, uuid_of
from collector.series import Matcher

Labels = Mapping[str, str]

_NAMING: Final = ("hostname", "Hostname", "nodename", "node", "kubernetes_node", "exported_hostname", "host")
_UNAME: Final = "node_uname_info"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", ""})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that the history knows: its name, its addresses, its GPUs."""

    name: str
    instances: tuple[str, ...]
    gpus: int


@dataclass(slots=True)
class NodeFilter:
    """Tells this node's series from others'. Made by ``recognise``.

    Attributes:
        names: the node's names.
        instances: addresses that were named as this node's.
        hosts: hosts of addresses that were found to be this node's.
        gpus: UUIDs of its GPUs; empty where they are not known.
        nodenames: what node_exporter says of each address.
        domains: those of them that hold a domain, by host: other exporters there may tell the name without it.
    """

    names: frozenset[str]
    instances: frozenset[str]
    gpus: frozenset[str]
    nodenames: Mapping[str, str]
    domains: Mapping[str, str]
    hosts: set[str] = field(default_factory=set)

    def mine(self, labels: Labels) -> bool:
        """Whether a series is this node's."""
        told = self._told(labels)
        if told is not None:
            return told
        host = host_of(labels.get("instance", ""))
        return host in self.hosts or any(same_host(host, own) for own in self.names)

    def _told(self, labels: Labels) -> bool | None:
        """What the series itself tells; None where only its address could tell."""
        uuid = uuid_of(labels)
        if uuid and self.gpus:
            return uuid in self.gpus
        if self.at_named_address(labels):
            return True
        name = self.name_of(labels)
        return any(same_host(name, own) for own in self.names) if name else None

    def at_named_address(self, labels: Labels) -> bool:
        """Whether a series was scraped at an address that was named as this node's."""
        instance = labels.get("instance", "")
        return instance in self.instances or host_of(instance) in self.instances

    def name_of(self, labels: Labels) -> str:
        """The host's name that a series tells, empty where it tells none."""
        told = next((labels[label] for label in _NAMING if not labels.get(label, "0").isdigit()), "")
        instance = labels.get("instance", "")
        full = self.domains.get(host_of(instance), "")
        return full if told and same_host(full, told) else told or self.nodenames.get(instance, "")

    def learn(self, series: Iterable[Labels]) -> None:
        """Take note of the addresses at which this node's series were found, unless another node has them too."""
        found: dict[bool, set[str]] = {True: set(), False: set()}
        for labels in series:
            told = self._told(labels)
            if told is not None:
                found[told].add(host_of(labels.get("instance", "")))
        self.hosts = found[True] - found[False] - _LOOPBACK


def recognise(
    series: Sequence[Labels], *, names: Iterable[str], instances: Iterable[str], gpus: Iterable[str]
) -> NodeFilter:
    """A filter that has seen these series.

    Args:
        series: some series of every exporter.
        names: the node's names.
        instances: addresses, with port or without, that are this node's whatever the series say.
        gpus: UUIDs of the node's GPUs as far as they are known.
    """
    nodenames = {one["instance"]: one["nodename"] for one in series if one["__name__"] == _UNAME and "nodename" in one}
    chosen = NodeFilter(
        frozenset(name.lower() for name in names if name),
        frozenset(instances),
        frozenset(uuid_of({"uuid": uuid}) for uuid in gpus),
        nodenames,
        {host_of(at): name for at, name in nodenames.items() if "." in name and host_of(at) not in _LOOPBACK},
    )
    chosen.learn(series)
    return chosen


def naming(names: Iterable[str], instances: Iterable[str], gpus: Iterable[str]) -> list[Matcher]:
    """Conditions of which series that name this node, its address or its GPUs fulfil one each."""
    hosts = sorted({short for name in names for short in (name, name.partition(".")[0])})
    called = rf"(?i:({escaped(hosts)})(\..*)?)"
    devices = escaped(sorted({part for uuid in gpus for part in (uuid, uuid.partition("-")[2])}))
    return [
        *(Matcher(label, "=~", called) for label in _NAMING),
        *(Matcher(label, "=~", f"(?i:{devices})") for label in GPU_LABELS if devices),
        Matcher("instance", "=~", address_of({*hosts, *(host_of(one) for one in instances)})),
    ]


def address_of(hosts: Iterable[str]) -> str:
    """An expression for any port of these hosts."""
    return rf"(?i:\[?({escaped(sorted(hosts))})\]?(:[0-9]+)?)"


def candidates(series: Sequence[Labels], chosen: NodeFilter) -> list[Candidate]:
    """The nodes that the series are of, by name; an address without one goes by the name of others on its host."""
    instances: dict[str, set[str]] = defaultdict(set)
    gpus: dict[str, set[str]] = defaultdict(set)
    names = {host_of(one.get("instance", "")): name for one in series if (name := chosen.name_of(one))}
    for labels in series:
        host = host_of(labels.get("instance", ""))
        name = chosen.name_of(labels) or names.get(host, host)
        instances[name].add(labels.get("instance", ""))
        gpus[name].update({uuid_of(labels)} - {""})
    return [Candidate(name, tuple(sorted(found)), len(gpus[name])) for name, found in sorted(instances.items())]


def namesakes(series: Iterable[Labels], chosen: NodeFilter) -> list[str]:
    """Full names of the nodes that one name of this node, given without a domain, fits; empty unless it is several."""
    mine = {chosen.name_of(one).lower() for one in series if chosen.mine(one) and not chosen.at_named_address(one)}
    for own in sorted(name for name in chosen.names if "." not in name):
        full = sorted(name for name in mine if name.startswith(f"{own}."))
        if len(full) > 1:
            return full
    return []


def host_of(instance: str) -> str:
    """The host of an address as Prometheus writes it: ``host:9100``, ``[2001:db8::1]:9100``, or a name alone."""
    host, colon, port = instance.rpartition(":")
    if not (colon and port.isdigit() and (host.endswith("]") or ":" not in host)):
        host = instance
    return host.strip("[]").lower()


def same_host(one: str, other: str) -> bool:
    """Whether two names are of one host; a name without its domain is as good as one with it."""
    one, other = one.lower(), other.lower()
    if "." in one and "." in other:
        return one == other
    return one.partition(".")[0] == other.partition(".")[0]
