"""The page at /metrics: a scrape in Prometheus' text format, version 0.0.4."""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from collector.catalogue import CATALOGUE, Metric, metric_of_sample
from collector.series import Labels, Sample, Scrape

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_GPU = "forewarn_gpu_"
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})
_PARTS = {"_bucket": 0, "_sum": 1, "_count": 2}


def render(scrape: Scrape, hostname: str) -> bytes:
    """The page of a scrape: our metrics in the catalogue's order, then foreign ones, untyped, by name.

    Args:
        scrape: what a round found.
        hostname: value of the label ``hostname`` that GPU series get, so that many nodes' GPUs can be told apart.
    """
    ours: dict[str, list[Sample]] = {}
    foreign: dict[str, list[Sample]] = {}
    for sample in scrape.samples:
        name = sample.key.name
        metric = metric_of_sample(name)
        if metric is None:
            foreign.setdefault(name, []).append(sample)
        else:
            ours.setdefault(metric.name, []).append(sample)
    lines: list[str] = []
    for name, metric in CATALOGUE.items():
        if name in ours:
            lines.extend(_family(metric, ours[name], hostname))
    for name in sorted(foreign):
        lines.append(f"# TYPE {name} untyped")
        lines.extend(_lines(foreign[name], ()))
    lines.append("")
    return "\n".join(lines).encode()


def _family(metric: Metric, samples: Sequence[Sample], hostname: str) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.help.translate(_HELP_ESCAPES)}"
    yield f"# TYPE {metric.name} {metric.type}"
    extra = (("hostname", hostname),) if metric.name.startswith(_GPU) else ()
    yield from _lines(_grouped(metric.name, samples) if metric.type == "histogram" else samples, extra)


def _grouped(family: str, samples: Iterable[Sample]) -> list[Sample]:
    """The samples of a histogram as the format wants them: by series, buckets upwards, then sum and count."""

    def place(sample: Sample) -> tuple[Labels, int, float]:
        labels = tuple(pair for pair in sample.key.labels if pair[0] != "le")
        bound = sample.key.label("le")
        return labels, _PARTS[sample.key.name[len(family) :]], float(bound) if bound else math.inf

    return sorted(samples, key=place)


def _lines(samples: Iterable[Sample], extra: Labels) -> Iterator[str]:
    for sample in samples:
        key = sample.key
        yield f"{key.name}{_labels(key.labels, extra)} {_number(sample.value)}"


@lru_cache(maxsize=32_768)
def _labels(labels: Labels, extra: Labels) -> str:
    if not labels and not extra:
        return ""
    pairs = sorted((dict(labels) | dict(extra)).items())
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs) + "}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
