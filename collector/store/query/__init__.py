"""Questions to the store: series over any range and step, rates, quantiles."""
