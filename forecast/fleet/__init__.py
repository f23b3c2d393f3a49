"""Beyond one node: forecasts of series that a Prometheus-compatible server holds, written back as series."""
