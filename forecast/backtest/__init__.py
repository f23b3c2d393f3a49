"""Back-tests: what forecasts would have said at moments of the past, and how that compares with what came."""
