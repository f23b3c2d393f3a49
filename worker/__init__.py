"""Worker: the bundled inference server."""
