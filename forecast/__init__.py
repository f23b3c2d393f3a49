"""Forecast: where the series go in the next three days."""
