"""Metrics of the host."""

from collector.catalogue.model import Metric

HOST_METRICS: tuple[Metric, ...] = ()
