"""Collector: what the node does, as series."""
