"""Logship: the node's logs, on their way to Elasticsearch."""
