"""The command line."""

from forewarn.cli.app import main

__all__ = ["main"]
