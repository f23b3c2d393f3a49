"""Pages of metrics of inference servers and exporters, and the canary."""
