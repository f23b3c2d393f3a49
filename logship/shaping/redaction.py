"""Secrets and prompts masked where they stand, byte by byte, before a line is looked at any further."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from functools import cache
from operator import itemgetter

import numpy as np

from logship.engine.documents import Bytes
from logship.patterns.compiled import AVAILABLE
from logship.shaping.quoted import Quoted
from logship.shaping.rules import KEY_BEGIN, KEY_END, KEY_LINE, KEY_TRIGGER, PRIVATE_KEY, Rule, rules_of
from logship.shaping.settings import RedactSettings
from logship.shaping.sieve import Sieve
from logship.shaping.triggers import Trigger

MASK = ord("*")
_RETURN = ord("\r")
_NEAR, _FURTHER = 512, 16
"""Bytes in which the ends of a line are looked for first, and how many times as many next."""
LOOK_BACK = 16 * 1024
"""Bytes of a private key in PEM, at most, as far as it matters where reading begins."""


class Redactor:
    """Masks the lines of all sources; for one thread at a time.

    Args:
        settings: what is masked.
        fast: whether to use compiled code.

    Attributes:
        counts: how often each rule masked something in lines that were passed on.
    """

    def __init__(self, settings: RedactSettings, *, fast: bool = AVAILABLE) -> None:
        rules = rules_of(settings)
        self.counts: Counter[str] = Counter()
        self._set = cache(lambda prompts: _Set(rules, settings, prompts=prompts, fast=fast))
        self._enabled = settings.enabled
        self._marks: list[tuple[int, str]] = []
        self._masked: list[tuple[int, Bytes]] = []
        self._blocks: list[tuple[int, int]] = []
        self._quoted, self._quoted_name = Quoted(), ""

    def redact(self, data: Bytes, size: int, *, inside: bool = False, prompts: bool = False) -> None:
        """Mask what is found in whole lines, in place.

        Args:
            data: the lines, 64 bytes of slack behind them.
            size: their bytes.
            inside: whether they begin inside a private key.
            prompts: whether they are a log of requests, in which prompts stand.
        """
        self._marks, self._masked, self._blocks = [], [], []
        self._quoted.clear()
        if not self._enabled:
            return
        rules = self._set(prompts)
        due: dict[tuple[tuple[int, int], int], None] = {}
        line = (0, 0)
        for begin, trigger in self._hits(rules, data, size):
            if begin >= line[1]:
                line = _line(data, size, begin)
            due |= dict.fromkeys((line, number) for number in rules.of_trigger[trigger])
        keys = [line for line, number in due if number < 0]
        if keys or inside:
            self._mask_keys(data, data[:size].tobytes(), keys, inside=inside)
        for (begin, end), number in sorted(due):
            if number >= 0:
                self._apply(rules.rules[number], data, begin, end)
        if rules.everywhere:
            lines = list(_lines(data[:size].tobytes()))
            for number in rules.everywhere:
                for begin, end in lines:
                    self._apply(rules.rules[number], data, begin, end)

    def passed(self, size: int) -> bool:
        """Count what was masked in the first bytes of the chunk; whether what follows them is inside a private key."""
        if self._marks:
            self.counts.update(name for place, name in self._marks if place < size)
        quoted = self._quoted.before(size)
        if quoted:
            self.counts[self._quoted_name] += quoted
        block = bisect_right(self._blocks, size, key=itemgetter(0)) - 1
        return block >= 0 and size <= self._blocks[block][1]

    def restore(self, data: Bytes) -> None:
        """Put back what was masked in the chunk: what is known of a file is told by its own bytes."""
        while self._masked:
            place, text = self._masked.pop()
            data[place : place + len(text)] = text
        self._quoted.put_back(data)

    def marks(self) -> list[tuple[int, str]]:
        """What was masked in the chunk: places, and the rules' names."""
        return sorted(self._marks + [(place, self._quoted_name) for place in self._quoted.begins.tolist()])

    def _hits(self, rules: "_Set", data: Bytes, size: int) -> list[tuple[int, int]]:
        """Places and triggers of what may have to be masked; quoted texts are masked at once."""
        if rules.sieve is None:
            return []
        found = rules.sieve.find(data, size)
        if len(found) and rules.quoted >= 0 and not rules.everywhere:
            self._quoted_name = rules.quoted_name
            found = self._quoted.mask(data, size, found, rules.quoted)
        return [(begin, number) for begin, _, number in found.tolist()]

    def _apply(self, rule: Rule, data: Bytes, begin: int, end: int) -> None:
        text = data[begin:end].tobytes()
        for first, last in _spans(rule, text):
            if last > first and text.count(b"*", first, last) < last - first:
                self._mask(data, begin + first, begin + last)
                self._marks.append((begin + first, rule.name))

    def _mask(self, data: Bytes, begin: int, end: int) -> None:
        text = data[begin:end].copy()
        self._masked.append((begin, text))
        data[begin:end] = np.where(text == _RETURN, text, np.uint8(MASK))

    def _mask_keys(self, data: Bytes, chunk: bytes, lines: list[tuple[int, int]], *, inside: bool) -> None:
        if inside:
            self._mask_key(data, chunk, 0)
        for begin, end in lines:
            self._begin_key(data, chunk, begin, end)

    def _begin_key(self, data: Bytes, chunk: bytes, begin: int, end: int) -> None:
        found = KEY_BEGIN.search(chunk, begin, end)
        if found is None:
            return
        self._marks.append((found.end(), PRIVATE_KEY))
        closed = KEY_END.search(chunk, found.end(), end)
        stop = closed.start() if closed else end
        self._mask(data, found.end(), stop)
        if closed is None and found.end() >= end - 1:
            self._mask_key(data, chunk, end + 1)

    def _mask_key(self, data: Bytes, chunk: bytes, begin: int) -> None:
        """Mask the lines of a key up to its end or to one that is not a key's."""
        at = begin
        while at < len(chunk):
            end = chunk.find(b"\n", at)
            end = len(chunk) if end < 0 else end
            if not KEY_LINE.fullmatch(chunk, at, end - (chunk[at:end].endswith(b"\r"))):
                self._blocks.append((begin, at - 1))
                return
            self._mask(data, at, end)
            at = end + 1
        self._blocks.append((begin, len(chunk)))


