"""The newest value of every series, in memory, for rules that ask often."""

import threading
from collections.abc import Iterator, Sequence

from collector.series import Matcher, SeriesKey
from collector.store.model import Latest

_Told = tuple[int, float]


class LatestValues:
    """Newest values by metric name and series; safe for one writer and many readers.

    Scrapes mostly have the series of the one before: the newest is kept as it came, with the places of its series by
    name; only what it does not have is kept series by series.

    Attributes:
        newest_ms: time of the newest scrape put in; None before the first.
    """

    def __init__(self) -> None:
        self.newest_ms: int | None = None
        self._lock = threading.Lock()
        self._keys: Sequence[SeriesKey] = ()
        self._values: Sequence[float] = ()
        self._time_ms = 0
        self._places: dict[str, dict[SeriesKey, int]] = {}
        self._older: dict[str, dict[SeriesKey, _Told]] = {}

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._places.values())) + sum(map(len, self._older.values()))

    def put(self, time_ms: int, keys: Sequence[SeriesKey], values: Sequence[float]) -> None:
        """Values of a scrape. They replace older and newer ones: after the clock was set back they are the news.

        Args:
            time_ms: the scrape's time.
            keys: its series; handed in as the same object again where they are the same.
            values: as many, in the same order.
        """
        with self._lock:
            if keys is not self._keys:
                self._lay_out(keys)
            self.newest_ms = self._time_ms = time_ms
            self._values = values

    def put_newer(self, time_ms: int, key: SeriesKey, value: float) -> None:
        """A value of the past, unless a newer one is known."""
        with self._lock:
            if key in self._places.get(key.name, {}):
                if self._time_ms > time_ms:
                    return
                self._lay_out(())
            known = self._older.setdefault(key.name, {})
            if key not in known or known[key][0] <= time_ms:
                known[key] = (time_ms, value)

    def select(self, matchers: Sequence[Matcher], oldest_ms: int) -> list[Latest]:
        """Values of matching series that are not older."""
        name = next((one.value for one in matchers if one.label == "__name__" and one.operator == "="), None)
        with self._lock:
            items = list(self._told((*self._places, *(self._older.keys() - self._places)) if name is None else (name,)))
        return [
            Latest(key, *told)
            for key, told in items
            if told[0] >= oldest_ms and all(matcher.matches(key) for matcher in matchers)
        ]

    def keep_only(self, keys: set[SeriesKey]) -> None:
        """Forget every other series."""
        with self._lock:
            self._lay_out(())
            for table in self._older.values():
                for key in table.keys() - keys:
                    del table[key]

    def _told(self, names: Sequence[str]) -> Iterator[tuple[SeriesKey, _Told]]:
        for name in names:
            for key, place in self._places.get(name, {}).items():
                yield key, (self._time_ms, self._values[place])
            yield from self._older.get(name, {}).items()

    def _lay_out(self, keys: Sequence[SeriesKey]) -> None:
        """Make room for a scrape of other series: of the one before, what it does not replace is kept."""
        for name, table in self._places.items():
            told = self._older.setdefault(name, {})
            told |= {key: (self._time_ms, self._values[place]) for key, place in table.items()}
        self._keys, self._places = keys, {}
        for place, key in enumerate(keys):
            self._places.setdefault(key.name, {})[key] = place
            self._older.get(key.name, {}).pop(key, None)
