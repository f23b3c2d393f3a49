"""The lines of each request, by its id: which templates came one after the other.

Ids are looked for in lines of templates that carry some, with a regular expression line by line. Where more such
lines come than there is time for, a sample is followed instead: for a minute and a half of every ten minutes the
requests whose id goes on, behind its usual prefix, with two digits that are drawn anew each time. Their lines are
found by a search for a constant text, which costs some ten nanoseconds a line while it lasts.
"""

import re
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

import numpy as np

from logship.anomalies.finding import Finder
from logship.anomalies.tally import bounded
from logship.engine.documents import Int32
from logship.feed import Lines

DEFAULT_PATTERN = (
    rb"(?:chatcmpl|cmpl|req|request)-[0-9A-Za-z][0-9A-Za-z-]{3,63}"
    rb"|(?<![0-9A-Fa-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)
MOST_OPEN = 10_000
MOST_EVENTS = 200
MOST_LINES = 50_000
"""Lines looked at in ten seconds one by one; at two microseconds each that is a hundredth of a core."""
ROUNDS, ACTIVE = 60, 9
"""Of so many ticks, those in which a sample is followed."""
_TRIED = 20
"""Lines of a template after which it is known whether it carries ids."""
_FIRST_ROOM = 256
_PREFIX = re.compile(rb"[A-Za-z]+-")
_DIGITS = b"0123456789abcdef"
_SAMPLED_DIGITS = 2


@dataclass(slots=True)
class Trail:
    """A request whose end has not been seen.

    Attributes:
        dataset: where its first line was.
        last: seconds on the monotonic clock at which it last had a line.
        events: template ids.
    """

    dataset: str
    last: float
    events: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is over."""

    id: str
    dataset: str
    events: tuple[int, ...]


class Requests:
    """Follows requests; observe() and take() under one lock.

    Args:
        pattern: a regular expression of ids; its first group where it has one.
        quiet: seconds without a line after which a request is over.
    """

    def __init__(self, pattern: bytes = DEFAULT_PATTERN, quiet: float = 30.0) -> None:
        self._pattern = re.compile(pattern)
        self._group = 1 if self._pattern.groups else 0
        self._quiet = quiet
        self._open: OrderedDict[bytes, Trail] = OrderedDict()
        self._tried = np.zeros(_FIRST_ROOM, np.int16)
        self._carried = np.zeros(_FIRST_ROOM, np.int16)
        self._likely = np.ones(_FIRST_ROOM, np.bool_)
        self._prefixes: Counter[bytes] = Counter()
        self._looked = 0
        self._sampled: Finder | None = None
        self._whole_since = float("-inf")
        self._begun = False
        self._round = self._busiest = self._drawn = 0
        self.cut = 0

    @property
    def sampled(self) -> bool:
        """Whether a share of the requests is followed only."""
        return self._sampled is not None

    def observe(self, lines: Lines, templates: Int32, now: float) -> None:
        """Look at a chunk's lines."""
        if not self._begun:  # of what was under way when the process began, the beginning was not seen
            self._begun, self._whole_since = True, now + self._quiet
        if self._sampled is not None:
            if self._round < ACTIVE:
                self._search(lines, templates, now, self._sampled)
            return
        templates = bounded(templates)
        self._grow(int(templates.max(initial=0)))
        for place in np.flatnonzero(self._likely[templates]).tolist():
            if self._looked >= MOST_LINES:
                self._draw(now)
                return
            self._look(lines, place, int(templates[place]), now)

    def take(self, now: float) -> list[Request]:
        """Requests that are over."""
        looked, self._looked = self._looked, 0
        if self._sampled is not None:
            self._round += 1
            self._busiest = max(self._busiest, looked)
            if self._round == ACTIVE:
                self._drop()
                if self._busiest * 16**_SAMPLED_DIGITS < MOST_LINES // 2:
                    self._sampled, self._whole_since = None, now + self._quiet
            elif self._round == ROUNDS:
                self._draw(now)
        found = []
        while self._open:
            name, trail = next(iter(self._open.items()))
            if now - trail.last < self._quiet:
                break
            del self._open[name]
            found.append(Request(name.decode("utf-8", "replace"), trail.dataset, tuple(trail.events)))
        return found

    def _look(self, lines: Lines, place: int, template: int, now: float) -> None:
        self._looked += 1
        match = self._pattern.search(lines.line(place))
        if self._tried[template] < _TRIED:
            self._tried[template] += 1
            self._carried[template] += match is not None
            self._likely[template] = self._tried[template] < _TRIED or 2 * self._carried[template] >= _TRIED
        if match is not None:
            name = match[self._group]
            if prefix := _PREFIX.match(name):
                self._prefixes[prefix[0]] += 1
            self._follow(name, lines.dataset, template, now)

    def _search(self, lines: Lines, templates: Int32, now: float, sampled: Finder) -> None:
        found = sampled.places(lines.data, int(lines.starts[-1]))
        rows = np.searchsorted(lines.starts, found, "right") - 1
        for at, place in zip(found.tolist(), rows.tolist(), strict=True):
            match = self._pattern.match(lines.data[at : min(at + 128, int(lines.starts[place + 1]))].tobytes())
            if match is not None:
                self._looked += 1
                self._follow(match[self._group], lines.dataset, int(templates[place]), now)

    def _follow(self, name: bytes, dataset: str, template: int, now: float) -> None:
        trail = self._open.get(name)
        if trail is None:
            if now < self._whole_since:
                return  # it may have begun before anybody looked
            if len(self._open) >= MOST_OPEN:
                self._open.popitem(last=False)
                self.cut += 1
            trail = self._open[name] = Trail(dataset, now)
        else:
            self._open.move_to_end(name)
        trail.last = now
        if len(trail.events) < MOST_EVENTS:
            trail.events.append(template)

    def _draw(self, now: float) -> None:
        """Begin to follow another sample; a request that is under way already is not seen whole."""
        self._drop()
        self._round, self._busiest, self._whole_since = 0, 0, now + self._quiet
        self._drawn += 1
        prefix = self._prefixes.most_common(1)
        number = self._drawn * 37 % 16**_SAMPLED_DIGITS
        digits = bytes((_DIGITS[number >> 4], _DIGITS[number & 15]))
        self._sampled = Finder(prefix[0][0] + digits if prefix else b"\0" * 4)

    def _drop(self) -> None:
        self.cut += len(self._open)
        self._open.clear()

    def _grow(self, most: int) -> None:
        if most >= len(self._tried):
            more = np.zeros(2 * most + 1 - len(self._tried), np.int16)
            self._tried, self._carried = np.concatenate((self._tried, more)), np.concatenate((self._carried, more))
            self._likely = np.concatenate((self._likely, np.ones(len(more), np.bool_)))
