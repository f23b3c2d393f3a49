"""Alerts: what on-call must know, and its way there."""
