"""What the catalogue says of a metric."""

from dataclasses import dataclass
from typing import Literal

MetricType = Literal["gauge", "counter", "histogram"]
Kind = Literal["gauge", "fill", "allocation", "saturated"]
"""How a capacity is used up: a level with a daily shape, a store that fills, units handed out, a level capped at 1."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a capacity ends: a constant, or the latest value of another metric with the same labels.

    Attributes:
        value: the limit in the metric's own unit, or None.
        metric: name of the metric that holds the limit, or None.
        share: the part of it that counts as full (0.95: warn of reaching 95 %).
        below: True where the resource runs out at the lower end (bytes available).
    """

    value: float | None = None
    metric: str | None = None
    share: float = 1.0
    below: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: from this row /metrics, the API's schema, the documents and the dashboards are made.

    Attributes:
        name: family name; for histograms without ``_bucket``, ``_sum``, ``_count``.
        type: gauge, counter or histogram.
        unit: base unit (bytes, seconds, ratio, ...), empty for plain numbers.
        help: one sentence.
        labels: label names, in the order of the documents.
        source: the call or file that the value comes from.
        cadence: fast (every round), medium, slow, or event.
        core: number in the product's list of twelve core metrics, or None.
        node_exporter: its name in node_exporter, or None; ``{label}`` stands for the value of that label of ours.
        kind: how the capacity is used up, where the metric is a capacity target; else None.
        limit: where it ends; None where there is no end.
    """

    name: str
    type: MetricType
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    source: str = ""
    cadence: Literal["fast", "medium", "slow", "event"] = "fast"
    core: int | None = None
    kind: Kind | None = None
    limit: Limit | None = None
    node_exporter: str | None = None

    @property
    def sample_names(self) -> tuple[str, ...]:
        """Names under which its samples are stored."""
        if self.type == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)
