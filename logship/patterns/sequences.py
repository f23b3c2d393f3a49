"""Sequences of event ids: which ones are unlike all that were seen while things went well.

A sequence is compared by how often each event occurs in it: its relative L1 distance to the nearest known one. A
second look is at pairs of events that follow each other: the share of them that was never seen. Each has a
threshold, such that at most the wished share of known sequences would be flagged if it had been left out.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logship.errors import LogshipError

Floats = NDArray[np.float64]
_BLOCK_BYTES = 64 << 20

ABNORMAL = frozenset({"abnormal", "anomaly", "anomalous", "1", "true", "fail", "failure"})
NORMAL = frozenset({"normal", "0", "false", "success", "-"})


@dataclass(frozen=True, slots=True)
class EventSequence:
    """The events of one request, in order.

    Attributes:
        key: the request's id; the line's number where the file has none.
        events: event ids.
        abnormal: its label, where there is one.
    """

    key: str
    events: tuple[str, ...]
    abnormal: bool | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one sequence.

    Attributes:
        distance: of its event counts to the nearest known ones; 0 equal, 1 nothing in common.
        unseen: share of its pairs of events that no known sequence has.
        flagged: whether it is unlike the known ones.
    """

    distance: float
    unseen: float
    flagged: bool


class Known:
    """Sequences of normal requests, and the thresholds that follow from them.

    Args:
        sequences: at least two.
        rate: share of normal sequences that may be flagged.
        counts: flag by event counts.
        pairs: flag by pairs of events.

    Raises:
        LogshipError: there are too few sequences.
    """

    def __init__(
        self, sequences: Sequence[EventSequence], rate: float, *, counts: bool = True, pairs: bool = False
    ) -> None:
        if len(sequences) < 2:
            raise LogshipError(
                f"{len(sequences)} sequences to learn from are too few",
                hint="name a file with a sequence of event ids on each line, from a time when all was well",
            )
        self._columns = {event: i for i, event in enumerate(sorted({e for one in sequences for e in one.events}))}
        tally = Counter(_counted(one.events) for one in sequences)
        self._vectors, self._extra = self._matrix([dict(vector) for vector in tally])
        repeats = np.array(list(tally.values()))
        self._pairs = Counter(pair for one in sequences for pair in set(_pairs(one.events)))
        self.distance_limit = _limit(np.repeat(np.where(repeats > 1, 0.0, self._left_out()), repeats), rate)
        self.unseen_limit = _limit(np.array([self._unseen(one.events, seen_by=2) for one in sequences]), rate)
        self._rules = (counts, pairs)

    def judge(self, sequences: Sequence[EventSequence]) -> list[Verdict]:
        """How unlike the known ones each sequence is."""
        vectors = list(dict.fromkeys(_counted(one.events) for one in sequences))
        matrix, extra = self._matrix([dict(vector) for vector in vectors])
        nearest = dict(zip(vectors, self._nearest(matrix, extra, lambda block, _: block.min(axis=1)), strict=True))
        found = []
        for one in sequences:
            distance, unseen = float(nearest[_counted(one.events)]), self._unseen(one.events)
            by_counts, by_pairs = distance > self.distance_limit, unseen > self.unseen_limit
            flagged = (self._rules[0] and by_counts) or (self._rules[1] and by_pairs)
            found.append(Verdict(distance, unseen, bool(flagged)))
        return found

    def _matrix(self, counted: list[dict[str, int]]) -> tuple[Floats, Floats]:
        """Counts of known events, and the number of events that are not known."""
        matrix = np.zeros((len(counted), len(self._columns)))
        extra = np.zeros(len(counted))
        for row, vector in enumerate(counted):
            for event, count in vector.items():
                column = self._columns.get(event)
                if column is None:
                    extra[row] += count
                else:
                    matrix[row, column] = count
        return matrix, extra

    def _left_out(self) -> Floats:
        """The distance of each known vector to the nearest other one."""

        def nearest_other(block: Floats, first: int) -> Floats:
            rows = np.arange(len(block))
            block[rows, first + rows] = np.inf
            least: Floats = block.min(axis=1)
            return least

        if len(self._vectors) == 1:
            return np.zeros(1)
        return self._nearest(self._vectors, self._extra, nearest_other)

    def _nearest(self, matrix: Floats, extra: Floats, pick: Callable[[Floats, int], Floats]) -> Floats:
        sizes, known_sizes = matrix.sum(axis=1) + extra, self._vectors.sum(axis=1)
        step = max(1, _BLOCK_BYTES // (8 * self._vectors.size + 1))
        found = []
        for first in range(0, len(matrix), step):
            part = slice(first, first + step)
            apart = np.abs(matrix[part, None, :] - self._vectors[None]).sum(axis=2) + extra[part, None]
            both = np.maximum(sizes[part, None] + known_sizes[None], 1.0)
            found.append(pick(apart / both, first))
        nearest: Floats = np.asarray(np.concatenate(found), np.float64)
        return nearest

    def _unseen(self, events: tuple[str, ...], seen_by: int = 1) -> float:
        pairs = _pairs(events)
        return sum(self._pairs[pair] < seen_by for pair in pairs) / len(pairs) if pairs else 0.0


def read_sequences(text: str, name: str) -> list[EventSequence]:
    """The sequences of a file: ``id,1 2 3``, ``id,label,1 2 3`` or ``1 2 3`` on each line.

    Raises:
        LogshipError: a line has more columns.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split(",")]
        label = cells[1].lower() if len(cells) == 3 else ""
        if len(cells) > 3 or (len(cells) == 3 and label not in ABNORMAL | NORMAL):
            raise LogshipError(
                f"{name}, line {number}: neither 'id,events' nor 'id,label,events'",
                hint="event ids are separated by blanks; labels are 'normal' and 'abnormal'",
            )
        key = cells[0] if len(cells) > 1 else str(number)
        found.append(EventSequence(key, tuple(cells[-1].split()), label in ABNORMAL if label else None))
    return found


def scores(verdicts: Sequence[Verdict], abnormal: Sequence[bool]) -> dict[str, Any]:
    """Recall, false-positive rate, precision and F1 of flags against labels; what has no cases is left out."""
    flagged = np.array([one.flagged for one in verdicts])
    truth = np.array(abnormal)
    hits, wrong = int((flagged & truth).sum()), int((flagged & ~truth).sum())
    found: dict[str, Any] = {"abnormal": int(truth.sum()), "normal": int((~truth).sum()), "hits": hits, "wrong": wrong}
    if truth.any():
        found["recall"] = hits / int(truth.sum())
    if not truth.all():
        found["false_positive_rate"] = wrong / int((~truth).sum())
    if hits + wrong:
        found["precision"] = hits / (hits + wrong)
    if truth.any():
        found["f1"] = 2 * hits / (hits + wrong + int(truth.sum()))
    return found


def _counted(events: tuple[str, ...]) -> frozenset[tuple[str, int]]:
    return frozenset(Counter(events).items())


def _pairs(events: tuple[str, ...]) -> list[tuple[str, str]]:
    return list(pairwise(events))


def _limit(values: Floats, rate: float) -> float:
    """The value that at most the wished share exceeds."""
    return float(np.sort(values)[len(values) - 1 - int(rate * len(values))])
