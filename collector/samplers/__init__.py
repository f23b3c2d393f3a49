"""Samplers: the sources that the collector asks every round."""
