"""Which series go to a receiver, and how their labels are written."""

from collections.abc import Callable
from fnmatch import fnmatchcase

import numpy as np

from collector.remote_write.settings import RemoteWriteSettings
from collector.remote_write.wire import encode_labels
from collector.series import Labels, SeriesKey, labels_of
from collector.store.bulk import Ids
from collector.store.model import Series


class SeriesBook:
    """The series that a receiver is to get, by id.

    Args:
        settings: which metrics are sent, and the labels that are added.
        hostname: the node's name, the value of ``instance`` and ``hostname`` unless the settings say otherwise.
        series: all series of the store.
    """

    def __init__(self, settings: RemoteWriteSettings, hostname: str, series: Callable[[], list[Series]]) -> None:
        self._settings = settings
        self._added = {"instance": hostname, "hostname": hostname, **settings.labels}
        self._series = series
        self._known: list[Series] = []
        self._ids: Ids = np.empty(0, np.int64)
        self._keys: dict[int, SeriesKey] = {}
        self._labels: dict[int, bytes] = {}
        self._names: dict[str, bool] = {}

    def chosen(self) -> Ids:
        """Ids of the series to send, sorted."""
        known = self._series()
        if known != self._known:  # quick, for both lists hold the same objects until one is added
            self._take(known)
            self._known = known
        return self._ids

    def key(self, series: int) -> SeriesKey:
        """A series as it is stored."""
        return self._keys[series]

    def labels(self, series: int) -> bytes:
        """A series' labels as they are sent."""
        found = self._labels.get(series)
        if found is None:
            key = self._keys[series]
            found = self._labels[series] = encode_labels(key.name, self._with_added(key.labels))
        return found

    def _take(self, known: list[Series]) -> None:
        keys = {one.id: one.key for one in known if self._is_wanted(one.key.name)}
        # Ids count anew in a file that took a damaged one's place.
        self._labels = {one: text for one, text in self._labels.items() if keys.get(one) == self._keys.get(one)}
        self._keys = keys
        self._ids = np.array(sorted(keys), np.int64)

    def _is_wanted(self, name: str) -> bool:
        wanted = self._names.get(name)
        if wanted is None:
            allowed = any(fnmatchcase(name, pattern) for pattern in self._settings.allow)
            wanted = allowed and not any(fnmatchcase(name, pattern) for pattern in self._settings.deny)
            self._names[name] = wanted
        return wanted

    def _with_added(self, labels: Labels) -> Labels:
        """A series' own labels win, as in Prometheus: who made the series knows it better."""
        return labels_of({**self._added, **dict(labels)})
