"""Following log files: who is who, rotation, and reading on where it ended."""
