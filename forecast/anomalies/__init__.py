"""Anomalies of capacity targets: what leaves the forecast or the usual day, shifts level, or stands still."""
