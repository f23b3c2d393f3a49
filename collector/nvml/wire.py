"""Rounds on their way from the child to the parent: the series once, then nothing but their values.

A ``layout`` frame names every series, in order; it is sent when there are new ones, or some are gone. Each ``round``
frame names the layout that it goes by and holds one value for each of its series, null where there is none this time.
The parent so keeps one ``SeriesKey`` per series for as long as the child lives, and one ``Sample`` for as long as the
value stays the same.
"""

from collections.abc import Sequence
from typing import Any, Final

from collector.catalogue import CATALOGUE
from collector.series import Labels, Sample, SeriesKey
from forewarn.base.errors import ChildError
from forewarn.base.frames import Frame

WireSeries = tuple[str, Labels, bool]
"""Name, labels, whether it is a counter."""


class Row:
    """The series of one GPU, or of one slice of it, with their values of this moment.

    Args:
        prefix: what the names of its metrics begin with.
        labels: labels of all of its series.
    """

    def __init__(self, prefix: str, labels: Labels) -> None:
        self._prefix = prefix
        self._labels = labels
        self._places: dict[tuple[str, Labels], int] = {}
        self.series: list[WireSeries] = []
        self.values: list[float | None] = []

    def add(self, metric: str, labels: Labels, value: float) -> int:
        """Take in a value of a series, which begins with it unless it is there; returns its place among the values."""
        place = self._places.get((metric, labels))
        if place is not None:
            self.values[place] = value
            return place
        name = self._prefix + metric
        pairs = tuple(sorted((*self._labels, *((key, text) for key, text in labels if text))))
        self.series.append((name, pairs, CATALOGUE[name].type == "counter"))
        self.values.append(value)
        self._places[metric, labels] = len(self.values) - 1
        return len(self.values) - 1


class Cell:
    """One series' place in its row; it begins with the first value, so that what is never offered has none."""

    __slots__ = ("_labels", "_metric", "_place", "_row")

    def __init__(self, row: Row, metric: str, labels: Labels = ()) -> None:
        self._row = row
        self._metric = metric
        self._labels = labels
        self._place = -1

    @property
    def value(self) -> float | None:
        """The value of this moment."""
        return self._row.values[self._place] if self._place >= 0 else None

    def put(self, value: float | None) -> None:
        """Take in this moment's value; None where there is none."""
        if self._place >= 0:
            self._row.values[self._place] = value
        elif value is not None:
            self._place = self._row.add(self._metric, self._labels, value)


class Sender:
    """The child's side: knows which layout the parent has."""

    def __init__(self) -> None:
        self._number = 0
        self._known: list[tuple[Row, int]] = []

    def layout(self, rows: Sequence[Row]) -> Frame | None:
        """The layout to send before the values of these rows, None where the parent has it."""
        shape = [(row, len(row.series)) for row in rows]
        if shape == self._known:
            return None
        self._known = shape
        self._number += 1
        return {"kind": "layout", "layout": self._number, "series": [one for row in rows for one in row.series]}

    def values(self, rows: Sequence[Row]) -> Frame:
        """What a round frame says of these rows' values, by the layout sent last."""
        return {"layout": self._number, "values": [value for row in rows for value in row.values]}


_NO_LAYOUT: Final = 0


class Receiver:
    """The parent's side: makes samples of values."""

    def __init__(self) -> None:
        self._number = _NO_LAYOUT
        self._series: list[tuple[SeriesKey, bool]] = []
        self._held: list[Sample | None] = []

    def take_layout(self, frame: Frame) -> None:
        """Go by another layout; series that were known keep their key."""
        known = {key: key for key, _ in self._series}
        self._number = frame["layout"]
        self._series = [_series(one, known) for one in frame["series"]]
        self._held = [None] * len(self._series)

    def samples(self, frame: Frame) -> list[Sample]:
        """The samples of a round.

        Raises:
            ChildError: the round goes by a layout that was not sent.
        """
        values = frame["values"]
        if frame["layout"] != self._number or len(values) != len(self._held):
            raise ChildError(f"a round goes by layout {frame['layout']}, known is {self._number}")
        found = []
        for place, value in enumerate(values):
            if value is None:
                continue
            sample = self._held[place]
            if sample is None or sample.value != value:
                sample = self._held[place] = Sample(self._series[place][0], value, self._series[place][1])
            found.append(sample)
        return found

    def forget(self) -> None:
        """The child is gone; the next one numbers its layouts anew."""
        self._number = _NO_LAYOUT
        self._held = [None] * len(self._held)


def _series(wired: Sequence[Any], known: dict[SeriesKey, SeriesKey]) -> tuple[SeriesKey, bool]:
    name, labels, counter = wired
    key = SeriesKey(name, tuple((label, text) for label, text in labels))
    return known.get(key, key), counter
