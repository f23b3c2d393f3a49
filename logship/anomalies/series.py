"""Template counts as counters: the most frequent templates one by one, all others together."""

from collections import Counter

import numpy as np

from logship.engine.documents import Int64
from logship.stats import RawSample

LINES = "forewarn_logs_template_lines_total"
LEVELS = "forewarn_logs_level_lines_total"
OTHER = "other"
CHANGE_EVERY = 60
"""Ticks between two looks at who is frequent."""
_MEMORY = 0.9
_LEAD = 2.0
"""Another takes a series' place only when it is so many times as frequent, so that they do not take turns."""

Pair = tuple[str, int]


class TemplateSeries:
    """Counters that only grow while the process lives.

    A template that is merged into another stops; its later lines count for the other, whose counter goes on from
    where it was, so that a merging looks neither like a fall nor like a burst. The same holds where a template gets a
    series of its own or loses it: what was counted under ``other`` stays there.

    Args:
        most: series at once, beside ``other``.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._totals: dict[Pair, int] = {}
        self._kept: set[Pair] = set()
        self._others: Counter[str] = Counter()
        self._levels: Counter[tuple[str, str]] = Counter()
        self._frequent: dict[Pair, float] = {}
        self._ticks = 0

    def count(self, dataset: str, ids: Int64, counts: Int64, levels: dict[int, str]) -> None:
        """Add the lines of a tick."""
        for template, lines in zip(ids.tolist(), counts.tolist(), strict=True):
            pair = (dataset, template)
            self._frequent[pair] = self._frequent.get(pair, 0.0) + lines
            if pair not in self._kept and len(self._kept) < self._most:
                self._kept.add(pair)
            if pair in self._kept:
                self._totals[pair] = self._totals.get(pair, 0) + lines
            else:
                self._others[dataset] += lines
            if template in levels:
                self._levels[dataset, levels[template]] += lines

    def tick(self) -> None:
        """Now and then let the frequent take the place of the rare."""
        self._ticks += 1
        if self._ticks % CHANGE_EVERY:
            return
        outside = sorted(self._frequent.keys() - self._kept, key=self._frequent.__getitem__, reverse=True)
        inside = sorted(self._kept, key=lambda pair: self._frequent.get(pair, 0.0))
        for entering, leaving in zip(outside, inside, strict=False):
            if self._frequent[entering] <= _LEAD * self._frequent.get(leaving, 0.0):
                break
            self._kept.remove(leaving)
            self._kept.add(entering)
        self._frequent = {pair: lines * _MEMORY for pair, lines in self._frequent.items() if lines >= 0.01}
        self._forget()

    def move(self, merged: dict[int, int]) -> None:
        """Templates were merged: their series end."""
        for pair in [pair for pair in self._kept if pair[1] in merged]:
            self._kept.remove(pair)
        for pair in [pair for pair in self._frequent if pair[1] in merged]:
            into = (pair[0], merged[pair[1]])
            self._frequent[into] = self._frequent.get(into, 0.0) + self._frequent.pop(pair)

    def samples(self) -> list[RawSample]:
        """The counters."""
        found: list[RawSample] = [
            (
                LINES,
                {"dataset": dataset, "template": str(template)},
                float(self._totals.get((dataset, template), 0)),
                True,
            )
            for dataset, template in sorted(self._kept)
        ]
        found += [
            (LINES, {"dataset": dataset, "template": OTHER}, float(lines), True)
            for dataset, lines in sorted(self._others.items())
        ]
        found += [
            (LEVELS, {"dataset": dataset, "level": level}, float(lines), True)
            for (dataset, level), lines in sorted(self._levels.items())
        ]
        return found

    def _forget(self) -> None:
        """Totals of templates without a series are kept, for they may get it back; but not without end."""
        idle = [pair for pair in self._totals if pair not in self._kept]
        for pair in idle[: max(0, len(idle) - 10 * max(1, self._most))]:
            del self._totals[pair]


def resolved(ids: Int64, counts: Int64, merged: dict[int, int]) -> tuple[Int64, Int64]:
    """Counts by the ids that stand for the templates now."""
    if not merged:
        return ids, counts
    current = np.array([merged.get(template, template) for template in ids.tolist()], np.int64)
    distinct, places = np.unique(current, return_inverse=True)
    return distinct, np.bincount(places, weights=counts, minlength=len(distinct)).astype(np.int64)