class _Set:
    """The rules for one kind of source, and what finds them."""

    def __init__(self, rules: list[Rule], settings: RedactSettings, *, prompts: bool, fast: bool) -> None:
        self.rules = [rule for rule in rules if prompts or not rule.prompts]
        self.everywhere = [number for number, rule in enumerate(self.rules) if not rule.triggers]
        owners: dict[object, list[int]] = {}
        for number, rule in enumerate(self.rules):
            for trigger in rule.triggers:
                owners.setdefault(trigger, []).append(number)
        if PRIVATE_KEY not in settings.off:
            owners[KEY_TRIGGER] = [-1]
        self.of_trigger = list(owners.values())
        self.quoted, self.quoted_name = -1, ""
        for number, (one, numbers) in enumerate(owners.items()):
            rule = self.rules[numbers[0]]
            if len(numbers) == 1 and numbers[0] >= 0 and isinstance(one, Trigger) and one.text == rule.quoted:
                self.quoted, self.quoted_name = number, rule.name
        self.sieve = Sieve(list(owners), fast=fast) if owners else None  # type: ignore[arg-type]


def _line(data: Bytes, size: int, place: int) -> tuple[int, int]:
    """Begin and end of the line about a place."""
    near, first, last = _NEAR, place, place
    before = after = -1
    while before < 0 < first:
        first = max(0, place - near)
        before = data[first:place].tobytes().rfind(b"\n")
        near *= _FURTHER
    near = _NEAR
    while after < 0 and last < size:
        last = min(size, place + near)
        after = data[place:last].tobytes().find(b"\n")
        near *= _FURTHER
    return first + before + 1, place + after if after >= 0 else size


def _lines(chunk: bytes) -> Iterator[tuple[int, int]]:
    begin = 0
    for line in chunk.split(b"\n"):
        yield begin, begin + len(line)
        begin += len(line) + 1


def _spans(rule: Rule, text: bytes) -> Iterator[tuple[int, int]]:
    for found in rule.pattern.finditer(text):
        for first, last in _groups(found, rule.group):
            if rule.inner is None:
                yield first, last
                continue
            for inner in rule.inner.finditer(text[first:last]):
                for one, other in _groups(inner, None):
                    yield first + one, first + other


def _groups(found: re.Match[bytes], group: int | None) -> list[tuple[int, int]]:
    if group is not None:
        return [found.span(group)] if found.start(group) >= 0 else []
    spans = [found.span(n) for n in range(1, found.re.groups + 1) if found.start(n) >= 0]
    return spans or [found.span()]


def begins_inside(before: bytes) -> bool:
    """Whether lines begin inside a private key.

    Args:
        before: up to LOOK_BACK bytes before them.
    """
    begun = next(reversed(list(KEY_BEGIN.finditer(before))), None)
    if begun is None or not before.endswith(b"\n"):
        return False
    rest = before[begun.end() :].removesuffix(b"\n").split(b"\n")
    return not rest[0].strip() and all(KEY_LINE.fullmatch(line.removesuffix(b"\r")) for line in rest[1:])
