"""What the alerts room says of itself."""

from collector.catalogue.model import Metric

ALERTS_METRICS: tuple[Metric, ...] = ()
