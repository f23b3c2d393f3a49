"""Remote write: the store's series for VictoriaMetrics, Mimir or Prometheus, with a bookmark a receiver."""
