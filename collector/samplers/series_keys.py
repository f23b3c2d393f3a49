"""The samplers' samples: each series' key is made once."""

from collections.abc import Iterator, Mapping

from collector.series import Sample, SeriesKey

_KEPT = 20_000
_keys: dict[tuple[str, ...], SeriesKey] = {}


def node_key(name: str, *labels: str) -> SeriesKey:
    """The key of ``forewarn_node_`` and ``name``; labels are given as name, value, name, value, by name."""
    known = _keys.get((name, *labels))
    if known is None:
        if len(_keys) >= _KEPT:  # devices come and go
            _keys.clear()
        pairs = tuple(zip(labels[::2], labels[1::2], strict=True))
        known = _keys[(name, *labels)] = SeriesKey(f"forewarn_node_{name}", pairs)
    return known


def gauge(name: str, value: float, *labels: str) -> Sample:
    """A level."""
    return Sample(node_key(name, *labels), float(value))


def counter(name: str, value: float, *labels: str) -> Sample:
    """A number that only grows."""
    return Sample(node_key(name, *labels), float(value), counter=True)


def table(found: Mapping[str, float], names: Mapping[str, str]) -> Iterator[Sample]:
    """A sample for each column of the kernel's that is there: ``names`` leads from its word to ours."""
    for theirs, ours in names.items():
        if theirs in found:
            yield (counter if ours.endswith("_total") else gauge)(ours, found[theirs])
