"""Saying once that Elasticsearch does not take the logs of a data stream, and once that it does again."""

import logging
import threading

from logship.stats import Stats

log = logging.getLogger(__name__)


class Voice:
    """Speaks for all workers.

    Args:
        stats: is told whether all logs are taken.
    """

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._lock = threading.Lock()
        self._troubled: set[str] = set()
        self._told: dict[str, str] = {}

    def tell(self, stream: str, reason: str, *, lasting: bool) -> None:
        """A request came back.

        Args:
            stream: where its documents go.
            reason: why documents were not taken, empty where they were.
            lasting: whether it is more than a moment's trouble.
        """
        if reason:
            self._refused(stream, reason, lasting=lasting)
        elif self._troubled or self._stats.up(value=True):
            self._taken(stream)

    def _refused(self, stream: str, reason: str, *, lasting: bool) -> None:
        with self._lock:
            self._troubled.add(stream)
            self._stats.up(value=False)
            if not lasting:
                return
            said = reason in self._told.values()  # one outage of all streams is one line
            news = stream not in self._told and not said
            self._told.setdefault(stream, reason)
        if news:
            log.warning("Elasticsearch does not take %s: %s; nothing is lost, it is tried again", stream, reason)

    def _taken(self, stream: str) -> None:
        with self._lock:
            self._troubled.discard(stream)
            self._stats.up(value=not self._troubled)
            told = self._told.pop(stream, None) is not None
            left = sorted(self._told)
        if told:
            log.info("Elasticsearch takes %s again%s", stream, f"; not yet: {', '.join(left)}" if left else "")
