"""Of one series of another exporter: which series of ours it is, with the labels that the daemon gives it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

from collector.backfill import is_counter
from collector.catalogue import CATALOGUE
from collector.history.rules import NO_COUNTERPART, RULES, Rule
from collector.samplers.endpoints.mapping import adapted
from collector.samplers.endpoints.routes import part_of
from collector.series import SeriesKey, labels_of
from collector.settings import EndpointSettings, HostSettings

Labels = Mapping[str, str]
"""Labels of a series, its name among them as ``__name__``."""

NOT_KNOWN: Final = "Forewarn has no such metric"
GPU_LABELS: Final = ("UUID", "uuid", "gpu_uuid")
_MIG_LABELS: Final = ("GPU_I_ID", "gpu_instance_id")
_INFERENCE: Final = "forewarn_inference_"
_COPIES: Final = frozenset({"prometheus_replica", "replica"})
"""Labels of two Prometheus that recorded the same, in a store that keeps both: series that differ only there count
once."""

_RULES: Final[dict[str, Rule]] = {rule.source: rule for rule in RULES}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a series goes.

    Attributes:
        key: our series.
        counter: whether it only grows between resets.
        times: our value is theirs times this ...
        over: ... over this.
        add: several that come to the same series at one time are added up; else the largest is taken.
        scope: series among which, at one time, only those of the lowest rank count.
        rank: how old, or how poor, the name of theirs is.
        part: of those that are added up, those with the same part tell the same, and the largest counts; empty where
            each counts for itself.
    """

    key: SeriesKey
    counter: bool
    times: float
    over: float
    add: bool
    scope: str
    rank: int
    part: str = ""


def uuid_of(labels: Labels) -> str:
    """The GPU's UUID as NVML writes it, empty where the series has none; nvidia_gpu_exporter leaves its prefix out."""
    text = next((labels[name] for name in GPU_LABELS if labels.get(name)), "").lower()
    if not text:
        return ""
    prefix, _, rest = text.partition("-")
    return f"{prefix.upper()}-{rest}" if prefix in {"gpu", "mig"} else f"GPU-{text}"


