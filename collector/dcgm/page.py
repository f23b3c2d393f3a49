"""The page of dcgm-exporter, made of what a round found: the default fields, untyped, with the exporter's labels."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from dataclasses import field as field_of
from typing import Final

from collector.catalogue import CATALOGUE
from collector.dcgm.fields import FIELDS, XID_ERRORS, Field
from collector.nvml.xids import xid_row
from collector.series import Labels, Scrape, SeriesKey, quoted

RATE_SECONDS: Final = 30.0
"""What a rate is the mean of: dcgm-exporter collects every 30 s unless told otherwise."""

_INFO: Final = "forewarn_gpu_info"
_XID_LAST: Final = "forewarn_gpu_xid_last_timestamp_seconds"
_NO_ERROR: Final = ("0", "No Error")
_UNKNOWN_CODE: Final = "999"  # what NVML reports for an error that it does not know
_HELP: Final = "As dcgm-exporter shows it."

_DEFAULT: Final = tuple(field for field in FIELDS if field.default)


def _by_name(pairs: Iterable[tuple[str, Field]]) -> dict[str, tuple[Field, ...]]:
    """The fields of each metric's name."""
    found: dict[str, tuple[Field, ...]] = {}
    for name, field in pairs:
        if name:
            found[name] = (*found.get(name, ()), field)
    return found


def _slice_metric(field: Field) -> str:
    """The metric of GPU instances that is the field's value there, empty where there is none."""
    name = field.metric.replace("forewarn_gpu_", "forewarn_mig_")
    return name if name in CATALOGUE else ""


_GPU_METRICS: Final = _by_name((field.metric, field) for field in _DEFAULT)
_SLICE_METRICS: Final = _by_name((_slice_metric(field), field) for field in _DEFAULT)
_COUNTERS: Final = _by_name((counter, field) for field in _DEFAULT for counter in field.growth_of)
_READ: Final = frozenset({*_GPU_METRICS, *_SLICE_METRICS, *_COUNTERS, _INFO, _XID_LAST})

Gpu = str
"""A GPU's UUID."""


@dataclass(slots=True)
class _Round:
    """What a round found, by field and GPU (or GPU and labels of the instance)."""

    values: dict[tuple[str, Gpu], float] = field_of(default_factory=dict)
    slices: dict[tuple[str, Gpu], dict[str, float]] = field_of(default_factory=dict)
    counters: dict[tuple[str, Gpu], list[float]] = field_of(default_factory=dict)
    labels: dict[Gpu, str] = field_of(default_factory=dict)
    xids: dict[Gpu, tuple[float, str]] = field_of(default_factory=dict)


