"""Metrics of the inference."""

from collector.catalogue.model import Metric

INFERENCE_METRICS: tuple[Metric, ...] = ()
