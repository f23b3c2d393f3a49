"""Counts of log templates, and what is unusual about them."""
