"""The page of dcgm-exporter, made of what a round found: the default fields, untyped, with the exporter's labels."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from collector.dcgm.fields import FIELDS, XID_ERRORS, Field
from collector.nvml.xids import xid_row
from collector.series import Labels, Sample, Scrape, SeriesKey, quoted

RATE_SECONDS: Final = 30.0
"""What a rate is the mean of: dcgm-exporter collects every 30 s unless told otherwise."""

_INFO: Final = "forewarn_gpu_info"
_XID_LAST: Final = "forewarn_gpu_xid_last_timestamp_seconds"
_NO_ERROR: Final = ("0", "No Error")
_UNKNOWN_CODE: Final = "999"  # what NVML reports for an error that it does not know
_HELP: Final = "As dcgm-exporter shows it."

_DEFAULT: Final = tuple(field for field in FIELDS if field.default)
_BY_METRIC: Final[dict[str, tuple[Field, ...]]] = {
    metric: tuple(field for field in _DEFAULT if metric in field.metrics)
    for metric in dict.fromkeys(metric for field in _DEFAULT for metric in field.metrics)
}


@dataclass(slots=True)
class _Sum:
    """A value in the making: the sum of a field's metrics, and how many of them are there."""

    value: float = 0.0
    parts: int = 0


class DcgmPage:
    """Renders the page, round after round; it remembers counters, so that it can tell how fast they grow.

    Args:
        hostname: value of the labels ``Hostname`` (until dcgm-exporter 4.8.2) and ``hostname`` (since).
        extra: labels that mark every series of this node.
    """

    def __init__(self, hostname: str, extra: Labels = ()) -> None:
        self._hostname = hostname
        self._extra = extra
        self._labels: dict[SeriesKey, str] = {}
        self._counters: dict[tuple[str, str], deque[tuple[int, float]]] = {}

    def render(self, scrape: Scrape) -> bytes:
        """The page of a round; empty on a node without GPUs."""
        found: dict[tuple[str, str], _Sum] = {}
        newest_xid: dict[str, tuple[float, str]] = {}
        labels: dict[str, str] = {}
        for sample in scrape.samples:
            name = sample.key.name
            if name in _BY_METRIC:
                _add(found, sample)
            elif name == _INFO:
                labels[sample.key.label("uuid")] = self._labels_of(sample.key)
            elif name == _XID_LAST:
                uuid, last = sample.key.label("uuid"), (sample.value, sample.key.label("xid"))
                newest_xid[uuid] = max(last, newest_xid.get(uuid, last))
        lines: list[str] = []
        for field in _DEFAULT:
            lines += _family(field.name, self._values(field, labels, found, scrape.time_ms))
        lines += _family(XID_ERRORS, _xids(labels, newest_xid))
        lines.append("")
        return "\n".join(lines).encode()

    def _values(
        self, field: Field, labels: dict[str, str], found: dict[tuple[str, str], _Sum], time_ms: int
    ) -> Iterator[tuple[str, str]]:
        """Labels and value of each GPU that has the field."""
        for uuid, text in labels.items():
            total = found.get((field.name, uuid))
            if total is None or total.parts < len(field.metrics):
                continue
            value: float | None = total.value * field.factor
            if field.form == "rate":
                value = self._rate((field.name, uuid), total.value * field.factor, time_ms)
            if value is not None:
                yield text, written(value, field)

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
        text = self._labels.get(info)
        if text is None:
            gpu = info.label("gpu")
            pairs = (
                ("gpu", gpu),
                ("UUID", info.label("uuid")),
                ("pci_bus_id", info.label("pci_bus_id")),
                ("device", f"nvidia{gpu}"),
                ("modelName", info.label("name")),
                ("Hostname", self._hostname),
                ("hostname", self._hostname),
                ("DCGM_FI_DRIVER_VERSION", info.label("driver_version")),
                *self._extra,
            )
            text = ",".join(f"{name}={quoted(value)}" for name, value in pairs if value)
            self._labels = {key: text for key, text in self._labels.items() if key.label("uuid") != info.label("uuid")}
            self._labels[info] = text
        return text


def written(value: float, field: Field) -> str:
    """A value in the form that DCGM gives it."""
    if field.form == "real":
        return f"{value:.6f}"
    return str(round(value) if field.form == "whole" else int(value))


def _add(found: dict[tuple[str, str], _Sum], sample: Sample) -> None:
    labels = sample.key.labels
    for field in _BY_METRIC[sample.key.name]:
        if all(pair in labels for pair in field.labels):
            total = found.setdefault((field.name, sample.key.label("uuid")), _Sum())
            total.value += sample.value
            total.parts += 1


def _xids(labels: dict[str, str], newest: dict[str, tuple[float, str]]) -> Iterator[tuple[str, str]]:
    for uuid, text in labels.items():
        code, message = _NO_ERROR
        if uuid in newest:
            xid = newest[uuid][1]
            code, message = xid if xid.isdigit() else _UNKNOWN_CODE, xid_row(xid).meaning
        yield f"{text},err_code={quoted(code)},err_msg={quoted(message)}", code


def _family(name: str, values: Iterator[tuple[str, str]]) -> list[str]:
    lines = [f"{name}{{{labels}}} {value}" for labels, value in values]
    return [f"# HELP {name} {_HELP}", f"# TYPE {name} untyped", *lines] if lines else []