class DcgmPage:
    """Renders the page, round after round; it remembers counters, so that it can tell how fast they grow.

    Args:
        hostname: value of the labels ``Hostname`` (until dcgm-exporter 4.8.2) and ``hostname`` (since).
        extra: labels that mark every series of this node.
    """

    def __init__(self, hostname: str, extra: Labels = ()) -> None:
        self._hostname = hostname
        self._extra = extra
        self._infos: dict[Gpu, SeriesKey] = {}
        self._texts: dict[Gpu, str] = {}
        self._counters: dict[tuple[str, str], deque[tuple[int, float]]] = {}

    def render(self, scrape: Scrape) -> bytes:
        """The page of a round; empty on a node without GPUs."""
        found = self._sorted(scrape)
        lines: list[str] = []
        for field in _DEFAULT:
            lines += _family(field.name, self._values(field, found, scrape.time_ms))
        lines += _family(XID_ERRORS, self._xids(found))
        lines.append("")
        return "\n".join(lines).encode()

    def _sorted(self, scrape: Scrape) -> _Round:
        found = _Round()
        for sample in scrape.samples:
            key, name = sample.key, sample.key.name
            if name not in _READ:
                continue
            for field in _GPU_METRICS.get(name, ()):
                if all(pair in key.labels for pair in field.labels):
                    found.values[field.name, key.label("uuid")] = sample.value
            for field in _COUNTERS.get(name, ()):
                found.counters.setdefault((field.name, key.label("uuid")), []).append(sample.value)
            for field in _SLICE_METRICS.get(name, ()):
                instances = found.slices.setdefault((field.name, key.label("uuid")), {})
                instances[_instance(key)] = sample.value
            if name == _INFO:
                found.labels[key.label("uuid")] = self._labels_of(key)
            elif name == _XID_LAST:
                uuid, last = key.label("uuid"), (sample.value, key.label("xid"))
                found.xids[uuid] = max(last, found.xids.get(uuid, last))
        return found

    def _values(self, field: Field, found: _Round, time_ms: int) -> Iterator[tuple[str, str]]:
        """Labels and value of each GPU that has the field, or of its instances where they have it."""
        for uuid, text in found.labels.items():
            here = field.name, uuid
            if here in found.slices:
                for instance, each in found.slices[here].items():
                    yield text + instance, written(each * field.factor, field)
                continue
            value = found.values.get(here)
            counters = found.counters.get(here, ())
            if value is None and field.growth_of and len(counters) == len(field.growth_of):
                value = self._rate(here, sum(counters), time_ms)
            if value is not None:
                yield text, written(value * field.factor, field)

    def _xids(self, found: _Round) -> Iterator[tuple[str, str]]:
        """The last error of each GPU; of one that does not answer any more too, for that is what it may tell of."""
        gone = {uuid: self._texts[uuid] for uuid in found.xids if uuid in self._texts}
        for uuid, text in (gone | found.labels).items():
            code, message = _NO_ERROR
            if uuid in found.xids:
                xid = found.xids[uuid][1]
                code, message = xid if xid.isdigit() else _UNKNOWN_CODE, xid_row(xid).meaning
            yield f"{text},err_code={quoted(code)},err_msg={quoted(message)}", code

    def _rate(self, counter: tuple[str, str], value: float, time_ms: int) -> float | None:
        """Growth a second since about ``RATE_SECONDS`` ago; None where that is not known."""
        past = self._counters.setdefault(counter, deque())
        if past and value < past[-1][1]:  # it began again, or wrapped
            past.clear()
        past.append((time_ms, value))
        while len(past) > 2 and past[1][0] <= time_ms - RATE_SECONDS * 1000:
            past.popleft()
        since_ms, before = past[0]
        return (value - before) / (time_ms - since_ms) * 1000 if time_ms > since_ms else None

    def _labels_of(self, info: SeriesKey) -> str:
        """The exporter's labels of a GPU, in its order, from the series that tells what the GPU is."""
        uuid = info.label("uuid")
        if self._infos.get(uuid) != info:
            gpu = info.label("gpu")
            pairs = (
                ("gpu", gpu),
                ("UUID", uuid),
                ("pci_bus_id", info.label("pci_bus_id")),
                ("device", f"nvidia{gpu}"),
                ("modelName", info.label("name")),
                ("Hostname", self._hostname),
                ("hostname", self._hostname),
                ("DCGM_FI_DRIVER_VERSION", info.label("driver_version")),
                *self._extra,
            )
            self._infos[uuid] = info
            self._texts[uuid] = ",".join(f"{name}={quoted(value)}" for name, value in pairs if value)
        return self._texts[uuid]


def written(value: float, field: Field) -> str:
    """A value in the form that DCGM gives it."""
    if field.form == "real":
        return f"{value:.6f}"
    return str(round(value) if field.form == "whole" else int(value))


def _instance(key: SeriesKey) -> str:
    """The exporter's labels of a GPU instance."""
    profile, number = key.label("mig_profile"), key.label("gpu_instance_id")
    return f",GPU_I_PROFILE={quoted(profile)},GPU_I_ID={quoted(number)}"


def _family(name: str, values: Iterator[tuple[str, str]]) -> list[str]:
    lines = [f"{name}{{{labels}}} {value}" for labels, value in values]
    return [f"# HELP {name} {_HELP}", f"# TYPE {name} untyped", *lines] if lines else []
