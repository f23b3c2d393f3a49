"""How the rows of GPU metrics are made."""

from typing import Any

from collector.catalogue.model import Metric


def row(name: str, unit: str, text: str, source: str, *labels: str, **more: Any) -> Metric:
    """A metric that every GPU has for itself; what ends in ``_total`` is a counter."""
    return Metric(
        f"forewarn_gpu_{name}",
        "counter" if name.endswith("_total") else "gauge",
        unit,
        text,
        ("gpu", "uuid", *labels),
        source,
        **more,
    )


def slice_row(name: str, unit: str, text: str, source: str, *labels: str, **more: Any) -> Metric:
    """A level that every slice of a GPU in MIG mode has for itself; ``uuid`` is that of the whole GPU."""
    own = ("gpu", "uuid", "gpu_instance_id", "mig_profile")
    return Metric(f"forewarn_mig_{name}", "gauge", unit, text, (*own, *labels), source, **more)
