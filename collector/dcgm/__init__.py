"""Compatibility with NVIDIA's dcgm-exporter: its names, labels and units, for dashboards and for recorded history."""

from collector.dcgm.fields import FIELDS, XID_ERRORS, Field
from collector.dcgm.page import DcgmPage

__all__ = ["FIELDS", "XID_ERRORS", "DcgmPage", "Field"]
