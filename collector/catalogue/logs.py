"""What the logs room says of itself."""

from collector.catalogue.model import Metric

LOGS_METRICS: tuple[Metric, ...] = ()
