"""What the forecast room says of itself."""

from collector.catalogue.model import Metric

FORECAST_METRICS: tuple[Metric, ...] = ()
