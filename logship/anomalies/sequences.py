"""Requests beside those that were normal: an order or a number of events that none had."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp, lgamma, log, log1p
from typing import Any

from logship.anomalies.requests import Request
from logship.patterns.sequences import EventSequence, Known

LEAST_LEARNED = 200
MOST_LEARNED = 2_000
RATE = 0.0025
LEARN_EVERY_MS = 6 * 3_600_000
WINDOW_MS = 600_000
MOST_JUDGED = 2_000
"""Requests judged in a tick; more are a sample already."""
_CHANGED = 0.2
"""Where so many of the newest requests are unlike the known ones, they are the new way: they are learned."""
_PRIOR_SEEN, _PRIOR_FLAGGED = 400.0, 1.0
_WINDOWS_A_DAY = 86_400_000 / WINDOW_MS

Resolve = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Broken:
    """Requests of the last ten minutes that are unlike all known ones.

    Attributes:
        flagged: how many.
        judged: of how many.
        expected: how many chance brings.
        score: 1 less the number of such windows that chance brings a day.
        example: the newest of them.
        step: two templates in an order that no known request has; None where only the numbers differ.
        missing: templates that nearly every known request has and this one lacks.
    """

    flagged: int
    judged: int
    expected: float
    score: float
    example: Request
    step: tuple[int, int] | None
    missing: tuple[int, ...]


class Ways:
    """The ways that requests of one data set take."""

    def __init__(self) -> None:
        self._normal: deque[tuple[int, ...]] = deque(maxlen=MOST_LEARNED)
        self._newest: deque[tuple[tuple[int, ...], bool]] = deque(maxlen=MOST_LEARNED)
        self._known: Known | None = None
        self._learned_ms = 0
        self._pairs: frozenset[tuple[int, int]] = frozenset()
        self._usual: frozenset[int] = frozenset()
        self._window: deque[tuple[int, int, int]] = deque()
        self._seen = self._flagged = 0.0

    def judge(self, requests: Sequence[Request], now_ms: int, *, learning: bool, resolve: Resolve) -> Broken | None:
        """Take in requests that are over; what is unusual about those of the last ten minutes."""
        ways = [replace(one, events=tuple(map(resolve, one.events))) for one in requests[:MOST_JUDGED]]
        if learning or len(self._normal) + len(ways) < LEAST_LEARNED or self._known is None:
            self._normal.extend(one.events for one in ways)
            if not learning and len(self._normal) >= LEAST_LEARNED:
                self._learn(now_ms, resolve)
            return None
        flagged = [one for one, verdict in zip(ways, self._judged(ways), strict=True) if verdict]
        unlike = {one.id for one in flagged}
        self._newest.extend((one.events, one.id in unlike) for one in ways)
        self._normal.extend(one.events for one in ways if one.id not in unlike)
        self._window.append((now_ms, len(ways), len(flagged)))
        while self._window[0][0] <= now_ms - WINDOW_MS:
            _, judged, unusual = self._window.popleft()
            self._seen, self._flagged = self._seen + judged, self._flagged + unusual
        if now_ms - self._learned_ms >= LEARN_EVERY_MS:
            self._learn(now_ms, resolve)
        return self._told(flagged[-1]) if flagged else None

    def _judged(self, ways: Sequence[Request]) -> list[bool]:
        if not ways or self._known is None:
            return []
        return [one.flagged for one in self._known.judge([_sequence(one.events) for one in ways])]

    def _told(self, example: Request) -> Broken:
        judged, flagged = (sum(one[column] for one in self._window) for column in (1, 2))
        share = (_PRIOR_FLAGGED + self._flagged) / (_PRIOR_SEEN + self._seen)
        score = max(0.0, 1 - exp(_as_many(flagged, judged, share)) * _WINDOWS_A_DAY)
        steps = [pair for pair in pairwise(example.events) if pair not in self._pairs]
        missing = tuple(sorted(self._usual - set(example.events)))
        return Broken(flagged, judged, share * judged, score, example, steps[0] if steps else None, missing)

    def _learn(self, now_ms: int, resolve: Resolve) -> None:
        if sum(unlike for _, unlike in self._newest) > _CHANGED * len(self._newest):
            self._normal.extend(events for events, _ in self._newest)
        ways = [tuple(map(resolve, events)) for events in self._normal]
        self._normal = deque(ways, maxlen=MOST_LEARNED)
        self._known = Known([_sequence(events) for events in ways], RATE, pairs=True)
        self._pairs = frozenset(pair for events in ways for pair in pairwise(events))
        counted = Counter(template for events in ways for template in set(events))
        self._usual = frozenset(template for template, count in counted.items() if count > 0.99 * len(ways))
        self._newest.clear()
        self._learned_ms = now_ms

    def save(self) -> dict[str, Any]:
        """What it knows, as JSON."""
        counted = Counter(self._normal)
        return {
            "normal": [[list(events), count] for events, count in counted.items()],
            "seen": self._seen,
            "flagged": self._flagged,
            "learned": self._known is not None,
        }

    @classmethod
    def load(cls, saved: dict[str, Any], now_ms: int, resolve: Resolve) -> "Ways":
        """One that goes on where the one that was saved had been."""
        ways = cls()
        for events, count in saved["normal"]:
            ways._normal.extend([tuple(events)] * count)
        ways._seen, ways._flagged = saved["seen"], saved["flagged"]
        if saved["learned"]:
            ways._learn(now_ms, resolve)
        return ways


def _sequence(events: tuple[int, ...]) -> EventSequence:
    return EventSequence("", tuple(map(str, events)))


def _as_many(flagged: int, judged: int, share: float) -> float:
    """The logarithm of a bound on the probability of so many or more of a binomial."""
    if flagged <= share * judged:
        return 0.0
    ratio = (judged - flagged) / (flagged + 1) * share / (1 - share)
    mass = lgamma(judged + 1) - lgamma(flagged + 1) - lgamma(judged - flagged + 1)
    mass += flagged * log(share) + (judged - flagged) * log1p(-share)
    return min(0.0, mass - log1p(-ratio)) if ratio < 1 else 0.0
