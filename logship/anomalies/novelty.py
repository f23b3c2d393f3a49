"""Templates that were never seen: how unusual that is for this data set, by how often it happened before."""

from dataclasses import dataclass, field
from typing import Any

from forewarn.base.clock import DAY
from logship.anomalies.tally import First

ERRORS = frozenset({"error", "critical"})
WATCHED_TICKS = 6
"""A new template is looked at for a minute: it may be merged into a known one, or turn out to be a burst."""
_HALF_LIFE_DAYS = 7.0
_PRIOR = {("other", False): 0.1, ("other", True): 0.5, ("errors", False): 0.005, ("errors", True): 0.02}
"""Such events a day where nothing is known; True where only one word of a known template differs."""
_BURST = 0.25
"""A new template whose lines come in bursts is rarer: of n at once, by n to minus this."""


@dataclass(slots=True)
class Seen:
    """How often something happened, older times counting less.

    Attributes:
        count: events.
        days: time watched.
    """

    count: float = 0.0
    days: float = 0.0

    def wait(self, days: float) -> None:
        """Time passes."""
        kept = 0.5 ** (days / _HALF_LIFE_DAYS)
        self.count, self.days = self.count * kept, self.days * kept + days


@dataclass(slots=True)
class Fresh:
    """A template that is looked at."""

    template: int
    dataset: str
    errors: bool
    variant: bool
    lines: int = 0
    ticks: int = 0


@dataclass(frozen=True, slots=True)
class Novel:
    """Templates of a data set that were never seen, the most telling first."""

    dataset: str
    errors: bool
    templates: tuple[int, ...]
    lines: int
    score: float


@dataclass(slots=True)
class Novelty:
    """New templates of all data sets."""

    seen: dict[tuple[str, str, bool], Seen] = field(default_factory=dict)
    fresh: dict[int, Fresh] = field(default_factory=dict)

    def meet(self, first: First, level: str, *, variant: bool) -> None:
        """A template that is new after the learning time."""
        self.fresh[first.template] = Fresh(first.template, first.dataset, level in ERRORS, variant)

    def tick(self, lines: dict[int, int], elapsed_ms: int, watched: list[str], least: float) -> list[Novel]:
        """What is new enough to be told.

        Args:
            lines: of each template in this tick.
            elapsed_ms: since the last tick.
            watched: data sets whose learning time is over.
            least: the score from which on.
        """
        for dataset in watched:
            for kind, variant in _PRIOR:
                self.seen.setdefault((dataset, kind, variant), Seen()).wait(elapsed_ms / DAY)
        groups: dict[tuple[str, bool], list[tuple[float, Fresh]]] = {}
        for one in list(self.fresh.values()):
            one.lines += lines.get(one.template, 0)
            one.ticks += 1
            told = one.ticks > 1 and (score := self._score(one)) >= least
            if told:
                groups.setdefault((one.dataset, one.errors), []).append((score, one))
            if told or one.ticks >= WATCHED_TICKS:
                del self.fresh[one.template]
                if not told:
                    self._seen(one).count += 1
        return [self._told(*group, found) for group, found in groups.items()]

    def move(self, merged: dict[int, int]) -> None:
        """What turned out to be a known template is not new."""
        for old, new in merged.items():
            one = self.fresh.pop(old, None)
            if one is not None and new > old:
                one.template = new
                self.fresh[new] = one

    def _told(self, dataset: str, errors: bool, found: list[tuple[float, Fresh]]) -> Novel:  # noqa: FBT001  a key's part
        found.sort(key=lambda pair: (-pair[0], -pair[1].lines, pair[1].template))
        self._seen(found[0][1]).count += 1  # one event, however many templates an upgrade brings
        return Novel(
            dataset, errors, tuple(one.template for _, one in found), sum(one.lines for _, one in found), found[0][0]
        )

    def _score(self, one: Fresh) -> float:
        seen = self._seen(one)
        prior = _PRIOR[_kind(one.errors), one.variant]
        expected = (prior + seen.count) / (1 + seen.days) * max(1, one.lines) ** -_BURST
        return float(max(0.0, 1 - expected))

    def _seen(self, one: Fresh) -> Seen:
        return self.seen.setdefault((one.dataset, _kind(one.errors), one.variant), Seen())

    def save(self) -> list[Any]:
        """What it knows, as JSON."""
        return [[*key, seen.count, seen.days] for key, seen in self.seen.items()]

    @classmethod
    def load(cls, saved: list[Any]) -> "Novelty":
        """One that goes on where the one that was saved had been."""
        return cls({(dataset, kind, variant): Seen(count, days) for dataset, kind, variant, count, days in saved})


def _kind(errors: bool) -> str:  # noqa: FBT001  a key's part
    return "errors" if errors else "other"
