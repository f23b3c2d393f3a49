"""Lines of a block that fit a search: a plain search for bytes first, and a closer look at what it finds."""

import heapq
import re
from collections.abc import Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from forewarn.base.clock import parse_time, rfc3339
from logship.engine.horizon import Horizon
from logship.engine.times import Carried, Clockwork, Start
from logship.search.asked import Asked
from logship.search.backwards import Block
from logship.search.masking import Mask
from logship.shaping.objects import Objects
from logship.stamps import KLOG_LEVELS, LEVEL_NAMES, level_of

_LOOK_BACK = 200
"""Lines before one without a time stamp among which its own is looked for: a stack trace is shorter."""
_STAMP_WITHIN = 200
_WORD = re.compile(r"\w+")
_OTHER_LEVELS = (b"level=", b"\n{")
"""Where these stand, a line may name its level in another way than in capitals."""


class Match(NamedTuple):
    """A line of a block.

    Attributes:
        offset: in the file.
        text: without its end, masked as it is when it is shipped.
        time_ms: its own time, or that of the line with one before it; None where there is none near.
        level: empty where it names none.
    """

    offset: int
    text: str
    time_ms: int | None
    level: str


class Matcher:
    """Finds lines in the blocks of one file.

    Args:
        asked: the search.
        zone: of time stamps that name none; None means the machine's.
        modified_ms: when the file was last written: its lines are no later.
        mask: hides what must not be shown.
    """

    def __init__(self, asked: Asked, zone: str | None, modified_ms: int, mask: Mask) -> None:
        self._asked = asked
        self._mask = mask
        self._expressions = asked.expressions()
        words = {word.lower() for term in asked.terms for word in _WORD.findall(term) if word.isascii()}
        self._words = sorted((word.encode() for word in words), key=len, reverse=True)
        names = {name.encode() for name, level in LEVEL_NAMES.items() if level in asked.levels}
        self._levels = sorted(name for name in names if not any(o != name and o in name for o in names))
        letters = b"".join(letter for letter, level in KLOG_LEVELS.items() if level.decode() in asked.levels)
        self._klog = re.compile(rb"\n[%s]\d{4} " % (letters or b"I"))
        found = ZoneInfo(zone) if zone else None
        self._clock, self._objects = Clockwork(found), Objects(found)
        modified = rfc3339(modified_ms).encode()
        self._start = Start(Carried(), Horizon(modified, modified))

    def newest_first(self, block: Block) -> Iterator[Match]:
        """The lines of a block that fit, the last first."""
        data = block.data
        for start, stop in self._candidates(data):
            if not self._fits(data[start:stop]):
                continue
            shown = self._mask.mask(data, start, stop).rstrip(b"\r")
            text, level = self.read(shown)
            if not self._fits(shown) or (self._asked.level and level not in self._asked.levels):
                continue
            time_ms = self.time_of(data, start)
            if time_ms is None or self._in_time(time_ms):
                yield Match(block.start + start, text, time_ms, level)

    def line(self, block: Block, start: int, stop: int) -> Match:
        """A line of a block, whether it fits or not."""
        shown = self._mask.mask(block.data, start, stop)
        text, level = self.read(shown)
        return Match(block.start + start, text, self.time_of(block.data, start), level)

    def read(self, line: bytes) -> tuple[str, str]:
        """The text of a line and its level; of a JSON object, the line as it stands."""
        level = level_of(line)
        if level is None and line.startswith(b"{"):
            found = self._objects.read(line, self._start)
            level = found.level if found is not None else None
        return line.decode(errors="replace"), (level or b"").decode()

    def first_time(self, data: bytes) -> int | None:
        """The first time stamp in a block, among its first lines."""
        start = 0
        for _ in range(_LOOK_BACK):
            if start >= len(data):
                return None
            if (found := self._own(data, start)) is not None:
                return found
            start = data.find(b"\n", start) + 1
            if not start:
                return None
        return None

    def time_of(self, data: bytes, start: int) -> int | None:
        """The time of the line that begins there, or of one before it."""
        for _ in range(_LOOK_BACK):
            if (found := self._own(data, start)) is not None or start == 0:
                return found
            start = data.rfind(b"\n", 0, start - 1) + 1
        return None

    def _fits(self, line: bytes) -> bool:
        text = line.decode(errors="replace")
        return all(expression.search(text) for expression in self._expressions)

    def _in_time(self, time_ms: int) -> bool:
        until = self._asked.until_ms
        return time_ms >= self._asked.since_ms and (until is None or time_ms < until)

    def _own(self, data: bytes, start: int) -> int | None:
        stop = data.find(b"\n", start)
        stop = len(data) if stop < 0 else stop
        if data[start : start + 1] == b"{":
            found = self._objects.read(data[start:stop], self._start)
            stamp = found.stamp if found is not None else None
        else:
            stamp = self._stamp(data[start : min(start + _STAMP_WITHIN, stop)].lstrip(b"\0"))
        return parse_time(stamp.decode()) if stamp else None

    def _stamp(self, line: bytes) -> bytes:
        """The time of a line by itself, in the form and at the columns in which others of the file had theirs."""
        before = self._start.carried
        after = self._clock.read(line, before, self._start.horizon)
        self._start = self._start._replace(carried=after._replace(stamp=b""))
        return after.stamp

    def _candidates(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Where lines begin and end that may fit, the last first."""
        lowered = data.lower() if self._words else data
        if any(lowered.rfind(word) < 0 for word in self._words):  # from behind it is three times as fast
            return iter(())
        if self._words:
            rarest = min(self._words, key=lowered.count) if len(self._words) > 1 else self._words[0]
            return _holding(data, lowered, [rarest])
        if self._levels and not self._names_levels_otherwise(data):
            return _holding(data, data, self._levels)
        return _all(data)

    def _names_levels_otherwise(self, data: bytes) -> bool:
        first = data[: data.find(b"\n")]
        if first.startswith(b"{") or self._klog.match(b"\n" + first):
            return True
        return any(data.rfind(sign) >= 0 for sign in _OTHER_LEVELS) or self._klog.search(data) is not None


def _holding(data: bytes, searched: bytes, needles: list[bytes]) -> Iterator[tuple[int, int]]:
    """Lines that hold one of the needles, the last first."""
    last = len(data)
    for at in heapq.merge(*(_backwards(searched, needle) for needle in needles), reverse=True):
        if at >= last:
            continue  # in a line that was given out already
        last = data.rfind(b"\n", 0, at) + 1
        stop = data.find(b"\n", at)
        yield last, len(data) if stop < 0 else stop


def _backwards(data: bytes, needle: bytes) -> Iterator[int]:
    at = data.rfind(needle)
    while at >= 0:
        yield at
        at = data.rfind(needle, 0, at)


def _all(data: bytes) -> Iterator[tuple[int, int]]:
    """All lines, the last first."""
    stop = len(data) - data.endswith(b"\n")
    while True:
        start = data.rfind(b"\n", 0, stop) + 1
        yield start, stop
        if not start:
            return
        stop = start - 1
