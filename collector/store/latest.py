"""The newest value of every series, in memory, for rules that ask often."""

import threading
from collections.abc import Iterable, Sequence

from collector.series import Matcher, SeriesKey
from collector.store.model import Latest


class LatestValues:
    """Newest values by metric name and series; safe for one writer and many readers.

    Attributes:
        newest_ms: time of the newest scrape put in; None before the first.
    """

    def __init__(self) -> None:
        self.newest_ms: int | None = None
        self._lock = threading.Lock()
        self._by_name: dict[str, dict[SeriesKey, tuple[int, float]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_name.values()))

    def put(self, time_ms: int, keys: Iterable[SeriesKey], values: Iterable[float]) -> None:
        """Values of a scrape. They replace older and newer ones: after the clock was set back they are the news."""
        with self._lock:
            self.newest_ms = time_ms
            for key, value in zip(keys, values, strict=True):
                self._by_name.setdefault(key.name, {})[key] = (time_ms, value)

    def put_newer(self, time_ms: int, key: SeriesKey, value: float) -> None:
        """A value of the past, unless a newer one is known."""
        with self._lock:
            known = self._by_name.setdefault(key.name, {})
            if key not in known or known[key][0] <= time_ms:
                known[key] = (time_ms, value)

    def select(self, matchers: Sequence[Matcher], oldest_ms: int) -> list[Latest]:
        """Values of matching series that are not older."""
        name = next((one.value for one in matchers if one.label == "__name__" and one.operator == "="), None)
        with self._lock:
            tables = list(self._by_name.values()) if name is None else [self._by_name.get(name, {})]
            items = [item for table in tables for item in table.items()]
        return [
            Latest(key, *found)
            for key, found in items
            if found[0] >= oldest_ms and all(matcher.matches(key) for matcher in matchers)
        ]

    def keep_only(self, keys: set[SeriesKey]) -> None:
        """Forget every other series."""
        with self._lock:
            for table in self._by_name.values():
                for key in table.keys() - keys:
                    del table[key]
