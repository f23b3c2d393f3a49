"""The page at /metrics: a scrape in Prometheus' text format, version 0.0.4.

Two scrapes in a row differ in values, seldom in series: where each series stands on the page, and everything of its
line but the value, is worked out when series come or go; after that only values that changed are written anew.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from collector.catalogue import CATALOGUE, Metric, metric_of_sample
from collector.series import Labels, Sample, Scrape, SeriesKey

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_GPU = ("forewarn_gpu_", "forewarn_mig_")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})
_PARTS = {"_bucket": 0, "_sum": 1, "_count": 2}
_WORDS: Final = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


def render(scrape: Scrape, hostname: str) -> bytes:
    """The page of a single scrape, see ``Exposition``."""
    return Exposition(hostname).render(scrape)


class Exposition:
    """The pages of a node's scrapes: our metrics in the catalogue's order, then foreign ones, untyped, by name.

    Args:
        hostname: value of the label ``hostname`` that GPU series get, so that many nodes' GPUs can be told apart.
    """

    def __init__(self, hostname: str) -> None:
        self._hostname = hostname
        self._keys: list[SeriesKey] = []
        self._places: list[int] = []
        self._heads: list[str] = []
        self._written: Sequence[Sample | None] = ()
        self._lines: list[str] = [""]

    def render(self, scrape: Scrape) -> bytes:
        """The scrape's page."""
        keys = [sample.key for sample in scrape.samples]
        if keys != self._keys:
            self._lay_out(keys)
        lines = self._lines
        for place, head, sample, written in zip(self._places, self._heads, scrape.samples, self._written, strict=True):
            if written is None or sample.value != written.value:
                lines[place] = f"{head} {_number(sample.value)}"
        self._written = scrape.samples
        return "\n".join(lines).encode()

    def _lay_out(self, keys: list[SeriesKey]) -> None:
        """Find each series' place among the lines, and what stands before its value."""
        known = dict(zip(self._keys, self._heads, strict=True))
        self._keys = keys
        self._places, self._heads = [0] * len(keys), [""] * len(keys)
        self._written = [None] * len(keys)
        self._lines = []
        for title, extra, members in self._families(keys):
            self._lines.extend(title)
            for member in members:
                self._places[member] = len(self._lines)
                key = keys[member]
                self._heads[member] = known.get(key) or key.name + _labels(key.labels, extra)
                self._lines.append("")
        self._lines.append("")  # the page ends with a line's end

    def _families(self, keys: list[SeriesKey]) -> Iterator[tuple[list[str], Labels, list[int]]]:
        """Each family's comment lines, the labels its series get, and their positions among the keys, in page order."""
        ours: dict[str, list[int]] = {}
        foreign: dict[str, list[int]] = {}
        for position, key in enumerate(keys):
            metric = metric_of_sample(key.name)
            table, name = (foreign, key.name) if metric is None else (ours, metric.name)
            table.setdefault(name, []).append(position)
        for name, metric in CATALOGUE.items():
            if name in ours:
                extra = (("hostname", self._hostname),) if name.startswith(_GPU) else ()
                yield _title(metric), extra, _grouped(metric, ours[name], keys)
        for name in sorted(foreign):
            yield [f"# TYPE {name} untyped"], (), foreign[name]


def _title(metric: Metric) -> list[str]:
    text = metric.help.translate(_HELP_ESCAPES)
    return [f"# HELP {metric.name} {text}", f"# TYPE {metric.name} {metric.type}"]


def _grouped(metric: Metric, members: list[int], keys: list[SeriesKey]) -> list[int]:
    """A histogram's series as the format wants them: by labels, buckets upwards, then sum and count."""
    if metric.type != "histogram":
        return members

    def place(member: int) -> tuple[Labels, int, float]:
        key = keys[member]
        labels = tuple(pair for pair in key.labels if pair[0] != "le")
        bound = key.label("le")
        return labels, _PARTS[key.name[len(metric.name) :]], float(bound) if bound else math.inf

    return sorted(members, key=place)


def _labels(labels: Labels, extra: Labels) -> str:
    pairs: Iterable[tuple[str, str]] = sorted((dict(labels) | dict(extra)).items()) if extra else labels
    text = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)
    return f"{{{text}}}" if text else ""


def _number(value: float) -> str:
    text = repr(value)
    return _WORDS.get(text, text)
