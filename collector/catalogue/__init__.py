"""The catalogue: every metric of Forewarn as data."""

from collector.catalogue.model import Kind, Limit, Metric, MetricType
from collector.catalogue.tables import CATALOGUE, core_metrics, metric_of_sample

__all__ = ["CATALOGUE", "Kind", "Limit", "Metric", "MetricType", "core_metrics", "metric_of_sample"]
