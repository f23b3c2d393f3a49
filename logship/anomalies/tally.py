"""How many lines each template had since the last look, by data set."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logship.engine.documents import Int32, Int64
from logship.feed import Lines
from logship.patterns.compiled import AVAILABLE, brief

MOST_IDS = 1 << 20
"""Templates with higher ids count as the tail: where a million were given, they say nothing."""
_LONGEST_LINE = 512
_FIRST_ROOM = 256


@dataclass(frozen=True, slots=True)
class First:
    """The first line that was seen of a template.

    Attributes:
        template: its id.
        dataset: where it was seen.
        line: its text, cut at 512 bytes.
        time_ms: when it was read.
    """

    template: int
    dataset: str
    line: str
    time_ms: int


def bounded(templates: Int32) -> Int32:
    """Template ids, those that are too high replaced by the tail's."""
    if int(templates.max(initial=0)) < MOST_IDS:
        return templates
    return np.where(templates < MOST_IDS, templates, 0).astype(np.int32)


@brief
def _count(templates: Int32, lines: Int64, known: NDArray[np.bool_]) -> bool:
    fresh = False
    for template in templates:
        lines[template] += 1
        fresh |= not known[template]
    return fresh


def _add(templates: Int32, lines: Int64, known: NDArray[np.bool_]) -> bool:
    """Count lines by template; whether there are some that are not known."""
    if AVAILABLE:
        return _count(templates, lines, known)
    counts = np.bincount(templates)
    lines[: len(counts)] += counts
    return not bool(known[templates].all())


class Counted:
    """Lines by template id."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: Int64 = np.zeros(_FIRST_ROOM, np.int64)

    def make_room(self, count: int) -> None:
        """For so many ids."""
        if count > len(self.lines):
            self.lines = np.concatenate((self.lines, np.zeros(2 * count - len(self.lines), np.int64)))

    def taken(self) -> tuple[Int64, Int64]:
        """Ids with lines and how many, from now on counted from 0."""
        ids = np.flatnonzero(self.lines)
        counts = self.lines[ids]
        self.lines[ids] = 0
        return ids, counts


class Tally:
    """Counts lines by template; observe() and take() under one lock.

    Attributes:
        firsts: the first lines of new templates since the last time.
        late: data sets with older lines among those that were counted since then.
    """

    def __init__(self) -> None:
        self._counts: dict[str, Counted] = {}
        self._known = np.zeros(_FIRST_ROOM, np.bool_)
        self.firsts: list[First] = []
        self.late: set[str] = set()

    def observe(self, lines: Lines, templates: Int32) -> None:
        """Count a chunk's lines."""
        if not len(templates):
            return
        if lines.late:
            self.late.add(lines.dataset)
        templates = bounded(templates)
        room = int(templates.max()) + 1
        if room > len(self._known):
            self._known = np.concatenate((self._known, np.zeros(2 * room - len(self._known), np.bool_)))
        counted = self._counts.setdefault(lines.dataset, Counted())
        counted.make_room(room)
        if _add(templates, counted.lines, self._known):
            unknown = np.unique(templates[~self._known[templates]])
            self.firsts += self._first_lines(lines, templates, unknown)
            self._known[unknown] = True

    def take(self) -> tuple[dict[str, tuple[Int64, Int64]], list[First]]:
        """By data set the ids with their lines since the last time, and the first lines of new templates."""
        firsts, self.firsts = self.firsts, []
        return {dataset: counted.taken() for dataset, counted in self._counts.items()}, firsts

    def known(self, templates: Collection[int]) -> None:
        """These were seen by an earlier process."""
        ids = [template for template in templates if template < MOST_IDS]
        if ids and max(ids) >= len(self._known):
            self._known = np.concatenate((self._known, np.zeros(max(ids) + 1, np.bool_)))
        self._known[ids] = True

    @staticmethod
    def _first_lines(lines: Lines, templates: Int32, unknown: Int32) -> Iterator[First]:
        for template in unknown.tolist():
            place = int(np.argmax(templates == template))
            text = lines.line(place)[:_LONGEST_LINE].decode("utf-8", "replace")
            yield First(template, lines.dataset, text, lines.read_ms)
