"""The systemd journal as a source: its files are read as they lie."""