class Translator:
    """Translates series of one node.

    Args:
        gpus: the node's GPUs as the daemon knows them, index by UUID; empty where it knows none.
        found: indices that the history itself tells, by UUID, for exporters whose series have none.
        endpoints: the inference servers that the daemon asks.
        host: which devices, interfaces and file systems it leaves out.
    """

    def __init__(
        self,
        gpus: Mapping[str, str],
        found: Mapping[str, str],
        endpoints: Sequence[EndpointSettings],
        host: HostSettings,
    ) -> None:
        self._gpus = {uuid_of({"uuid": uuid}): (gpu, uuid) for uuid, gpu in gpus.items()}
        self._found = found
        self._endpoints = endpoints
        self._ignored: tuple[tuple[str, str, Sequence[str]], ...] = (
            ("forewarn_node_disk_", "device", host.ignore_devices),
            ("forewarn_node_network_", "device", host.ignore_interfaces),
            ("forewarn_node_filesystem_", "mountpoint", host.ignore_mountpoints),
            ("forewarn_node_filesystem_", "fstype", host.ignore_filesystems),
        )

    def targets(self, series: Labels) -> tuple[Target, ...] | str:
        """Where a series goes; the reason where it goes nowhere."""
        name = series["__name__"]
        labels = _as_exported(series)
        rule = _RULES.get(name)
        if rule is None or (name.startswith(_INFERENCE) and "server" not in labels):
            return self._of_server(name, labels)
        if rule.of_gpu and any(labels.get(label) for label in _MIG_LABELS):
            return self._of_slice(rule, labels)
        return self._by_rule(rule, labels)

    def _of_slice(self, rule: Rule, labels: Labels) -> tuple[Target, ...] | str:
        """Where DCGM's series of a GPU instance goes: what ours tells apart must be what it tells."""
        name = rule.target.replace("forewarn_gpu_", "forewarn_mig_")
        known = {"gpu_instance_id": labels.get("GPU_I_ID", ""), "mig_profile": labels.get("GPU_I_PROFILE", "")}
        metric = CATALOGUE.get(name)
        if metric is None or set(metric.labels) != {"gpu", "uuid", *known}:
            return "it is of a MIG instance"
        gpu = self._gpu(labels)
        if isinstance(gpu, str):
            return gpu
        key = SeriesKey(name, labels_of({**known, "gpu": gpu[0], "uuid": gpu[1]}))
        return (Target(key, is_counter(key), rule.times, rule.over, add=False, scope=str(key), rank=rule.rank),)

    def ignored(self, target: str, labels: Labels) -> str:
        """Why the daemon would not record it: its device or file system is left out; empty where it would."""
        for prefix, label, patterns in self._ignored:
            if target.startswith(prefix) and any(fnmatchcase(labels.get(label, ""), each) for each in patterns):
                return f"{label} is left out by the configuration"
        return ""

    def _by_rule(self, rule: Rule, labels: Labels) -> tuple[Target, ...] | str:
        ours = dict(rule.labels)
        if rule.of_gpu:
            gpu = self._gpu(labels)
            if isinstance(gpu, str):
                return gpu
            ours |= {"gpu": gpu[0], "uuid": gpu[1]}
        for label in rule.keep:
            if label not in ours and label in labels:
                ours[label] = labels[label]
            elif label not in ours and rule.source != rule.target:  # of ours, a label that is not there is empty
                return f"it has no label {label}"
        if ignored := self.ignored(rule.target, labels):
            return ignored
        key = SeriesKey(rule.target, labels_of(ours))
        return (Target(key, is_counter(key), rule.times, rule.over, add=False, scope=str(key), rank=rule.rank),)

    def _gpu(self, labels: Labels) -> tuple[str, str] | str:
        """Index and UUID; the reason where it is none of this node's."""
        uuid = uuid_of(labels)
        if not uuid:
            return "it does not name its GPU by UUID"
        if self._gpus:
            return self._gpus.get(uuid, f"{uuid} is no GPU of this node")
        index = labels.get("gpu") or self._found.get(uuid, "")
        return (index, uuid) if index else f"the index of {uuid} is not known"

    def _of_server(self, name: str, labels: dict[str, str]) -> tuple[Target, ...] | str:
        endpoint, model = self._endpoint(labels.get("instance", ""))
        copy = part_of(labels, _COPIES)
        labels = {label: value for label, value in labels.items() if label not in _COPIES}
        try:
            routes = adapted(name, labels, endpoint=endpoint, model=model)
        except ValueError as error:
            return str(error)
        if not routes:
            return NO_COUNTERPART.get(name, NOT_KNOWN)
        return tuple(
            Target(
                one.key,
                one.counter,
                one.factor,
                1.0,
                add=not one.largest,
                scope=f"{endpoint} {one.group}",
                rank=one.rank,
                part=one.part or copy,
            )
            for one in routes
        )

    def _endpoint(self, instance: str) -> tuple[str, str]:
        """Name and model of the configured endpoint behind an address; an address that is not configured is a name."""
        same = [one for one in self._endpoints if urlsplit(one.url).netloc == instance]
        port = instance.rpartition(":")[2]
        near = [one for one in self._endpoints if str(urlsplit(one.url).port) == port]
        chosen = same or (near if len(near) == 1 else [])
        return (chosen[0].label, chosen[0].model) if chosen else (instance, "")


def _as_exported(series: Labels) -> dict[str, str]:
    """The exporter's own labels: where the scrape had one of the same name, Prometheus moved the exporter's away."""
    labels = {name: value for name, value in series.items() if name != "__name__"}
    moved = {name.removeprefix("exported_"): value for name, value in labels.items() if name.startswith("exported_")}
    return labels | {name: value for name, value in moved.items() if name not in {"instance", "job"}}
