"""Which series there are: ids, counter flags, the limit on their number, and the layouts of scrapes."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson

from collector.series import Sample, SeriesKey
from collector.store.coding.codec import digest
from collector.store.query.reader import read_series

_NAMED = 20
_COUNTED = 100_000
_PLANS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """How a scrape of certain series, in a certain order, becomes a row.

    Attributes:
        layout: the layout's id.
        keys: the series that are stored, in the order of the cells.
        take: positions of their values among the scrape's samples.
        refused: how many samples are not stored.
    """

    layout: int
    keys: tuple[SeriesKey, ...]
    take: npt.NDArray[np.intp]
    refused: int


class Registry:
    """The writer's memory of series and layouts."""

    def __init__(self, connection: sqlite3.Connection, max_series: int) -> None:
        self.max_series = max_series
        self.refused_names: list[str] = []
        self._refused: set[int] = set()
        self._connection = connection
        self._ids: dict[SeriesKey, int] = {}
        self._counters: dict[SeriesKey, bool] = {}
        self._plans: dict[tuple[SeriesKey, ...], Plan] = {}
        self._last: tuple[tuple[SeriesKey, ...], Plan] | None = None
        self.reload()

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def refused_series(self) -> int:
        """Distinct series refused since the start, counted up to a hundred thousand."""
        return len(self._refused)

    def reload(self) -> None:
        """Read the series again: after a transaction that did not come through, or after some were removed."""
        self._ids, self._counters = {}, {}
        self.forget_plans()
        for one, key, counter in read_series(self._connection):
            self._ids[key] = one
            self._counters[key] = counter

    def forget_plans(self) -> None:
        """Look layouts up again at the next scrape: some may have been removed."""
        self._plans, self._last = {}, None

    def counters(self) -> set[int]:
        """Ids of the series that are counters."""
        return {self._ids[key] for key, counter in self._counters.items() if counter}

    def keys(self) -> set[SeriesKey]:
        """The series known."""
        return set(self._ids)

    def resolve(self, key: SeriesKey, *, counter: bool) -> int | None:
        """The series' id, made where it is new; None where there are too many, or its text is not Unicode."""
        known = self._ids.get(key)
        if known is not None:
            if self._counters[key] != counter:
                self._connection.execute("UPDATE series SET counter = ? WHERE id = ?", (counter, known))
                self._counters[key] = counter
            return known
        labels = _encoded(key)
        if len(self._ids) >= self.max_series or labels is None:
            self._refuse(key)
            return None
        cursor = self._connection.execute(
            "INSERT INTO series (name, labels, counter) VALUES (?, ?, ?)", (key.name, labels, counter)
        )
        self._ids[key] = int(cursor.lastrowid or 0)
        self._counters[key] = counter
        return self._ids[key]

    def plan(self, samples: Sequence[Sample]) -> Plan:
        """How these samples become a row; later samples of the same series win."""
        keys = tuple([sample.key for sample in samples])
        if self._last is None or self._last[0] != keys:  # looks at objects first, and hashes none
            self._last = keys, self._known_plan(keys, samples)
        return self._last[1]

    def _known_plan(self, keys: tuple[SeriesKey, ...], samples: Sequence[Sample]) -> Plan:
        plan = self._plans.get(keys)
        if plan is None:
            plan = self._make_plan(samples)
            if len(self._plans) >= _PLANS_KEPT:
                self._plans = {}
            self._plans[keys] = plan
        return plan

    def _make_plan(self, samples: Sequence[Sample]) -> Plan:
        places = {sample.key: place for place, sample in enumerate(samples)}
        ids = {key: self.resolve(key, counter=samples[place].counter) for key, place in places.items()}
        kept = tuple(key for key, one in ids.items() if one is not None)
        take = np.array([places[key] for key in kept], np.intp)
        layout = self._layout(np.array([ids[key] for key in kept], np.int64))
        return Plan(layout, kept, take, refused=len(ids) - len(kept))

    def _layout(self, ids: npt.NDArray[np.int64]) -> int:
        data = ids.tobytes()
        name = digest(data)
        row = self._connection.execute("SELECT id FROM layouts WHERE digest = ?", (name,)).fetchone()
        if row is not None:
            return int(row[0])
        cursor = self._connection.execute("INSERT INTO layouts (digest, series) VALUES (?, ?)", (name, data))
        return int(cursor.lastrowid or 0)

    def _refuse(self, key: SeriesKey) -> None:
        if hash(key) in self._refused or len(self._refused) >= _COUNTED:
            return
        self._refused.add(hash(key))
        if len(self.refused_names) < _NAMED:
            self.refused_names.append(str(key))


def _encoded(key: SeriesKey) -> str | None:
    try:
        key.name.encode()
        return orjson.dumps(key.labels).decode()
    except (UnicodeEncodeError, orjson.JSONEncodeError):
        return None
