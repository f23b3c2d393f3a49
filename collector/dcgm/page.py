"""The page of dcgm-exporter, made of what a round found: the default fields, untyped, with the exporter's labels."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from dataclasses import field as field_of
from typing import Final

from collector.catalogue import CATALOGUE
from collector.dcgm.fields import FIELDS, XID_ERRORS, Field
from collector.nvml.xid.meanings import xid_row
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


Here = tuple[str, Gpu]
"""A field of a GPU."""


@dataclass(frozen=True, slots=True)
class _Use:
    """What the page makes of one sample of a scrape.

    Attributes:
        place: the sample's position among the scrape's.
        value_of: fields whose value it is.
        part_of: fields whose value is the growth of it and others.
        instance: labels of the GPU instance that it is about, and the fields whose value it is there.
        xid: GPU and code of the error that it is the time of.
    """

    place: int
    value_of: tuple[Here, ...]
    part_of: tuple[Here, ...]
    instance: tuple[str, tuple[Here, ...]]
    xid: tuple[Gpu, str] | None


@dataclass(slots=True)
class _Round:
    """What a round found, by field and GPU (or GPU and labels of the instance)."""

    values: dict[Here, float] = field_of(default_factory=dict)
    slices: dict[Here, dict[str, float]] = field_of(default_factory=dict)
    counters: dict[Here, list[float]] = field_of(default_factory=dict)
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
        self._counters: dict[Here, deque[tuple[int, float]]] = {}
        self._keys: list[SeriesKey] = []
        self._uses: list[_Use] = []
        self._present: dict[Gpu, str] = {}

    def render(self, scrape: Scrape) -> bytes:
        """The page of a round; empty on a node without GPUs."""
        keys = [sample.key for sample in scrape.samples]
        if keys != self._keys:
            self._keys, self._uses = keys, [_use(place, key) for place, key in enumerate(keys) if key.name in _READ]
            self._present = {key.label("uuid"): self._labels_of(key) for key in keys if key.name == _INFO}
        found = self._sorted(scrape)
        lines: list[str] = []
        for field in _DEFAULT:
            lines += _family(field.name, self._values(field, found, scrape.time_ms))
        lines += _family(XID_ERRORS, self._xids(found))
        lines.append("")
        return "\n".join(lines).encode()

    def _sorted(self, scrape: Scrape) -> _Round:
        found, samples = _Round(), scrape.samples
        for use in self._uses:
            value = samples[use.place].value
            for here in use.value_of:
                found.values[here] = value
            for here in use.part_of:
                found.counters.setdefault(here, []).append(value)
            labels, fields = use.instance
            for here in fields:
                found.slices.setdefault(here, {})[labels] = value
            if use.xid is not None:
                uuid, code = use.xid
                found.xids[uuid] = max((value, code), found.xids.get(uuid, (value, code)))
        return found

    def _values(self, field: Field, found: _Round, time_ms: int) -> Iterator[tuple[str, str]]:
        """Labels and value of each GPU that has the field, or of its instances where they have it."""
        for uuid, text in self._present.items():
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
        for uuid, text in (gone | self._present).items():
            code, message = _NO_ERROR
            if uuid in found.xids:
                xid = found.xids[uuid][1]
                code, message = xid if xid.isdigit() else _UNKNOWN_CODE, xid_row(xid).meaning
            yield f"{text},err_code={quoted(code)},err_msg={quoted(message)}", code

    def _rate(self, counter: Here, value: float, time_ms: int) -> float | None:
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


def _use(place: int, key: SeriesKey) -> _Use:
    uuid = key.label("uuid")
    fields = (field for field in _GPU_METRICS.get(key.name, ()) if all(pair in key.labels for pair in field.labels))
    return _Use(
        place,
        value_of=tuple((field.name, uuid) for field in fields),
        part_of=tuple((field.name, uuid) for field in _COUNTERS.get(key.name, ())),
        instance=(_instance(key), tuple((field.name, uuid) for field in _SLICE_METRICS.get(key.name, ()))),
        xid=(uuid, key.label("xid")) if key.name == _XID_LAST else None,
    )


def _instance(key: SeriesKey) -> str:
    """The exporter's labels of a GPU instance."""
    profile, number = key.label("mig_profile"), key.label("gpu_instance_id")
    return f",GPU_I_PROFILE={quoted(profile)},GPU_I_ID={quoted(number)}"


def _family(name: str, values: Iterator[tuple[str, str]]) -> list[str]:
    lines = [f"{name}{{{labels}}} {value}" for labels, value in values]
    return [f"# HELP {name} {_HELP}", f"# TYPE {name} untyped", *lines] if lines else []
