"""Saying once that Elasticsearch takes no logs, and once that it does again."""

import logging
import threading

from logship.stats import Stats

log = logging.getLogger(__name__)


class Voice:
    """Speaks for all workers.

    Args:
        stats: is told whether the server takes logs.
    """

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._lock = threading.Lock()
        self._told = False

    def tell(self, reason: str, *, lasting: bool) -> None:
        """A request came back.

        Args:
            reason: why documents were not taken, empty where they were.
            lasting: whether it is more than a moment's trouble.
        """
        self._stats.up(value=not reason)
        with self._lock:
            if bool(reason) == self._told or (reason and not lasting):
                return
            self._told = bool(reason)
        if reason:
            log.warning("Elasticsearch does not take logs: %s; nothing is lost, it is tried again", reason)
        else:
            log.info("Elasticsearch takes logs again")
