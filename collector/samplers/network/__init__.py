"""Latency to far ends."""
