"""Api: the HTTP face: metrics, queries, the page."""
