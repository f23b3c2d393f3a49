"""The host as /proc tells it, and its file systems."""
