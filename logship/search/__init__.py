"""Searching shipped logs: in Elasticsearch, and in the node's own files."""
