"""Many sources' samples become one scrape: each series once, and no more of them than the limits allow.

Two rounds in a row differ in values, seldom in series: who is kept is decided when series come or go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from collector.series import Sample, SeriesKey

OWN = "forewarn_collector_"
"""Names that only the collector itself gives."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one source's series.

    Attributes:
        duplicates: how many an earlier source gives too.
        refused: names of those over a limit, one for each series.
        limit: how many there was room for.
    """

    duplicates: int
    refused: tuple[str, ...]
    limit: int


class Merger:
    """Puts the sources' samples together; where two give the same series, the earlier source wins.

    Args:
        max_a_source: series that a source may give.
        max_series: series that all of them may give.
    """

    def __init__(self, max_a_source: int, max_series: int) -> None:
        self._max_a_source = max_a_source
        self._max_series = max_series
        self._keys: list[list[SeriesKey]] = []
        self._verdicts: list[Verdict] = []
        self._kept: list[int] | None = None

    def merge(
        self, answers: Sequence[Sequence[Sample]], limits: Sequence[int] = ()
    ) -> tuple[list[Sample], list[Verdict]]:
        """The samples that are kept, and what became of each answer's series.

        Args:
            answers: one for each source.
            limits: how many series each of them may give, where it is not the same for all.
        """
        keys = [[sample.key for sample in answer] for answer in answers]
        if keys != self._keys:
            self._decide(keys, limits or [self._max_a_source] * len(keys))
        samples = list(chain.from_iterable(answers))
        return samples if self._kept is None else [samples[place] for place in self._kept], self._verdicts

    def _decide(self, keys: list[list[SeriesKey]], limits: Sequence[int]) -> None:
        self._keys, self._verdicts = keys, []
        seen: set[SeriesKey] = set()
        kept: list[int] = []
        place = 0
        for answer, limit in zip(keys, limits, strict=True):
            room = min(limit, self._max_series - len(kept))
            end = len(kept) + room
            refused: list[str] = []
            duplicates = 0
            for key in answer:
                if key in seen or key.name.startswith(OWN):
                    duplicates += 1
                elif len(kept) < end:
                    seen.add(key)
                    kept.append(place)
                else:
                    refused.append(key.name)
                place += 1
            self._verdicts.append(Verdict(duplicates, tuple(refused), room))
        self._kept = None if len(kept) == place else kept
