"""The last word on how long the end may take."""

import logging
import os
import threading

log = logging.getLogger(__name__)

END_SECONDS = 4.5
"""A service manager, and whoever pressed Ctrl-C, was promised five."""


class TimeLimit:
    """Ends the process with status 1 some seconds after ``start``, whatever holds it up (a disk, say)."""

    def __init__(self, seconds: float = END_SECONDS) -> None:
        self._timer = threading.Timer(seconds, self._give_up)
        self._timer.daemon = True

    def start(self) -> None:
        """Begin to count; a second call changes nothing."""
        if self._timer.ident is None:
            self._timer.start()

    def cancel(self) -> None:
        """The end came by itself."""
        self._timer.cancel()

    def _give_up(self) -> None:
        log.critical("the end takes too long, leaving what is under way", extra={"hint": "does the disk answer?"})
        os._exit(1)
