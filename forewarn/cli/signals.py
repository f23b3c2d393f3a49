"""Signals while a command still starts: importing the daemon takes a second, much more on a busy node."""

import signal
from types import FrameType


def end_at_once_on_sigterm() -> None:
    """Until the daemon takes over, SIGTERM and Ctrl-C end with exit 0, and SIGHUP does nothing.

    What was begun is cleaned up; and the configuration that a reload asks for is about to be read.
    """
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, _end)
    signal.signal(signal.SIGHUP, _already_new)


def _end(_signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _already_new(_signum: int, _frame: FrameType | None) -> None:
    """A handler rather than SIG_IGN, which children would inherit."""
