"""Metrics of the gpu."""

from collector.catalogue.model import Metric

GPU_METRICS: tuple[Metric, ...] = ()
